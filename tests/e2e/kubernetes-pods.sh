#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Who connects, by the names of pods: the pods of this node come from the API server (tests/fakes/kubernetes.py), their cgroups are made as a kubelet
# makes them, and connections and metrics say NAMESPACE/NAME, also without the agent.
. "$(dirname "$0")/lib.sh"
for tool in curl python3 jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
API=127.0.0.1:6443 CONTROL=127.0.0.1:6444
UID_A=0a1b2c3d-1111-2222-3333-444455556666 UID_B=0a1b2c3d-1111-2222-3333-444455557777

api() { in_ns "$PLACE" curl -sf -m 10 -d "$2" "http://$CONTROL$1" >/dev/null || fail "the fake: $1"; }
pod() { printf '{"kind":"Pod","metadata":{"namespace":"shop","name":"%s","uid":"%s"},"spec":{"nodeName":"%s","serviceAccountName":"robot"}}' "$@"; }
written() { grep -qsx "$1" "/run/weft/$INSTANCE.found/workloads"; }

spawn_in "$PLACE" /usr/bin/python3 "$TOP/tests/fakes/kubernetes.py" --listen $API --control $CONTROL >"$DIR/fake.out" 2>"$DIR/fake.log"
FAKE=$SPAWNED
must 10 "the fake is up" grep -q ready "$DIR/fake.out"
api /apply "[$(pod cart $UID_A node-1),$(pod elsewhere 0a1b2c3d-1111-2222-3333-444455558888 node-2)]"
cat >"$DIR/weft.yaml" <<END
instance: $INSTANCE
cgroup: $CG
registries:
  - {name: k8s, type: kubernetes, server: "http://$API", node: node-1, timeout: 1s, services: none}
services:
  - {name: web, address: "10.96.0.2:80", endpoints: ["127.0.0.11:80"]}
END
echo_start 127.0.0.11:80
start_agent

echo "-- pods of this node, and of no other"
must 10 "what there is" written "$UID_A shop cart robot"
! grep -q elsewhere "/run/weft/$INSTANCE.found/workloads" || fail "a pod of another node"
api /apply "[$(pod other 0a1b2c3d-1111-2222-3333-444455559999 node-2),$(pod bank $UID_B node-1)]"
must 10 "one that comes" written "$UID_B shop bank robot"
! grep -q other "/run/weft/$INSTANCE.found/workloads" || fail "a new pod of another node"

echo "-- two cgroups of one pod are one caller"
inside() # CGROUP
{
	mkdir -p "$CG/$1"
	(echo "$BASHPID" >"$CG/$1/cgroup.procs" && exec nsenter --net="/run/netns/$PLACE" -- "$O/tests/tools/connector" --to 10.96.0.2:80 --count 5 --json) >/dev/null ||
		fail "connects in $1"
}
SLICE=kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_A//-/_}.slice
inside "$SLICE/cri-containerd-1.scope"
inside "$SLICE/cri-containerd-2.scope"
inside "kubepods/pod$UID_B/2"
metrics >"$DIR/page"
grep -q 'caller="pod/shop/cart".* 10$' "$DIR/page" || fail "the pod's connects: $(grep caller "$DIR/page" | head -n 20)"
grep -q 'caller="pod/shop/bank".* 5$' "$DIR/page" || fail "the other pod's connects"
stop_agent
"$WEFT" metrics --instance "$INSTANCE" >"$DIR/page"
grep -q 'caller="pod/shop/cart".* 10$' "$DIR/page" || fail "the pod's connects, without the agent"

echo "-- one that goes while the agent is away"
api /delete '[{"kind":"Pod","namespace":"shop","name":"bank"}]'
start_agent
is_gone() { ! written "$UID_B shop bank robot"; }
must 10 "it is gone" is_gone
written "$UID_A shop cart robot" || fail "the other one is gone, too"
rmdir "$CG/$SLICE"/cri* "$CG/$SLICE" "$CG/kubepods.slice/kubepods-burstable.slice" "$CG/kubepods.slice" "$CG/kubepods/pod$UID_B/2" "$CG/kubepods/pod$UID_B" "$CG/kubepods"
stop_agent
weft unload >/dev/null
[ ! -e "/run/weft/$INSTANCE.found" ] || fail "something is left: $(ls "/run/weft/$INSTANCE.found")"

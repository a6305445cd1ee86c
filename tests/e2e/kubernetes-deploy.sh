#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# deploy/kubernetes: its objects fit together, grant no more than is needed, ask the agent where it listens, and hold a weft.yaml that the agent
# takes. kubectl renders the base when it is there.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is missing"

BASE=$TOP/deploy/kubernetes
cat >"$DIR/check.py" <<'END'
import sys, yaml
base, unit = sys.argv[1:3]

def need(truth, what):
    if not truth:
        sys.exit("deploy/kubernetes: " + what)

def read(name):
    with open("%s/%s" % (base, name), encoding="utf-8") as f:
        return [o for o in yaml.safe_load_all(f) if o]

kustomization, = read("kustomization.yaml")
objects = [o for name in kustomization["resources"] for o in read(name)]
of = {}
for o in objects:
    need(o.get("apiVersion") and o.get("metadata", {}).get("name"), "an object without apiVersion or name")
    need(o["kind"] not in of, "two of kind " + o["kind"])
    of[o["kind"]] = o
need(set(of) == {"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "DaemonSet"}, "kinds: %s" % sorted(of))
need(of["Namespace"]["metadata"]["name"] == kustomization["namespace"], "another namespace than the kustomization's")

granted = {(g, r): set(rule["verbs"]) for rule in of["ClusterRole"]["rules"] for g in rule["apiGroups"] for r in rule["resources"]}
need(granted == {("", "services"): {"get", "list", "watch"}, ("", "pods"): {"get", "list", "watch"}, ("", "nodes"): {"get"}, ("discovery.k8s.io", "endpointslices"): {"get", "list", "watch"}}, "grants %s" % granted)
binding = of["ClusterRoleBinding"]
need(binding["roleRef"]["name"] == of["ClusterRole"]["metadata"]["name"], "the binding is to another role")
need(binding["subjects"] == [{"kind": "ServiceAccount", "name": of["ServiceAccount"]["metadata"]["name"], "namespace": kustomization["namespace"]}],
     "the binding is for somebody else")

spec = of["DaemonSet"]["spec"]
pod = spec["template"]["spec"]
labels = dict(spec["template"]["metadata"]["labels"])
need(spec["selector"]["matchLabels"].items() <= labels.items(), "the selector does not select the pods")
need(pod["serviceAccountName"] == of["ServiceAccount"]["metadata"]["name"], "another service account")
need(pod["hostNetwork"] and pod["hostPID"], "not the node's namespaces")
need({"operator": "Exists"} in pod["tolerations"], "not on every node")
c, = pod["containers"]
caps = c["securityContext"]["capabilities"]
with open(unit, encoding="utf-8") as f:
    line, = [l for l in f if l.startswith("CapabilityBoundingSet=")]
need(caps["drop"] == ["ALL"] and sorted(caps["add"]) == sorted(w[4:] for w in line.strip().split("=")[1].split()),
     "other capabilities than the unit's: %s" % caps)
need(not c["securityContext"]["privileged"] and c["securityContext"]["readOnlyRootFilesystem"], "more rights than needed")
volumes = {v["name"]: v for v in pod["volumes"]}
mounts = {m["mountPath"]: m["name"] for m in c["volumeMounts"]}
need(set(volumes) == set(mounts.values()), "mounts and volumes differ")
for path in ("/sys/fs/bpf", "/sys/fs/cgroup", "/run/weft"):
    need(volumes[mounts[path]]["hostPath"]["path"] == path, path + " is not the node's")
generated, = kustomization["configMapGenerator"]
need(volumes[mounts["/etc/weft"]]["configMap"]["name"] == generated["name"], "another ConfigMap")
need(c["command"][-1] == "/etc/weft/" + generated["files"][0], "another file")
need(c["resources"]["requests"].keys() == {"cpu", "memory"} and "memory" in c["resources"]["limits"], "no resources")
env = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in c["env"]}
need(env["NODE_NAME"] == "spec.nodeName", "NODE_NAME")

config, = read(generated["files"][0])
host, port = config["metrics"]["listen"].rsplit(":", 1)
for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
    need(c[probe]["httpGet"] == {"host": host, "port": int(port), "path": path}, probe)
need([r["type"] for r in config["registries"]] == ["kubernetes"], "no registry of type kubernetes")
END
/usr/bin/python3 "$DIR/check.py" "$BASE" "$TOP/deploy/weft.service" || fail "the objects do not fit"
"$WEFT" agent --check -c "$BASE/weft.yaml" || fail "the agent does not take weft.yaml"
if kubectl version --client >/dev/null 2>&1; then
	kubectl kustomize "$BASE" >"$DIR/all.yaml" || fail "kubectl cannot render the base"
	assert_eq "$(grep -c '^kind:' "$DIR/all.yaml")" 6 "objects that kubectl renders"
	assert_eq "$(grep -c 'namespace: weft-system' "$DIR/all.yaml")" 4 "objects in the namespace"
fi

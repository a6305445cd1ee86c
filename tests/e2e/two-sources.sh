#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A service moves from one registry (DNS) to another (etcd) while clients connect: both at once, then the new one alone. No connect
# fails, nor does one while either server is taken away.
. "$(dirname "$0")/lib.sh"
for tool in etcd etcdctl dnsmasq jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
export ETCDCTL_API=3
LISTEN=127.0.0.77:2379 PEER=http://127.0.0.77:2380

ctl()
{
	in_ns "$PLACE" etcdctl --command-timeout=5s --endpoints=$LISTEN "$@"
}

dns_start()
{
	spawn_in "$PLACE" dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user=root --port=5301 \
		--listen-address=127.0.0.53 --bind-interfaces --host-record=web.test,127.0.0.11,1 --host-record=web.test,127.0.0.12,1 >"$DIR/dns.log" 2>&1
	DNS=$SPAWNED
}

conf() # COMBINE SOURCES...
{
	{
		cat <<-END
			instance: $INSTANCE
			cgroup: $CG
			registries:
			  - { name: old, type: dns, servers: ["127.0.0.53:5301"], timeout: 500ms }
			  - { name: new, type: etcd, servers: ["$LISTEN"], timeout: 500ms }
			services:
			  - name: web
			    address: "10.96.0.2:80"
			    balance: round-robin
			    combine: $1
			    discover:
		END
		shift
		printf '      - %s\n' "$@"
	} | replace "$DIR/weft.yaml"
}

OLD='{ registry: old, name: web.test, port: 80 }' NEW='{ registry: new, prefix: /web/ }'
web_is() { endpoints_are web "$@"; }
source_is() { [ "$(weft source list -o json | jq -r ".sources[] | select(.registry == \"$1\") | .state")" = "$2" ]; }

echo_start 127.0.0.11:80 127.0.0.12:80 127.0.0.21:80 127.0.0.22:80
spawn_in "$PLACE" etcd --data-dir "$DIR/data" --listen-client-urls http://$LISTEN --advertise-client-urls http://$LISTEN \
	--listen-peer-urls $PEER --initial-advertise-peer-urls $PEER --initial-cluster default=$PEER >"$DIR/etcd.log" 2>&1
ETCD=$SPAWNED
must 20 "etcd answers" ctl endpoint health
dns_start
conf union "$OLD"
start_agent
must 10 "the old registry" web_is 127.0.0.11:80 127.0.0.12:80

in_cgroup "$O/tests/tools/connector" --to 10.96.0.2:80 --seconds 12 --threads 4 --json >"$DIR/load.json" &
LOAD=$!
conf union "$OLD" "$NEW"
must 5 "the new registry is asked, and has nothing yet" source_is new ok
web_is 127.0.0.11:80 127.0.0.12:80 || fail "a source that has nothing took endpoints away"
ctl put /web/a 127.0.0.21:80 >/dev/null
ctl put /web/b 127.0.0.22:80 >/dev/null
must 5 "both at once" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.21:80 127.0.0.22:80
conf first "$NEW" "$OLD"
must 5 "the new one first" web_is 127.0.0.21:80 127.0.0.22:80
kill -9 "$ETCD"
must 5 "the new registry fails" source_is new failing
web_is 127.0.0.21:80 127.0.0.22:80 || fail "a registry that is gone took endpoints away"
kill -9 "$DNS"
kept() { ! grep -q 127.0.0.11 "/run/weft/$INSTANCE.found/sources.yaml"; }
must 5 "what was found is kept on file" kept
stop_agent KILL
start_agent
web_is 127.0.0.21:80 127.0.0.22:80 || fail "an agent that starts without registries took endpoints away"
conf union "$NEW"
must 5 "the old one is no longer asked" eval '[ "$(weft source list -o json | jq ".sources | length")" = 1 ]'
web_is 127.0.0.21:80 127.0.0.22:80 || fail "the end of the old source took endpoints away"
wait $LOAD || true
assert_eq "$(jq .failed "$DIR/load.json")" 0 "connects that failed"
jq -r '"FIGURES: \(.ok) connects while the service moved from one registry to the other, \(.failed) failed; \(.answered | to_entries | map("\(.key) \(.value)") | join(", "))"' "$DIR/load.json"

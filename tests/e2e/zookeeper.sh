#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# ZooKeeper as a registry, with ZooKeeper itself: what its own command line writes, as Nerve and Finagle would, is where connects land; and what is
# registered is there as Nerve writes it, goes, and stays while the agent is exchanged.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/fakes/zookeeper.sh"

conf()
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: zk, type: zookeeper, servers: ["$SERVER"], session-timeout: 4s, backoff-max: 1s }
		services:
		  - name: web
		    address: "10.96.0.2:80"
		    balance: round-robin
		    discover: { registry: zk, path: /services/web }
		  - { name: set, address: "10.96.0.3:80", discover: { registry: zk, path: /sets/web, decode: serverset, endpoint-name: http } }
		  - { name: first, address: "10.96.0.4:80", discover: { registry: zk, path: /services/web, leader-election: true } }
		  - { name: own, address: "10.96.0.5:80", discover: { registry: zk, path: /own/service } }
		register:
		  - name: own
		    registry: zk
		    path: /own/service
		    id: i-1
		    address: 127.0.0.11:80
		    ${1:-weight: 5}
		    labels: [az=a]
		    haproxy-server-options: backup
		    health-check: { type: tcp, interval: 200ms, timeout: 100ms, rise: 1, fall: 2 }
		  - { name: encoded, registry: zk, path: /own/encoded, id: i-1, address: "127.0.0.11:80", path-encoding: true }
		  - { name: kept, registry: zk, path: /own/kept, id: i-1, address: "127.0.0.11:80", node-type: persistent_sequential, ttl: 1s }
	END
}

web_is() { endpoints_are web "$@"; }
node() { echo "{\"host\":\"$1\",\"port\":$2,\"name\":\"${3:-n}\"}"; }

# The body in Nerve's order; ephemeral; the name with ZooKeeper's number.
own_is() # BODY, or nothing
{
	local at

	at=$(children /own/service)
	if [ -z "$1" ]; then
		[ -z "$at" ]
	else
		[[ $at =~ ^i-1_[0-9]{10}$ ]] && [ "$(content "/own/service/$at")" = "$1" ]
	fi
}

echo_start 127.0.0.11:80 127.0.0.12:80
ECHO=$SPAWNED
server_start
cli_start
conf
start_agent

echo "-- as Nerve writes it"
made create /services '""'
made create /services/web '""'
made create -e -s /services/web/i-a_ "$(node 127.0.0.11 80 i-a)"
must 5 "the first endpoint" web_is 127.0.0.11:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 4" "one endpoint"
made create -e -s /services/web/i-b_ "$(node 127.0.0.12 80 i-b)"
must 5 "two endpoints" web_is 127.0.0.11:80 127.0.0.12:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 2 127.0.0.12:80 2" "two endpoints"
endpoints_are first 127.0.0.11:80 || fail "the leader is the one that came first"

echo "-- named by their own content (use_path_encoding)"
text=$(node 127.0.0.13 80 i-c | base64 -w0 | tr '+/' '-_')
made create -e -s "/services/web/base64_${#text}_${text}_" '""'
must 5 "the encoded one" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80
zk delete "$NODE"
must 5 "and gone" web_is 127.0.0.11:80 127.0.0.12:80

echo "-- written to, garbage beside, and gone"
made create /services/web/x "$(node 127.0.0.14 80)"
zk set /services/web/x "$(node 127.0.0.15 80)"
must 5 "the new content" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.15:80
made create /services/web/bad not-json
zk set /services/web/x "$(node 127.0.0.16 80)"
must 5 "garbage beside" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.16:80
zk delete /services/web/bad
zk delete /services/web/x
must 5 "gone" web_is 127.0.0.11:80 127.0.0.12:80

echo "-- what the parent holds"
zk set /services/web '{"haproxy":{"mode":"http"},"weft":{"port":81}}'
must 5 "another port" web_is 127.0.0.11:81 127.0.0.12:81
zk set /services/web '""'
must 5 "and back" web_is 127.0.0.11:80 127.0.0.12:80

echo "-- Finagle's serversets"
made create /sets '""'
made create /sets/web '""'
made create /sets/web/member_ '{"serviceEndpoint":{"host":"127.0.0.9","port":1},"additionalEndpoints":{"http":{"host":"127.0.0.12","port":80}},"status":"ALIVE","shard":3}'
must 5 "the member" endpoints_are set 127.0.0.12:80
zk set /sets/web/member_ '{"serviceEndpoint":{"host":"127.0.0.9","port":1},"additionalEndpoints":{"http":{"host":"127.0.0.11","port":80}},"status":"ALIVE"}'
must 5 "the member elsewhere" endpoints_are set 127.0.0.11:80

echo "-- from a write until it is in the kernel"
made create /services/web/p "$(node 127.0.0.11 1000)"
for i in $(seq "${WRITES:-40}"); do
	port=$((1000 + i))
	zk set /services/web/p "$(node 127.0.0.11 $port)"
	written=${EPOCHREALTIME/[.,]/}
	until grep -q ":$port " <<<"$(weft endpoint list web)"; do
		[ $((${EPOCHREALTIME/[.,]/} - written)) -lt 5000000 ] || fail "port $port is not seen"
	done
	echo $(((${EPOCHREALTIME/[.,]/} - written) / 1000))
done >"$DIR/times"
sort -n "$DIR/times" | awk '{ v[NR] = $1 } END { printf "FIGURES: zookeeper: set returned to seen in the command line: p50 %d ms, p99 %d ms of %d\n", v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.5)], NR }'
zk delete /services/web/p

echo "-- registered as Nerve does"
OWN='{"host":"127.0.0.11","port":80,"name":"i-1","weight":5,"haproxy_server_options":"backup","labels":{"az":"a"}}'
must 10 "the node" own_is "$OWN"
must 5 "it is found" endpoints_are own 127.0.0.11:80
zk stat "/own/service/$(children /own/service)"
assert_match "$SAID" "ephemeralOwner = 0x[1-9a-f]" "it is ephemeral"
assert_match "$(children /own/encoded)" '^base64_[0-9]+_[A-Za-z0-9_-]+=*_[0-9]{10}$' "the encoded name"
kept=$(children /own/kept)
zk stat "/own/kept/$kept"
assert_match "$SAID" "ephemeralOwner = 0x0" "it persists"
version() { zk stat "/own/kept/$kept"; sed -n 's/dataVersion = //p' <<<"$SAID"; }
before=$(version)
renewed() { [ "$(version)" -gt "$before" ]; }
must 5 "it is written again and again" renewed

echo "-- deleted by somebody"
zk delete "/own/service/$(children /own/service)"
must 5 "it is made again" own_is "$OWN"

echo "-- down and up"
kill "$ECHO"
must 10 "what is down is taken back" own_is ""
echo_start 127.0.0.11:80 127.0.0.12:80
must 10 "and made again" own_is "$OWN"

echo "-- with another weight: never away"
printf 'registries:\n  - {name: zk, type: zookeeper, servers: ["%s"]}\nservices:\n  - {name: own, address: "10.0.0.1:80", discover: {registry: zk, path: /own/service}}\n' \
	$SERVER >"$DIR/look.yaml"
(in_ns "$PLACE" "$WEFT" discover -c "$DIR/look.yaml" own --watch >"$DIR/look.out" 2>"$DIR/look.log") &
LOOK=$!
found() { grep -q '"weight":5' "$DIR/look.out"; }
must 10 "an onlooker sees it" found
conf "weight: 6"
must 10 "the new weight" own_is "${OWN/:5/:6}"

echo "-- the agent is exchanged, stopped, and killed for good"
stop_agent KILL
start_agent
must 10 "one node, not two" own_is "${OWN/:5/:6}"
assert_eq "$(children /own/kept)" "$kept" "what persists is used again"
stop_agent
start_agent
must 10 "one node after a stop" own_is "${OWN/:5/:6}"
sed -n '/"weight":5/,$p' "$DIR/look.out" >"$DIR/look.seen"
! grep -q '"endpoints":\[\]\|"held"' "$DIR/look.seen" || fail "it was away for a moment: $(cat "$DIR/look.seen")"
kill $LOOK
endpoints_are web 127.0.0.11:80 127.0.0.12:80 || fail "endpoints were lost with the agent"
stop_agent KILL
must 15 "the session runs out" own_is ""

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Consul as a registry: what is written there is where connects land, and what is registered stays while the agent is exchanged. With a
# fake (tests/fakes/consul.py), or a real one: WEFT_TEST_CONSUL=http://HOST:PORT.
. "$(dirname "$0")/lib.sh"
for tool in python3 curl jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
. "$TOP/tests/fakes/consul.sh"

REGISTER=
conf()
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: consul, type: consul, servers: [$SERVER], token-file: $DIR/token, timeout: 500ms, wait: 2s, backoff-max: 1s }
		services:
		  - name: web
		    protocol: tcp
		    address: "10.96.0.2:80"
		    balance: round-robin
		    discover: [{ registry: consul, service: $NODE-web }]
		  - name: all
		    protocol: tcp
		    address: "10.96.0.3:80"
		    discover: [{ registry: consul, service: $NODE-all, health: any, tags: [a], filter: ["color=blue"], empty: clear }]
		  - name: warned
		    protocol: tcp
		    address: "10.96.0.4:80"
		    discover: [{ registry: consul, service: $NODE-all, health: warning, expression: "Service.Meta.color == \"blue\"", port: 81 }]
		  - { name: seen, protocol: tcp, address: "10.96.0.5:80", discover: [{ registry: consul, service: $NODE-seen }] }
		$REGISTER
	END
}

now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
web_is() { endpoints_are web "$@"; }
state_of() { weft endpoint list "$1" -o json | jq -r --arg e "$2" '.[] | select(.endpoint == $e) | "\(.state) \(.weight)"'; }
state_is() { [ "$(state_of "$1" "$2")" = "$3" ]; }

echo_start 127.0.0.11:80 127.0.0.12:80

server_start
conf
start_agent

echo "-- from a write until it is seen"
put "$NODE-seen" one 127.0.0.11 80
in_ns "$PLACE" python3 "$TOP/tests/fakes/consul-latency.py" "http://$SERVER" "$DIR/token" "$NODE" "$NODE-seen" "${WRITES:-100}" \
	"$WEFT" discover -c "$DIR/weft.yaml" --watch seen >"$DIR/latency" 2>"$DIR/discover.log" ||
	fail "weft discover --watch: $(tail -n 3 "$DIR/discover.log")"
cat "$DIR/latency"

echo "-- what is written is where connects land"
put "$NODE-web" w1 127.0.0.11 80
must 10 "what is written is seen" web_is 127.0.0.11:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 4" "one instance"
put "$NODE-web" w2 127.0.0.12 80
must 5 "the second instance" web_is 127.0.0.11:80 127.0.0.12:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 2 127.0.0.12:80 2" "two instances"
put "$NODE-web" w2 127.0.0.12 80 critical
must 5 "a critical one is left out" web_is 127.0.0.11:80
put "$NODE-web" w2 127.0.0.12 80
must 5 "and comes back" web_is 127.0.0.11:80 127.0.0.12:80
drop w2
must 5 "and goes" web_is 127.0.0.11:80
put "$NODE-web" w2 127.0.0.12 80
must 5 "two again" web_is 127.0.0.11:80 127.0.0.12:80
KEPT="127.0.0.11:80 127.0.0.12:80"

echo "-- health, weights, tags, labels, filters"
BLUE='"Tags": ["a"], "Meta": {"color": "blue", "zone": "z"}, "Weights": {"Passing": 5, "Warning": 2}'
put "$NODE-all" a1 127.0.0.11 80 passing "$BLUE"
put "$NODE-all" a2 127.0.0.12 80 warning "$BLUE"
put "$NODE-all" a3 127.0.0.13 80 critical "$BLUE"
put "$NODE-all" a4 127.0.0.14 80 passing '"Tags": ["a"], "Meta": {"color": "red"}'
put "$NODE-all" a5 127.0.0.15 80 passing '"Meta": {"color": "blue"}'
must 5 "health: any" endpoints_are all 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80
must 5 "the weight of those that pass" state_is all 127.0.0.11:80 "ready 5"
must 5 "the weight of those with a warning" state_is all 127.0.0.12:80 "ready 2"
must 5 "those that are critical take no connections" state_is all 127.0.0.13:80 "not-ready 5"
must 5 "health: warning, with an expression and another port" endpoints_are warned 127.0.0.11:81 127.0.0.12:81 127.0.0.15:81
drop a1; drop a2; drop a3
must 5 "empty: clear" endpoints_are all
drop a4; drop a5

echo "-- registering"
touch "$DIR/up"
printf '#!/bin/sh\n[ -e %s/up ]\n' "$DIR" >"$DIR/probe"
chmod +x "$DIR/probe"
register()
{
	REGISTER=$(printf '%s\n' "register:" "  - { name: own, registry: consul, service: $NODE-own, address: \"127.0.0.14:81\", weight: 3, ttl: 10s," \
		"      labels: [\"color=green\"], tags: [t], health-check: { type: exec, command: [$DIR/probe], interval: 100ms, rise: 1, fall: 2 } }")
}
own() { ask GET "/v1/health/service/$NODE-own" | jq -r '.[] | "\(.Service.ID) \(.Service.Address):\(.Service.Port) \(.Service.Weights.Passing) \(.Service.Meta.color) \(.Service.Tags[0]) \([.Checks[] | select(.CheckID | startswith("service:")) | .Status] | join(" "))"'; }
own_is() { [ "$(own)" = "$1" ]; }
UP="$NODE-own-127.0.0.14-81 127.0.0.14:81 3 green t passing"
register
conf
must 10 "it is registered" own_is "$UP"
rm "$DIR/up"
must 10 "it fails its check" own_is "${UP%passing}critical"
touch "$DIR/up"
must 15 "it passes again" own_is "$UP"
# An agent that ends and starts anew leaves no gap: nobody ever reads that it is not there, or critical.
watch_own()
{
	while [ ! -e "$DIR/watched" ]; do
		echo "$(now) $(own)" >>"$DIR/own.seen" || echo refused >>"$DIR/own.seen"
	done
}
watch_own &
watcher=$!
stop_agent
start_agent
sleep 1
kill -9 "$AGENT"
wait_for 5 gone "$AGENT"
start_agent
kept_alive() { [ -n "$REAL" ] || [ "$(stat updates)" -ge $((updates + 1)) ]; }
updates=$([ -n "$REAL" ] || stat updates)
must 10 "the new agent keeps it alive" kept_alive
touch "$DIR/watched"
wait $watcher
assert_eq "$(cut -d' ' -f2- "$DIR/own.seen" | sort -u)" "$UP" "what was seen of it in $(wc -l <"$DIR/own.seen") looks while the agent was exchanged twice"
web_is $KEPT || fail "what was found before the agent started is not there: $(weft endpoint list web -o json)"
if [ -z "$REAL" ]; then
	assert_eq "$(stat deregisters)" 0 "it was never taken out"
	control /forget >/dev/null
	must 5 "an agent of Consul that forgot it is told again" own_is "$UP"
	mode '{"old": true}'
	control /forget >/dev/null
	must 5 "an old one, too" own_is "$UP"
	mode '{"old": false}'
fi
REGISTER=
conf
must 10 "what is no longer to be registered is taken out" own_is ""

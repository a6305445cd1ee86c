#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Eureka as a registry: what is registered there is where connects land; and what we register is there as Netflix' client would have it, goes down and up,
# and stays while the agent is exchanged. With the fake, or a real one (WEFT_TEST_EUREKA).
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/fakes/eureka.sh"

conf()
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		zone: z1
		registries:
		  - { name: eureka, type: eureka, servers: ["http://$SERVER$BASE"], refresh: 100ms, timeout: 2s, backoff-max: 1s }
		services:
		  - name: web
		    address: "10.96.0.2:80"
		    balance: round-robin
		    discover: { registry: eureka, application: ${APP,,}-web }
		  - { name: vip, address: "10.96.0.3:80", discover: { registry: eureka, vip: ${APP,,}-web.vip, filter: ["az=a"] } }
		  - { name: own, address: "10.96.0.4:80", discover: { registry: eureka, application: $APP-OWN } }
		register:
		  - name: own
		    registry: eureka
		    application: $APP-OWN
		    address: 127.0.0.11:80
		    ttl: ${2:-3s}
		    weight: ${1:-5}
		    labels: [az=a]
		    health-check: { type: tcp, interval: 200ms, timeout: 100ms, rise: 1, fall: 2 }
	END
}

web_is() { endpoints_are web "$@"; }
own() { ask GET "/apps/$APP-OWN" | jq -r ".application.instance | if type == \"array\" then .[] else . end | $1"; }
own_says() { [ "$(own "$1" 2>/dev/null)" = "$2" ]; }

echo_start 127.0.0.11:80 127.0.0.12:80
ECHO=$SPAWNED
server_start
conf
start_agent

echo "-- instances come, change and go"
put "$APP-WEB" a 127.0.0.11 80
must 5 "the first instance" web_is 127.0.0.11:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 4" "one instance"
put "$APP-WEB" b 127.0.0.12 80 UP '"metadata": {"az": "a", "weight": "7", "zone": "z1"}'
must 5 "two instances" web_is 127.0.0.11:80 127.0.0.12:80
must 5 "one of them by its label" endpoints_are vip 127.0.0.12:80
list=$(weft endpoint list web -o json)
assert_eq "$(jq -r '[.[] | "\(.endpoint) \(.weight)"] | join(" ")' <<<"$list")" "127.0.0.11:80 1 127.0.0.12:80 7" "weights"
put "$APP-WEB" a 127.0.0.11 80 OUT_OF_SERVICE
only_b() { [ "$(spread 10.96.0.2:80 4)" = "127.0.0.12:80 4" ]; }
must 5 "out of service gets no connects" only_b
put "$APP-WEB" a 127.0.0.11 80 DOWN
must 5 "down is not listed" web_is 127.0.0.12:80
put "$APP-WEB" a 127.0.0.13 81
must 5 "up again, elsewhere" web_is 127.0.0.12:80 127.0.0.13:81
drop "$APP-WEB" a
must 5 "gone" web_is 127.0.0.12:80

echo "-- from a write until a connect lands there"
drop "$APP-WEB" b
in_cgroup python3 "$TOP/tests/fakes/eureka-latency.py" "http://$SERVER$BASE" "$APP-WEB" 10.96.0.2:80 127.0.0.11:80 127.0.0.12:80 "${WRITES:-30}" ||
	fail "from a write until a connect"
put "$APP-WEB" b 127.0.0.12 80
drop "$APP-WEB" moving
must 5 "the former one" web_is 127.0.0.12:80

echo "-- registered as Netflix' client does"
must 10 "the instance" own_says .status UP
assert_eq "$(own '"\(.ipAddr) \(.port["$"]) \(.metadata.az) \(.metadata.weight) \(.metadata.zone) \(.dataCenterInfo.name) \(.leaseInfo.durationInSecs)"')" \
	"127.0.0.11 80 a 5 z1 MyOwn 3" "what it says"
must 5 "it is found" endpoints_are own 127.0.0.11:80

echo "-- taken out by somebody, and lost by the server"
ask DELETE "/apps/$APP-OWN/$(own .instanceId)" >"$DIR/out"
must 10 "it is registered again" own_says .status UP

echo "-- down and up"
kill "$ECHO"
must 10 "it is down" own_says .status DOWN
echo_start 127.0.0.11:80 127.0.0.12:80
must 10 "and up" own_says .status UP

echo "-- with another weight; the agent is exchanged, stopped, and killed for good"
(while sleep 0.05; do saw=$(own .status 2>&1 || true); [ "$saw" = UP ] || echo "gap: $saw"; done) >"$DIR/gaps" 2>&1 &
WATCHER=$!
disown
conf 6 10s # an agent on a busy machine may need seconds to begin
must 10 "the new weight" own_says .metadata.weight 6
stop_agent KILL
start_agent
must 5 "what was known" web_is 127.0.0.12:80
stop_agent
start_agent
if [ -z "$REAL" ]; then
	beats() { in_ns "$PLACE" curl -sf -m 5 "http://$CONTROL/stats" | jq '."PUT instance"'; }
	more_beats() { (($(beats) > before + 1)); }
	before=$(beats)
	must 15 "heartbeats" more_beats
else
	sleep 21 # twice the lease
fi
kill $WATCHER
gaps=$(grep -c gap "$DIR/gaps" || true)
[ "$gaps" = 0 ] || fail "it was away for $gaps looks while the agent was exchanged: $(head -n 3 "$DIR/gaps")"
conf 6 1s
must 10 "a shorter lease" own_says .leaseInfo.durationInSecs 1
stop_agent KILL
lost() { ! own .status >/dev/null 2>&1; }
must 15 "the lease runs out" lost

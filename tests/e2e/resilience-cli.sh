#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What the operator sees and does: events of ejection and return in log, list and stream; a breaker that opens, recovers, and is held by
# hand with and without an agent; ejection by success rate; the metrics of all of it.
. "$(dirname "$0")/lib.sh"

# A server that accepts and resets before the first byte as often as its file says: "N of 10".
flaky_start() # ADDRESS PORT FILE
{
	cat >"$DIR/flaky.py" <<'END'
import socket, struct, sys
address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((address, port))
s.listen(512)
print("ready", flush=True)
n = 0
while True:
    c, _ = s.accept()
    n += 1
    if n % 10 < int(open(path).read()):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        c.sendall(f"{address}:{port}\n".encode())
    c.close()
END
	spawn_in "$PLACE" python3 "$DIR/flaky.py" "$@" >"$DIR/flaky.out"
	must 10 "the flaky server is up" grep -q ready "$DIR/flaky.out"
}

echo_start 127.0.0.{1,2,3,4,5}:80 127.0.0.1:81
echo 0 >"$DIR/resets"
flaky_start 127.0.0.6 80 "$DIR/resets"
{
	service web tcp 10.96.0.1:80 round-robin 127.0.0.1:80 127.0.0.9:80
	printf '    failover: off\n    ejection: { consecutive-failures: 3, base-time: 1500ms, max-ejected-percent: 50 }\n'
	service guarded tcp 10.96.0.2:80 random 127.0.0.9:80 127.0.0.9:81
	printf '    failover: off\n    ejection: off\n    breaker: { error-percent: 50, min-connects: 10, sleep-window: 1s }\n'
	service rated tcp 10.96.0.3:80 round-robin 127.0.0.{1,2,3,4,5,6}:80
	printf '    ejection: { consecutive-failures: off, base-time: 20s, interval: 1s, success-rate: { min-endpoints: 5, min-connects: 20, stdev-factor: 1.9 } }\n'
	service plain tcp 10.96.0.4:80 random 127.0.0.1:81
} | config
start_agent

events() { weft events -o json | jq -r "$1"; }
field() { weft service show "$1" -o json | jq -r ".$2"; }

# -- ejected by the kernel, told, and back in time though nobody connects
"$WEFT" events -f --instance "$INSTANCE" >"$DIR/stream" &
FOLLOWER=$!
connects 10.96.0.1:80 12 >/dev/null
must 5 "the ejection is told" test "$(events '[.[] | select(.service == "web" and .type == "ejected")] | length')" -ge 1
assert_eq "$(events '[.[] | select(.service == "web" and .type == "ejected")][0] | "\(.endpoint) \(.cause) \(.ejections)"')" \
	"127.0.0.9:80 refused 1" "the event"
assert_eq "$(weft endpoint list web -o json | jq -r '.[] | select(.endpoint == "127.0.0.9:80").state')" ejected "the state"
assert_match "$(weft explain 10.96.0.1:80)" "ejected for .* more: it refused connections \(1 in a row" "explain"
returned() { [ "$(events '[.[] | select(.service == "web" and .type == "returned")] | length')" -ge 1 ]; }
must 6 "it returns without a connect" returned
assert_eq "$(weft endpoint list web -o json | jq -r '[.[].state] | unique | join(" ")')" ready "both are ready again"
late=$(events '([.[] | select(.service == "web" and .type == "returned")][0].time_unix) -
	([.[] | select(.service == "web" and .type == "ejected")][0].until_unix)')
echo "returned $late s after its time"
assert_match "$(grep -c "endpoint 127.0.0.9:80 of service web was ejected for 1.5 s: it refused connections (1st time in a row)" \
	"$DIR/agent.log")" '^[1-9]' "the line of the log"
must 5 "the stream has it" grep -q "endpoint 127.0.0.9:80 of service web takes connections again" "$DIR/stream"
kill "$FOLLOWER"
wait "$FOLLOWER" 2>/dev/null || true

# -- the breaker opens, tries, and closes
connects 10.96.0.2:80 12 >/dev/null
assert_eq "$(field guarded breaker)" open "the breaker after 12 failures"
assert_match "$(weft service show guarded)" "breaker: +open since" "service show says so"
echo_start2() { spawn_in "$PLACE" "$O/tests/tools/echo" 127.0.0.9:80 127.0.0.9:81 >"$DIR/echo2.out" 2>"$DIR/echo2.log"; }
echo_start2
must 10 "the dead endpoints live" grep -q ready "$DIR/echo2.out"
closes() { connects 10.96.0.2:80 1 >/dev/null; [ "$(field guarded breaker)" = closed ]; }
must 10 "the breaker closes" closes
told() { [ "$(events '[.[] | select(.service == "guarded").type] | unique | join(" ")')" = "breaker-closed breaker-half-open breaker-open" ]; }
must 5 "the breaker's events are told" told
assert_eq "$(failures 10.96.0.2:80 20)" 0 "connects after it closed"

# -- by hand, with an agent and without
weft service breaker plain open >/dev/null
assert_eq "$(failures 10.96.0.4:80 10)" 10 "connects while it is held open"
assert_match "$(weft explain 10.96.0.4:80)" "the operator holds the breaker open" "explain while it is held open"
page=$(metrics)
assert_match "$page" 'weft_service_breaker\{service="plain",state="forced-open"\} 1' "the metric of a held breaker"
weft service breaker plain auto >/dev/null
assert_eq "$(failures 10.96.0.4:80 10)" 0 "connects after auto"
! weft service breaker plan open 2>"$DIR/err" || fail "a service that is not there was held"
assert_match "$(cat "$DIR/err")" 'there is no service "plan"; did you mean "plain"' "a typing mistake"

# -- success rate: one of six resets half of what it accepts
echo 5 >"$DIR/resets"
outlier() { connects 10.96.0.3:80 300 >/dev/null; events '.[] | select(.cause == "success-rate").endpoint' | grep -q 127.0.0.6:80; }
must 15 "the flaky endpoint is ejected by its success rate" outlier
assert_eq "$(events '[.[] | select(.cause == "success-rate").endpoint] | unique | join(" ")')" 127.0.0.6:80 "nobody else is"
assert_match "$(metrics)" 'weft_ejections_total\{service="rated",cause="success-rate"\} 1' "the metric of its ejection"
assert_eq "$(spread 10.96.0.3:80 100)" "127.0.0.1:80 20 127.0.0.2:80 20 127.0.0.3:80 20 127.0.0.4:80 20 127.0.0.5:80 20" "the others share"
if command -v promtool >/dev/null; then
	metrics | promtool check metrics || fail "promtool"
fi
weft status >"$DIR/status"
assert_match "$(cat "$DIR/status")" "ejected: +[1-9]" "status tells of ejected endpoints"

# -- all of the kernel's part without an agent; what happened meanwhile is told by the next one
stop_agent KILL
weft service breaker plain open >/dev/null
assert_eq "$(failures 10.96.0.4:80 10)" 10 "held open without an agent"
! weft events 2>"$DIR/err" || fail "events without an agent"
assert_match "$(cat "$DIR/err")" "no agent answers at .*; events are read by the agent" "events without an agent"
weft service breaker plain closed -o json | jq -e '.forced == "closed"' >/dev/null || fail "-o json of service breaker"
start_agent
assert_eq "$(field plain breaker_forced)" closed "the operator's hand stays over a restart"
weft service breaker plain auto >/dev/null
weft check >/dev/null || fail "the counters drifted: $(weft check)"

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Whatever goes wrong with Consul takes no endpoint away, is said once, costs no CPU, and is over soon after it is over. With the fake.
. "$(dirname "$0")/lib.sh"
for tool in python3 curl jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
. "$TOP/tests/fakes/consul.sh"
. "$TOP/tests/fakes/faults.sh"

[ -z "$REAL" ] || skip "only a fake fails as it is told"
export WEFT_LOG=debug # of many failures in a row some are said there only

conf() # SERVERS WAIT
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: consul, type: consul, servers: [$1], token-file: $DIR/token, timeout: 500ms, wait: $2, backoff-max: 1s }
		services:
		  - { name: fixed, protocol: tcp, address: "10.96.0.1:80", endpoints: ["127.0.0.21:80"] }
		  - { name: web, protocol: tcp, address: "10.96.0.2:80", discover: [{ registry: consul, service: $NODE-web }] }
		  - { name: other, protocol: tcp, address: "10.96.0.3:80", discover: [{ registry: consul, service: $NODE-other }] }
	END
}


# After what was wrong is over: how long until a new instance is seen.
recovers() # WHAT
{
	local start

	start=$(now)
	put "$NODE-web" extra 127.0.0.13 80
	must 10 "$1: a write is seen again" web_is $KEPT 127.0.0.13:80
	echo "FIGURES: consul: $1: endpoints stayed, $CPU, a write was seen $(($(now) - start)) ms after it was over"
	drop extra
	must 10 "$1: the next write is seen, too" web_is $KEPT
}

echo_start 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.21:80
KEPT="127.0.0.11:80 127.0.0.12:80"

echo "-- the server is down when the agent starts"
conf $SERVER 1s
start_agent
assert_eq "$(failures 10.96.0.1:80 5)" 0 "a service of the file while Consul is down"
must 5 "the log says what is wrong" grep -q "registry consul: http://$SERVER cannot be connected to; keeping what is known" "$DIR/agent.log"
sleep 1.5 # pauses between tries are as long as they get
server_start
start=$(now)
put "$NODE-web" w1 127.0.0.11 80
put "$NODE-web" w2 127.0.0.12 80
put "$NODE-other" o1 127.0.0.11 80
must 10 "what is written is seen" web_is $KEPT
echo "FIGURES: consul: down at start: found $(($(now) - start)) ms after it was up and written to, pauses being 1 s at most"

echo "-- killed in mid-watch, and begun again with its data"
server_kill
holds 1 "killed"
must 15 "what was found is on file" grep -q 127.0.0.12 "/run/weft/$INSTANCE.found/sources.yaml"
stop_agent KILL
start_agent
holds 1 "an agent that starts while it is down"
server_start
recovers "killed in mid-watch"

echo "-- frozen"
before=$(log_lines "does not answer in time")
kill -STOP "$FAKE"
holds 3 "frozen"
(($(log_lines "does not answer in time") > before)) || fail "the log does not say that it is frozen"
kill -CONT "$FAKE"
recovers "frozen (SIGSTOP)"

echo "-- begun again without its data"
server_kill
rm -f "$DIR/consul.state"
server_start
must 5 "the log says that nothing is there any more" grep -q "has no endpoint for service web any more" "$DIR/agent.log"
holds 2 "begun again empty"
start=$(now)
put "$NODE-web" w9 127.0.0.13 80
must 10 "what is written then counts" web_is 127.0.0.13:80
echo "FIGURES: consul: begun again empty: endpoints stayed, $CPU, a write was seen after $(($(now) - start)) ms"

echo "-- begun again with other data"
put "$NODE-web" w1 127.0.0.11 80
put "$NODE-web" w2 127.0.0.12 80
drop w9
must 5 "two" web_is $KEPT
server_kill
sed 's/127.0.0.12/127.0.0.13/' "$DIR/consul.state" | replace "$DIR/consul.state"
start=$(now)
server_start
must 10 "the other data" web_is 127.0.0.11:80 127.0.0.13:80
echo "FIGURES: consul: begun again with other data: seen $(($(now) - start)) ms after it was begun"
put "$NODE-web" w2 127.0.0.12 80
must 5 "two as before" web_is $KEPT

echo "-- what it says makes no sense, or it refuses"
faulty() # WHAT MODE THE-SAME-OFF [SECONDS] [IN THE LOG]
{
	local before

	before=$([ -z "${5:-}" ] || log_lines "$5")
	mode "$2"
	control /touch >/dev/null
	said() { [ "$(log_lines "$2")" -gt "$1" ]; }
	[ -z "${5:-}" ] || must 5 "$1: the log says '$5'" said "$before" "$5"
	holds "${4:-1}" "$1"
	[ -z "${5:-}" ] || (($(log_lines "$5") == before + 1)) || fail "$1: the log should say once '$5', not $(($(log_lines "$5") - before)) times"
	mode "$3"
	recovers "$1"
}
faulty "garbage" '{"garbage": "<html>nonsense"}' '{"garbage": ""}' 1 "service web: its answer makes no sense: this is no JSON"
faulty "cut in mid body" '{"cut_after": 100}' '{"cut_after": 0}' 1
faulty "slow" '{"slow": 200}' '{"slow": 0}' 2
faulty "status 403" '{"status": 403}' '{"status": 0}' 1 "service web: refused with status 403: Permission denied"
faulty "status 429" '{"status": 429}' '{"status": 0}' 1 "registry consul: http://$SERVER: status 429: rate limit exceeded"
faulty "status 500" '{"status": 500}' '{"status": 0}' 1 "registry consul: http://$SERVER: status 500: No cluster leader"
faulty "a token that may not see" '{"filtered": true}' '{"filtered": false}' 1 "service web: the token may not read the service"
before=$(stat queries)
faulty "an index that goes backwards" '{"backwards": true}' '{"backwards": false}' 2
faulty "an index of 0" '{"zero": true}' '{"zero": false}' 1
faulty "no index" '{"no_index": true}' '{"no_index": false}' 1
faulty "nothing waits" '{"no_wait": true}' '{"no_wait": false}' 1
(($(stat queries) - before < 250)) || fail "$(($(stat queries) - before)) questions in some seconds of indexes that make no sense"
before=$(stat queries)
faulty "an index that never rests" '{"fast": true}' '{"fast": false}' 2
(($(stat queries) - before < 250)) || fail "$(($(stat queries) - before)) questions in two seconds of an index that never rests"

echo "-- the token is exchanged"
control /token '{"token": "fresh"}' >/dev/null
control /touch >/dev/null
holds 1 "revoked"
must 5 "the log says so" grep -q "refused with status 403: ACL not found" "$DIR/agent.log"
echo fresh | replace "$DIR/token"
recovers "a revoked token, until the file has another"

echo "-- the first of two servers freezes, dies, and comes back"
FIRST=$FAKE SECOND_SERVER=127.0.0.32:8500
cp "$DIR/consul.state" "$DIR/second.state"
spawn_in "$PLACE" python3 "$TOP/tests/fakes/consul.py" --listen $SECOND_SERVER --state "$DIR/second.state" --token fresh >"$DIR/second.out" \
	2>"$DIR/second.log"
must 10 "the second server is up" grep -q ready "$DIR/second.out"
conf "$SERVER, $SECOND_SERVER" 60s
frozen() { [ "$(stat waiting)" -ge 2 ]; }
must 10 "two watches at the first server" frozen
kill -STOP "$FIRST"
start=$(now)
SERVER=$SECOND_SERVER
put "$NODE-web" extra 127.0.0.13 80
must 10 "the second server is asked instead" web_is $KEPT 127.0.0.13:80
echo "FIGURES: consul: first of two servers frozen: a write to the second was seen $(($(now) - start)) ms after; waits are 60 s, the timeout 500 ms"
drop extra
must 10 "it is watched" web_is $KEPT

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Whatever goes wrong with Eureka takes no endpoint away, costs no CPU, makes no storm, and is over soon after it is over. With the fake.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/fakes/eureka.sh"
. "$TOP/tests/fakes/faults.sh"
[ -z "$REAL" ] || skip "only a fake fails as it is told"

SERVERS="\"$SERVER\""
conf() # [MORE KEYS OF THE REGISTRY]
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: eureka, type: eureka, servers: [$SERVERS], refresh: 200ms, timeout: 500ms, backoff-max: 1s ${1:-} }
		services:
		  - { name: fixed, address: "10.96.0.1:80", endpoints: ["127.0.0.21:80"] }
		  - { name: web, address: "10.96.0.2:80", discover: { registry: eureka, application: $APP } }
		  - { name: cleared, address: "10.96.0.3:80", discover: { registry: eureka, application: $APP-2, empty: clear } }
	END
}

asked() { in_ns "$PLACE" curl -sf -m 5 "http://$CONTROL/stats" | jq ".[\"$1\"] // 0"; }

# What was wrong with a server is no reason to ask for everything from then on.
asks_for_changes() { must 5 "$1: changes are asked for, and not everything" only_changes; }
only_changes()
{
	local all changes

	all=$(asked "GET apps") changes=$(asked "GET apps/delta")
	sleep 0.7
	((all == $(asked "GET apps") && changes < $(asked "GET apps/delta")))
}
heard() { [ "$(weft source list -o json | jq -r '.sources[] | select(.service == "web") | .state')" = ok ]; }

# After what was wrong is over: how long until a new instance is seen.
recovers() # WHAT
{
	local start

	start=$(now)
	put "$APP" extra 127.0.0.13 80
	must 10 "$1: a write is seen again" web_is $KEPT 127.0.0.13:80
	echo "FIGURES: eureka: $1: endpoints stayed, $CPU, a write was seen $(($(now) - start)) ms after it was over"
	drop "$APP" extra
	must 10 "$1: the next write is seen, too" web_is $KEPT
}

# wrong MODE SECONDS WHAT: such answers for so long
wrong()
{
	echo "-- $3"
	mode "$1"
	holds "$2" "$3"
	mode "$4"
	recovers "$3"
}

echo_start 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.21:80
KEPT="127.0.0.11:80 127.0.0.12:80"

echo "-- the server is down when the agent starts"
conf
start_agent
assert_eq "$(failures 10.96.0.1:80 5)" 0 "a service of the file while Eureka is down"
must 5 "the log says what is wrong" log_has "registry eureka: http://$SERVER/eureka/v2: .*; keeping what is known"
sleep 1.5 # pauses between tries are as long as they get
server_start
start=$(now)
put "$APP" w1 127.0.0.11 80
put "$APP" w2 127.0.0.12 80
put "$APP-2" w3 127.0.0.11 80
must 10 "what is written is seen" web_is $KEPT
echo "FIGURES: eureka: down at start: found $(($(now) - start)) ms after it was up and written to, pauses being 1 s at most"

echo "-- killed, and begun again with its data"
server_kill
holds 2 "killed"
server_start
recovers "killed"

echo "-- frozen"
kill -STOP "$FAKE"
holds 2 "frozen"
kill -CONT "$FAKE"
recovers "frozen"

wrong '{"stall": true}' 2 "connections that are not answered" '{"stall": false}'
wrong '{"status": 500}' 1 "status 500" '{"status": 0}'
wrong '{"status": 403}' 1 "a server that does not serve yet (403)" '{"status": 0}'
asks_for_changes "after status 403"
wrong '{"garbage": "{\"applications\": [1, 2"}' 1 "JSON that is cut off" '{"garbage": ""}'
wrong '{"garbage": "<html>it works</html>"}' 1 "another server" '{"garbage": ""}'
wrong '{"garbage": "{}"}' 1 "JSON of something else" '{"garbage": ""}'
wrong '{"cut_after": 40}' 1 "bodies that are cut off" '{"cut_after": 0}'
wrong '{"slow": 100}' 2 "slow bodies" '{"slow": 0}'

echo "-- odd entries, and lists of one without brackets: the rest is used"
mode '{"odd": true, "single": true}'
holds 1 "odd entries"
recovers "odd entries"
mode '{"odd": false, "single": false}'

echo "-- changes are lost on the way: the hash tells"
control /lose >"$DIR/out"
kill -STOP "$AGENT"
put "$APP" lost 127.0.0.14 80
control /lose >"$DIR/out"
kill -CONT "$AGENT"
must 5 "what was lost" web_is $KEPT 127.0.0.14:80
drop "$APP" lost
must 5 "and gone" web_is $KEPT

echo "-- a hash that is never right: everything is asked for after changes, and no sooner than at the next refresh"
asks_for_changes "before a wrong hash"
mode '{"bad_hash": true}'
before=$(asked "GET apps") changes=$(asked "GET apps/delta") start=$(now)
holds 3 "a wrong hash"
after=$(asked "GET apps") took=$(($(now) - start))
((after - before >= 3)) || fail "only $((after - before)) full answers in $took ms"
((after - before <= took / 360 + 2)) || fail "$((after - before)) full answers in $took ms"
echo "FIGURES: eureka: wrong hash: $((after - before)) full answers and $(($(asked "GET apps/delta") - changes)) of changes in $took ms at refresh 200ms"
recovers "a wrong hash"
mode '{"bad_hash": false}'
asks_for_changes "after a wrong hash"

echo "-- a password is wanted, given, and changed"
control /user '{"user": "weft:first"}' >"$DIR/out"
USER_PASSWORD=weft:first
must 5 "it is said" log_has "refuses the user and password"
holds 1 "no password"
echo first >"$DIR/password"
conf ", user: weft, password-file: $DIR/password"
recovers "no password"
control /user '{"user": "weft:second"}' >"$DIR/out"
USER_PASSWORD=weft:second
holds 1 "the former password"
echo second >"$DIR/password"
recovers "the former password"

echo "-- the first of two servers is not there; then neither is"
SERVERS="\"127.0.0.31:9\", \"$SERVER\""
lines=$(log_lines "no server answers")
conf ", user: weft, password-file: $DIR/password"
must 5 "the log says which is asked" log_has "registry eureka: http://127.0.0.31:9/eureka/v2: .*; asking http://$SERVER/eureka/v2"
must 5 "it answers" heard
CPU="-"
recovers "the first of two servers"
assert_eq "$(log_lines "no server answers")" "$lines" "what the log says of all servers"
mode '{"status": 500}'
must 5 "the log says that none answers" log_has "registry eureka: no server answers; the last one, http://127.0.0.31:9/eureka/v2: .*; keeping what is known"
holds 1 "no server"
mode '{"status": 0}'
recovers "no server"
SERVERS="\"$SERVER\""
conf ", user: weft, password-file: $DIR/password"
must 5 "one server" heard

echo "-- emptied: kept, unless \"empty: clear\" is written; then other data"
control /wipe >"$DIR/out"
holds 1 "emptied"
must 5 "the other service is cleared" endpoints_are cleared
put "$APP" n 127.0.0.12 80
must 5 "other data" web_is 127.0.0.12:80
KEPT=127.0.0.12:80
holds 1 "other data"

echo "-- lists of changes are switched off"
mode '{"no_delta": true}'
must 5 "it is said" log_has "no list of changes (status 403)"
CPU="-"
recovers "no lists of changes"

echo "-- the agent starts anew without a server"
filed() { ! grep -qE "127.0.0.1[13]" "/run/weft/$INSTANCE.found/sources.yaml"; }
must 5 "only what is there now" web_is $KEPT
must 15 "what was found is on file" filed
server_kill
stop_agent KILL
start_agent
holds 1 "a new agent without a server"

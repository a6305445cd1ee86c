#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Whatever goes wrong with ZooKeeper takes no endpoint away, costs no CPU, and is over soon after it is over. With ZooKeeper itself.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/fakes/zookeeper.sh"
. "$TOP/tests/fakes/faults.sh"

conf() # [MORE KEYS OF THE REGISTRY]
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: zk, type: zookeeper, servers: ["$SERVER"], session-timeout: 2s, backoff-max: 1s ${1:-} }
		services:
		  - { name: fixed, address: "10.96.0.1:80", endpoints: ["127.0.0.21:80"] }
		  - { name: web, address: "10.96.0.2:80", discover: { registry: zk, path: /services/web } }
		  - { name: cleared, address: "10.96.0.3:80", discover: { registry: zk, path: /services/cleared, empty: clear } }
		register:
		  - { name: own, registry: zk, path: /own, id: i-1, address: "127.0.0.11:80" }
	END
}

node() { echo "{\"host\":\"$1\",\"port\":$2,\"name\":\"${3:-n}\"}"; }
own_is_one() { [[ $(children /own) =~ ^i-1_[0-9]{10}$ ]]; }

# After what was wrong is over: how long until a new instance is seen.
recovers() # WHAT
{
	local start

	start=$(now)
	cli_stop
	cli_start
	zk create /services '""'
	zk create /services/web '""'
	zk delete /services/web/extra
	made create /services/web/extra "$(node 127.0.0.13 80)"
	must 15 "$1: a write is seen again" web_is ${2-$KEPT} 127.0.0.13:80
	echo "FIGURES: zookeeper: $1: endpoints stayed, $CPU, a write was seen $(($(now) - start)) ms after it was over (the writer's start included)"
	zk delete /services/web/extra
	[ -n "${2-$KEPT}" ] || return 0
	must 5 "$1: the next write is seen, too" web_is ${2-$KEPT}
	must 10 "$1: registered, once" own_is_one
}

two() # what is written at first
{
	zk create /services '""'
	zk create /services/web '""'
	zk create /services/cleared '""'
	made create /services/web/a "$(node 127.0.0.11 80)"
	made create /services/web/b "$(node 127.0.0.12 80)"
	made create /services/cleared/a "$(node 127.0.0.11 80)"
}

echo_start 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.21:80
KEPT="127.0.0.11:80 127.0.0.12:80"

echo "-- the server is down when the agent starts"
conf
start_agent
assert_eq "$(failures 10.96.0.1:80 5)" 0 "a service of the file while ZooKeeper is down"
must 5 "the log says what is wrong" log_has "registry zk: no connection to $SERVER; keeping what is known"
server_start
start=$(now)
cli_start
two
must 10 "what is written is seen" web_is $KEPT
echo "FIGURES: zookeeper: down at start: found $(($(now) - start)) ms after it was up (the writer's start included)"
must 10 "registered" own_is_one

echo "-- killed in mid-watch, and begun again with its data, within the session and beyond it"
server_kill
holds 1 "killed"
server_start
recovers "killed for a moment"
server_kill
holds 4 "killed for long"
server_start
recovers "killed for longer than the session"

echo "-- frozen"
kill -STOP "$ZK_PID"
told() { grep -c "no connection to" "$DIR/agent.log" || true; }
before=$(told)
more_told() { [ "$(told)" -gt "$before" ]; }
must 5 "that it is frozen is noticed" more_told
holds 3 "frozen"
kill -CONT "$ZK_PID"
recovers "frozen"

echo "-- the session expires while the agent is away"
kill -STOP "$AGENT"
nothing() { [ -z "$(children /own)" ]; }
must 10 "the session is over" nothing
made create /services/web/c "$(node 127.0.0.14 80)"
kill -CONT "$AGENT"
must 10 "what was written meanwhile" web_is $KEPT 127.0.0.14:80
must 10 "registered with another session" own_is_one
zk delete /services/web/c
must 5 "as before" web_is $KEPT

echo "-- in the server's place something else"
server_kill
spawn_in "$PLACE" python3 -m http.server --bind "${SERVER%:*}" "${SERVER#*:}" >"$DIR/http.log" 2>&1
HTTP=$SPAWNED
holds 2 "garbage"
kill -9 "$HTTP"
must 5 "it is gone" gone "$HTTP"
spawn_in "$PLACE" bash -c "while :; do python3 -c '
import os, socket
s = socket.create_server((\"${SERVER%:*}\", ${SERVER#*:}))
while True:
    c, a = s.accept()
    c.recv(100)
    c.sendall(b\"\\x00\\x00\\x00\\x25\" + os.urandom(200))
    c.close()
'; sleep 0.1; done" >"$DIR/noise.log" 2>&1
NOISE=$SPAWNED
holds 3 "noise"
pkill -9 -P "$NOISE"; kill -9 "$NOISE"; pkill -9 -P "$NOISE" || true
must 5 "it is gone" gone "$NOISE"
server_start
recovers "garbage"

echo "-- rights are taken away, and given to another password"
zk addauth digest weft:first
zk setAcl /services/web auth:weft:cdrwa
filed() { ! grep -q 127.0.0.13 "/run/weft/$INSTANCE.found/sources.yaml"; }
must 15 "what was found is on file" filed
stop_agent KILL
start_agent
must 5 "it is said" log_has "cannot read /services/web: we are not allowed to"
holds 2 "not allowed"
echo first >"$DIR/password"
conf ", user: weft, password-file: $DIR/password"
made create /services/web/d "$(node 127.0.0.14 80)"
must 10 "with the password" web_is $KEPT 127.0.0.14:80
zk delete /services/web/d
must 10 "and again" web_is $KEPT

echo "-- emptied: kept, unless \"empty: clear\" is written; then other data"
server_kill
server_start fresh
holds 4 "emptied"
must 5 "the other service is cleared" endpoints_are cleared
recovers "emptied" ""
made create /services/web/n "$(node 127.0.0.12 80)"
must 10 "other data" web_is 127.0.0.12:80
must 10 "registered again" own_is_one
weft status >/dev/null || fail "the agent is well"

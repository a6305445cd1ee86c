#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# etcd as a registry, with etcd itself: what is written there is where connects land, whatever happens to the server; and what is
# registered comes, goes, and stays while the agent is exchanged.
. "$(dirname "$0")/lib.sh"
for tool in etcd etcdctl jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
export ETCDCTL_API=3
LISTEN=127.0.0.77:2379 PEER=http://127.0.0.77:2380 SERVER=

ctl()
{
	in_ns "$PLACE" etcdctl --command-timeout=5s --endpoints=$LISTEN ${USER_PASSWORD:+--user "$USER_PASSWORD"} "$@"
}

# etcd_start [FOLDER]: with what FOLDER holds
etcd_start()
{
	spawn_in "$PLACE" etcd --data-dir "$DIR/${1:-data}" --listen-client-urls http://$LISTEN --advertise-client-urls http://$LISTEN \
		--listen-peer-urls $PEER --initial-advertise-peer-urls $PEER --initial-cluster default=$PEER >"$DIR/etcd.log" 2>&1
	SERVER=$SPAWNED
	must 20 "etcd answers" ctl endpoint health
}

etcd_kill()
{
	kill -9 "$SERVER"
	must 5 "etcd is gone" gone "$SERVER"
}

put() # SERVICE ID ADDRESS PORT
{
	ctl put "/services/$1/$2" "{\"host\":\"$3\",\"port\":$4,\"name\":\"$2\"}" >/dev/null
}

conf() # [PASSWORD-FILE LINES]
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: etcd, type: etcd, servers: ["$LISTEN"], timeout: 1s, backoff-max: 1s ${1:-} }
		services:
		  - name: web
		    address: "10.96.0.2:80"
		    balance: round-robin
		    discover: { registry: etcd, prefix: /services/web/ }
		  - { name: cleared, address: "10.96.0.3:80", discover: [{ registry: etcd, prefix: /services/cleared/, empty: clear }] }
		  - { name: own, address: "10.96.0.4:80", discover: [{ registry: etcd, prefix: /services/own/ }] }
		register:
		  - name: own
		    registry: etcd
		    prefix: /services/own
		    address: 127.0.0.11:80
		    ttl: 3s
		    labels: [az=a]
		    health-check: { type: tcp, interval: 200ms, timeout: 100ms, rise: 1, fall: 2 }
	END
}

web_is() { endpoints_are web "$@"; }
own_is() { [ "$(ctl get --prefix /services/own/ --print-value-only)" = "$1" ]; }
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$AGENT/stat"; }
failing() { "$WEFT" metrics --instance "$INSTANCE" >/dev/null; grep -q "registry etcd" "$DIR/agent.log"; }
OWN='{"host":"127.0.0.11","port":80,"name":"127.0.0.11:80","labels":{"az":"a"}}'

echo_start 127.0.0.11:80 127.0.0.12:80
ECHO=$SPAWNED

echo "-- the server is down at the start"
conf
start_agent
must 5 "the failure is told" failing
etcd_start
put web a 127.0.0.11 80
must 10 "the first endpoint" web_is 127.0.0.11:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 4" "one endpoint"
must 10 "it is registered" own_is "$OWN"

echo "-- from a write until it is in the kernel"
for i in $(seq "${WRITES:-40}"); do
	port=$((1000 + i))
	start=${EPOCHREALTIME/[.,]/}
	put web p 127.0.0.11 $port
	written=${EPOCHREALTIME/[.,]/}
	until grep -q ":$port " <<<"$(weft endpoint list web)"; do
		[ $((${EPOCHREALTIME/[.,]/} - written)) -lt 5000000 ] || fail "port $port is not seen"
	done
	echo $(((${EPOCHREALTIME/[.,]/} - written) / 1000))
done | sort -n | awk '{ v[NR] = $1 } END { printf "FIGURES: put returned to seen in the command line: p50 %d ms, p99 %d ms of %d\n", v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.5)], NR }'
ctl del /services/web/p >/dev/null
put web b 127.0.0.12 80
must 5 "two endpoints" web_is 127.0.0.11:80 127.0.0.12:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 2 127.0.0.12:80 2" "two endpoints"

echo "-- garbage between good keys"
ctl put /services/web/x 'not json' >/dev/null
ctl put /services/web/y '{"host":"127.0.0.1","port":99999}' >/dev/null
put web c 127.0.0.13 80
must 5 "the good one" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80
ctl del /services/web/x /services/web/z >/dev/null

echo "-- killed in mid-watch, and started again"
before=$(cpu_ms)
etcd_kill
sleep 2
echo "FIGURES: CPU of the agent in 2 s without a server: $(($(cpu_ms) - before)) ms"
web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 || fail "endpoints were lost with the server"
etcd_start
start=$(cpu_ms)
put web d 127.0.0.14 80
must 5 "after the restart" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.14:80

echo "-- frozen"
kill -STOP "$SERVER"
frozen() { grep -c "registry etcd.*keeping" "$DIR/agent.log"; }
told=$(frozen)
more_told() { [ "$(frozen)" -gt "$told" ]; }
must 12 "that it is frozen is noticed" more_told
web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.14:80 || fail "endpoints were lost while the server was frozen"
kill -CONT "$SERVER"
ctl del /services/web/d >/dev/null
must 10 "after it was frozen" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80

echo "-- compacted"
kill -STOP "$AGENT"
put web e 127.0.0.15 80
revision=$(ctl get / -w json | jq .header.revision)
put web f 127.0.0.16 80
ctl compact "$((revision + 1))" >/dev/null
kill -CONT "$AGENT"
must 10 "after compaction" web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.15:80 127.0.0.16:80

echo "-- restarted empty: kept, unless \"empty: clear\" is written"
put cleared a 127.0.0.11 80
must 5 "the other service" endpoints_are cleared 127.0.0.11:80
etcd_kill
etcd_start fresh
must 10 "the empty answer was believed where that is written" endpoints_are cleared
web_is 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.15:80 127.0.0.16:80 || fail "an empty answer was believed"
must 10 "registered again" own_is "$OWN"
put web n 127.0.0.12 80
must 5 "other data" web_is 127.0.0.12:80

echo "-- down and up"
kill "$ECHO"
must 10 "what is down is taken back" own_is ""
echo_start 127.0.0.11:80 127.0.0.12:80
must 10 "and written again" own_is "$OWN"

echo "-- the agent is exchanged, and killed for good"
(while sleep 0.1; do own_is "$OWN" || { ctl get --prefix /services/own/ ; echo gap; }; done) >"$DIR/gaps" 2>&1 &
WATCHER=$!
stop_agent KILL
start_agent
sleep 5
kill $WATCHER
! grep -q gap "$DIR/gaps" || fail "a gap while the agent was exchanged: $(cat "$DIR/gaps")"
web_is 127.0.0.12:80 || fail "endpoints were lost with the agent"
stop_agent KILL
must 15 "the lease runs out" own_is ""

echo "-- users, passwords, and other ones"
ctl user add root:first >/dev/null
ctl user grant-role root root >/dev/null
ctl auth enable >/dev/null
USER_PASSWORD=root:first
echo first >"$DIR/password"
conf ", user: root, password-file: $DIR/password"
start_agent
put web u 127.0.0.17 80
must 10 "with a password" web_is 127.0.0.12:80 127.0.0.17:80
printf 'second\nsecond\n' | ctl user passwd root --interactive=false >/dev/null 2>&1 || echo second | ctl user passwd root --interactive=false >/dev/null
USER_PASSWORD=root:second
etcd_kill
etcd_start fresh
must 10 "the old password is refused" grep -q "does not take the user" "$DIR/agent.log"
web_is 127.0.0.12:80 127.0.0.17:80 || fail "endpoints were lost with the password"
echo second >"$DIR/password"
put web v 127.0.0.18 80
must 15 "with the new password" web_is 127.0.0.12:80 127.0.0.17:80 127.0.0.18:80

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Names of the DNS as a registry: Debian's dnsmasq, from a change of its records to a connect() that lands, and dnsmasq killed, frozen,
# late and without an answer. What else a server can do wrong is tried by tests/unit/test_dns_provider.c.
. "$(dirname "$0")/lib.sh"
for tool in dnsmasq dig jq; do command -v $tool >/dev/null || skip "$tool is missing"; done

AT=127.0.0.1 PORT=5301 TTL=1 SERVER= FINDER=

hosts() # ADDRESS...: those of shop.x
{
	for a in "$@"; do echo "$a shop.x"; done | replace "$DIR/hosts"
	[ -z "$SERVER" ] || kill -HUP "$SERVER"
}

srvs() # SRV-HOST...: those of _http._tcp.shop.x, for the next start
{
	printf 'srv-host=_http._tcp.shop.x,%s\n' "$@" >"$DIR/srv.conf"
}

server_start()
{
	spawn_in "$PLACE" dnsmasq --keep-in-foreground --conf-file="$DIR/srv.conf" --no-resolv --no-hosts --user=root \
		--pid-file="$DIR/dnsmasq.pid" --bind-interfaces --except-interface=nothing --listen-address=$AT --port=$PORT --local-ttl=$TTL \
		--addn-hosts="$DIR/hosts" --local=/x/ --host-record=a.x,127.0.0.11 --host-record=b.x,127.0.0.12 2>"$DIR/dnsmasq.log"
	SERVER=$SPAWNED
	must 10 "dnsmasq answers" in_ns "$PLACE" dig +tries=1 +time=1 -p $PORT @$AT shop.x
}

server_kill()
{
	kill -9 "$SERVER"
	must 5 "dnsmasq is gone" gone "$SERVER"
}

config()
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - {name: names, type: dns, servers: ["$AT:$PORT"], timeout: 300ms, backoff-max: 500ms}
		services:
		  - name: web
		    address: 10.96.0.1:80
		    balance: round-robin
		    drain-timeout: 1ms
		    discover: {registry: names, name: shop.x, port: 80}
		  - name: srv
		    address: 10.96.0.2:80
		    balance: round-robin
		    discover: {registry: names, name: _http._tcp.shop.x, type: srv}
	END
}

lands() # ENDPOINT: all of ten connects
{
	[ "$(spread 10.96.0.1:80 10)" = "$1 10" ]
}

ms()
{
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

echo_start 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.11:8080 127.0.0.12:8081
config

# The server is not there when the agent starts: the service is, without endpoints.
hosts 127.0.0.11
srvs a.x,8080,10,60 b.x,8081,20,40
start_agent
[ "$(failures 10.96.0.1:80 3)" = 3 ] || fail "connects land where nothing was found"
server_start
must 10 "the name's address is found" endpoints_are web 127.0.0.11:80
lands 127.0.0.11:80 || fail "connects go to $(spread 10.96.0.1:80 10)"

# Ranks of SRV records are priorities: the second is for when the first is gone.
must 5 "SRV records are found" endpoints_are srv 127.0.0.11:8080 127.0.0.12:8081
[ "$(spread 10.96.0.2:80 10)" = "127.0.0.11:8080 10" ] || fail "SRV: connects go to $(spread 10.96.0.2:80 10)"

# A change is seen within the TTL, and half a second for everything else, also by `weft discover --watch`.
in_ns "$PLACE" "$WEFT" discover -c "$DIR/weft.yaml" --watch web >"$DIR/watch.out" 2>"$DIR/watch.log" &
FINDER=$!
must 10 "discover --watch prints what there is" grep -q 127.0.0.11 "$DIR/watch.out"
began=$(ms)
hosts 127.0.0.12
must 5 "the other address is found" endpoints_are web 127.0.0.12:80
took=$(($(ms) - began))
[ $took -lt $((TTL * 1000 + 1000)) ] || fail "a change took $took ms with a TTL of $TTL s"
must 3 "discover --watch prints the change" grep -q 127.0.0.12 "$DIR/watch.out"
kill "$FINDER"
lands 127.0.0.12:80 || fail "connects go to $(spread 10.96.0.1:80 10)"
hosts 127.0.0.11 127.0.0.12 127.0.0.13
must 5 "three addresses are three endpoints" endpoints_are web 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80
[ "$(spread 10.96.0.1:80 30)" = "127.0.0.11:80 10 127.0.0.12:80 10 127.0.0.13:80 10" ] || fail "three addresses do not share"

# A name without an address is not believed, unless that is written.
hosts
must 5 "the empty answer is told" grep -q "has no endpoint for service web any more" "$DIR/agent.log"
endpoints_are web 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 || fail "an empty answer took the endpoints away"
hosts 127.0.0.11
must 8 "the name is back" endpoints_are web 127.0.0.11:80

# Killed, and frozen: what was found stays, and what is new is found when it is back.
server_kill
must 5 "the failure is told" grep -q "no server" "$DIR/agent.log"
lands 127.0.0.11:80 || fail "a dead server took the endpoint away"
SERVER=
hosts 127.0.0.12
server_start
must 5 "it is found again after a kill" endpoints_are web 127.0.0.12:80
kill -STOP "$SERVER"
must 5 "the silence is told" grep -q "no server answers" "$DIR/agent.log"
lands 127.0.0.12:80 || fail "a frozen server took the endpoint away"
echo "127.0.0.13 shop.x" | replace "$DIR/hosts"
kill -HUP "$SERVER"
kill -CONT "$SERVER"
must 5 "it is found again after a stop" endpoints_are web 127.0.0.13:80

# The agent starts anew while the server is gone: what was found stays.
server_kill
stop_agent
start_agent
endpoints_are web 127.0.0.13:80 || fail "a new agent took the endpoint away"
lands 127.0.0.13:80 || fail "connects go to $(spread 10.96.0.1:80 10)"
echo "FIGURES: a change with a TTL of $TTL s was in the kernel after $took ms"

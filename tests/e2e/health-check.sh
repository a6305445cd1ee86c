#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Active health checks with real servers: nginx over HTTP and HTTPS, gRPC's own server with and without TLS, commands, plain TCP. What
# fails its check gets no connection; states outlive the agent; checks are neither balanced nor counted.
. "$(dirname "$0")/lib.sh"
for tool in nginx openssl curl; do command -v $tool >/dev/null || skip "$tool is missing"; done
/usr/bin/python3 -c 'import grpc' 2>/dev/null || skip "python3-grpcio is missing"

QUICK='interval: 400ms, timeout: 400ms, rise: 2, fall: 3'
certificate()
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=web.mesh" -addext "subjectAltName=DNS:web.mesh" \
		-keyout "$DIR/key.pem" -out "$DIR/cert.pem" 2>"$DIR/openssl.out"
}

# A server whose /state is 200 while the file $DIR/up is there, and 503 without.
web_start() # ADDRESS
{
	local six=""

	[ "$1" != 127.0.0.11 ] || six="listen [::1]:80;"
	mkdir -p "$DIR/$1"
	cat >"$DIR/$1/nginx.conf" <<-END
		user root;
		daemon off;
		worker_processes 1;
		pid $DIR/$1.pid;
		error_log $DIR/$1.log;
		events { worker_connections 512; }
		http {
			access_log $DIR/$1.access;
			server {
				listen $1:80;
				listen $1:443 ssl;
				$six
				ssl_certificate $DIR/cert.pem;
				ssl_certificate_key $DIR/key.pem;
				location / { return 200 "$1\n"; }
				location /body { return 200 "all systems go\n"; }
				location /state { root $DIR; try_files /up =503; }
				location /moved { return 302 /elsewhere; }
			}
		}
	END
	spawn_in "$PLACE" nginx -e "$DIR/$1.log" -p "$DIR/$1" -c "$DIR/$1/nginx.conf"
	wait_for 10 in_ns "$PLACE" curl -sf -m 2 -o /dev/null "http://$1/" || { cat "$DIR/$1.log" >&2; return 1; }
}

web_stop()
{
	kill -QUIT "$(cat "$DIR/$1.pid")" && wait_for 5 test ! -e "$DIR/$1.pid"
}

grpc_start() # NAME ADDRESS:PORT [CERTIFICATE KEY]
{
	local name=$1

	shift
	spawn_in "$PLACE" /usr/bin/python3 "$TOP/tests/e2e/grpc-server.py" "$DIR/grpc.state" "$@" >"$DIR/$name.out" 2>"$DIR/$name.log"
	must 20 "$name is up" grep -q ready "$DIR/$name.out"
}

# checked NAME ADDRESS:PORT CHECK ENDPOINT...: a service with a health check, that never panics.
checked()
{
	local name=$1 address=$2 check=$3

	shift 3
	service "$name" tcp "$address" round-robin "$@"
	printf '    panic-threshold: off\n    ejection: off\n    failover: off\n    health-check: { %s }\n' "$check"
}

page()
{
	in_ns "$PLACE" curl -sf -m 5 "http://$METRICS/health?service=$1"
}

# of SERVICE ENDPOINT FIELD
of()
{
	page "$1" | jq -r --arg e "$2" --arg f "$3" '.endpoints[] | select(.endpoint == $e) | .[$f] | tostring'
}

is() # SERVICE ENDPOINT STATE [REASON, a pattern]
{
	[ "$(of "$1" "$2" state)" = "$3" ] && { [ -z "${4:-}" ] || [[ $(of "$1" "$2" last_text) == $4 ]]; }
}

wants() # SERVICE ENDPOINT STATE [REASON]
{
	wait_for 10 is "$@" || fail "$1 $2 should be $3 ${4:-}; is: $(page "$1")"
}

misses() # ADDRESS:PORT COUNT: how many requests found nobody
{
	in_cgroup bash -c 'n=0; for ((i = 0; i < $2; i++)); do curl -s -m 5 -o /dev/null "http://$1/" || n=$((n + 1)); done; echo $n' - "$@"
}

certificate || fail "openssl: $(cat "$DIR/openssl.out")"
printf ' 1\nweb 1\n' >"$DIR/grpc.state"
touch "$DIR/up"
web_start 127.0.0.11
web_start 127.0.0.12
grpc_start grpc 127.0.0.21:50051
grpc_start grpcs 127.0.0.21:50052 "$DIR/cert.pem" "$DIR/key.pem"
ip -n "$PLACE" addr add 10.99.0.1/32 dev lo

cat >"$DIR/flap" <<-'END'
	#!/bin/sh
	n=$(cat "$0.n" 2>/dev/null || echo 0)
	echo $((n + 1)) >"$0.n"
	exit $((n % 2))
END
cat >"$DIR/probe" <<-'END'
	#!/bin/sh
	echo "$WEFT_SERVICE $WEFT_ENDPOINT_ADDRESS:$WEFT_ENDPOINT_PORT $1"
	[ -e "$1" ]
END
chmod +x "$DIR/flap" "$DIR/probe"

services()
{
	checked tcp 10.96.0.1:80 "type: tcp, $QUICK" 127.0.0.11:80 127.0.0.12:80
	checked http 10.96.0.2:80 "type: http, path: /state, $QUICK" 127.0.0.11:80
	checked http-status 10.96.0.3:80 "type: http, path: /state, status: \"503\", $QUICK" 127.0.0.11:80
	checked http-body 10.96.0.4:80 "type: http, path: /body, expect: systems go, $QUICK" 127.0.0.11:80
	checked http-nobody 10.96.0.5:80 "type: http, path: /body, expect: systems stop, $QUICK" 127.0.0.11:80
	checked http-moved 10.96.0.6:80 "type: http, path: /moved, $QUICK" 127.0.0.11:80
	checked https 10.96.0.7:443 "type: https, host: web.mesh, ca-file: $DIR/cert.pem, $QUICK" 127.0.0.11:443
	checked https-name 10.96.0.8:443 "type: https, host: other.mesh, ca-file: $DIR/cert.pem, $QUICK" 127.0.0.11:443
	checked https-ca 10.96.0.9:443 "type: https, host: web.mesh, verify: true, $QUICK" 127.0.0.11:443
	checked https-any 10.96.0.10:443 "type: https, verify: false, $QUICK" 127.0.0.11:443
	checked grpc 10.96.0.11:80 "type: grpc, $QUICK" 127.0.0.21:50051
	checked grpc-web 10.96.0.12:80 "type: grpc, service: web, $QUICK" 127.0.0.21:50051
	checked grpc-none 10.96.0.13:80 "type: grpc, service: none, $QUICK" 127.0.0.21:50051
	checked grpc-tls 10.96.0.14:80 "type: grpc, tls: true, host: web.mesh, ca-file: $DIR/cert.pem, $QUICK" 127.0.0.21:50052
	checked grpc-http 10.96.0.15:80 "type: grpc, $QUICK" 127.0.0.11:80
	checked exec 10.96.0.16:80 "type: exec, command: [$DIR/probe, $DIR/up], $QUICK" 127.0.0.11:80
	checked flap 10.96.0.17:80 "type: exec, command: [$DIR/flap], interval: 100ms, rise: 2, fall: 2" 127.0.0.11:80
	checked slow 10.96.0.18:80 "type: exec, command: [/bin/sleep, \"60\"], interval: 1s, timeout: 200ms" 127.0.0.11:80
	# Its endpoint is an address that is a service's, whose own endpoint nobody listens on.
	checked outer 10.96.0.19:80 "type: tcp, $QUICK" 10.99.0.1:80
	service inner tcp 10.99.0.1:80 round-robin 127.0.0.99:9
	# A port of its own for the check.
	checked port 10.96.0.20:80 "type: tcp, port: 443, $QUICK" 127.0.0.11:81
	checked tcp6 "[fd00:96::1]:80" "type: tcp, $QUICK" "[::1]:80"
	checked http6 "[fd00:96::2]:80" "type: http, expect: 127.0.0.11, $QUICK" "[::1]:80"
	checked exec6 "[fd00:96::3]:80" "type: exec, command: [$DIR/probe, /], $QUICK" "[::1]:80"
	checked rare 10.96.0.21:80 "type: tcp, interval: 60s, timeout: 1s" 127.0.0.11:80
}

services | config
start_agent
echo "$AGENT" >"$CG/cgroup.procs" # so that its own connects meet the hooks

echo "-- each type, good and bad"
wants tcp 127.0.0.11:80 healthy connected
wants http 127.0.0.11:80 healthy "status 200"
wants http-status 127.0.0.11:80 unhealthy "status 200 is not in 503-503"
wants http-body 127.0.0.11:80 healthy "status 200"
wants http-nobody 127.0.0.11:80 unhealthy "*'systems stop' is not in the body"
wants http-moved 127.0.0.11:80 healthy "status 302"
wants https 127.0.0.11:443 healthy "status 200"
wants https-name 127.0.0.11:443 unhealthy "*other.mesh*"
wants https-ca 127.0.0.11:443 unhealthy "*certificate*"
wants https-any 127.0.0.11:443 healthy "status 200"
wants grpc 127.0.0.21:50051 healthy SERVING
wants grpc-web 127.0.0.21:50051 healthy SERVING
wants grpc-none 127.0.0.21:50051 unhealthy "grpc-status 5, NOT_FOUND: no service none"
wants grpc-tls 127.0.0.21:50052 healthy SERVING
wants grpc-http 127.0.0.11:80 unhealthy
wants exec 127.0.0.11:80 healthy "exit 0: exec 127.0.0.11:80 $DIR/up"
wants slow 127.0.0.11:80 unhealthy "still running after 200 ms: killed"
wants port 127.0.0.11:81 healthy connected
wants rare 127.0.0.11:80 healthy connected
wants tcp6 "[::1]:80" healthy connected
wants http6 "[::1]:80" healthy "status 200"
wants exec6 "[::1]:80" healthy "exit 0: exec6 ::1:80 /"

echo "-- what fails gets no connections, and comes back"
rm "$DIR/up"
printf ' 2\nweb 2\n' >"$DIR/grpc.state"
wants http 127.0.0.11:80 unhealthy "status 503 is not in 200-399"
wants http-status 127.0.0.11:80 healthy "status 503"
wants exec 127.0.0.11:80 unhealthy "exit 1: exec 127.0.0.11:80 $DIR/up"
wants grpc 127.0.0.21:50051 unhealthy NOT_SERVING
wants grpc-tls 127.0.0.21:50052 unhealthy NOT_SERVING
assert_eq "$(misses 10.96.0.2:80 5)" 5 "connects to a service without a healthy endpoint"
touch "$DIR/up"
printf ' 1\nweb 1\n' >"$DIR/grpc.state"
wants http 127.0.0.11:80 healthy
wants grpc-tls 127.0.0.21:50052 healthy
assert_eq "$(misses 10.96.0.2:80 5)" 0 "connects after the endpoint came back"

two() { in_cgroup bash -c 'for i in {1..10}; do curl -sS -m 5 http://10.96.0.1/; done' | sort | uniq -c | tr -s ' \n' ' '; }
wants tcp 127.0.0.12:80 healthy
assert_eq "$(two)" " 5 127.0.0.11 5 127.0.0.12 " "both endpoints"
web_stop 127.0.0.12
wants tcp 127.0.0.12:80 unhealthy "Connection refused"
assert_eq "$(two)" " 10 127.0.0.11 " "one endpoint is unhealthy"
grep -q "service 'tcp': endpoint 127.0.0.12:80 is unhealthy: Connection refused" "$DIR/agent.log" || fail "the log does not say it"

echo "-- flapping from check to check changes nothing"
many() { [ "$(of flap 127.0.0.11:80 attempts)" -ge 12 ]; }
must 10 "twelve checks that flap" many
assert_eq "$(of flap 127.0.0.11:80 state)" healthy "rise and fall hold"
assert_eq "$(grep -c "service 'flap'.*unhealthy" "$DIR/agent.log" || true)" 0 "transitions of what flaps"

echo "-- a check of an address that is a service's"
wants outer 10.99.0.1:80 unhealthy
echo_start 10.99.0.1:80
wants outer 10.99.0.1:80 healthy connected
opened() { weft dump bstate -o json | jq '[.. | .opened? // empty] | add'; }
before=$(opened)
checks=$(page "" | jq .targets)
outer_more() { [ "$(of outer 10.99.0.1:80 attempts)" -ge $((at + 10)) ]; }
at=$(of outer 10.99.0.1:80 attempts)
must 10 "ten more checks" outer_more
assert_eq "$(opened)" "$before" "connections counted while $checks targets were checked"
assert_eq "$(weft endpoint list inner -o json | jq '.[0].active')" 0 "connections of the inner service"

echo "-- a reload keeps what is known"
at=$(of tcp 127.0.0.11:80 attempts)
{ services; checked late 10.96.0.30:80 "type: exec, command: [/bin/sh, -c, \"sleep 1\"], interval: 2s, timeout: 1900ms" 127.0.0.11:80; } | config
known() { page late | jq -e '.endpoints | length == 1'; }
must 10 "the reload" known
assert_eq "$(of late 127.0.0.11:80 state)" unknown "a new endpoint before its first check ended"
assert_eq "$(misses 10.96.0.30:80 2)" 2 "connects to an endpoint before its first check"
wants late 127.0.0.11:80 healthy
assert_eq "$(misses 10.96.0.30:80 2)" 0 "connects after the first check"
(($(of tcp 127.0.0.11:80 attempts) >= at)) || fail "the reload forgot what it knew"
assert_eq "$(of rare 127.0.0.11:80 attempts)" 1 "checks of a service with an interval of a minute"

echo "-- the agent dies; states stay"
stop_agent KILL
assert_eq "$(two)" " 10 127.0.0.11 " "without an agent the unhealthy endpoint stays out"
web_start 127.0.0.12
assert_eq "$(two)" " 10 127.0.0.11 " "nobody checks while no agent runs"
start_agent
assert_eq "$(misses 10.96.0.21:80 5)" 0 "an endpoint that was healthy takes connections before it was checked again"
wants tcp 127.0.0.12:80 healthy
assert_eq "$(two)" " 5 127.0.0.11 5 127.0.0.12 " "the new agent's checks"

echo "-- a check that is taken away leaves nothing"
web_stop 127.0.0.12
wants tcp 127.0.0.12:80 unhealthy
service tcp tcp 10.96.0.1:80 round-robin 127.0.0.11:80 127.0.0.12:80 | config
none() { page "" | jq -e '.endpoints == []' && [ "$(page "" | jq .targets)" = 0 ]; }
must 10 "no checks" none
usable() { weft endpoint list tcp -o json | jq -e 'all(.state == "ready")'; }
must 5 "no endpoint is out of service" usable
weft check >"$DIR/check.log" || fail "weft check: $(cat "$DIR/check.log")"
children() { [ -z "$(pgrep -P "$AGENT")" ]; }
must 5 "no commands are left" children

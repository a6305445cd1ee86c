# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sourced after tests/e2e/lib.sh by tests that need Eureka: begins the fake (tests/fakes/eureka.py), or with WEFT_TEST_EUREKA=http://HOST:PORT/BASE a
# relay to a real one, at $SERVER in the test's namespace. Applications bear the test's name, so that a real one may have others.
command -v python3 >/dev/null || skip "python3 is missing"
APP=WEFT-${TEST^^}-$$
SERVER=127.0.0.31:8761
CONTROL=127.0.0.31:8762
FAKE=
REAL=${WEFT_TEST_EUREKA:-}
BASE=/eureka/v2
if [ -n "$REAL" ]; then
	REAL=${REAL#*://}
	[ "$REAL" = "${REAL#*/}" ] || BASE=/${REAL#*/}
fi

server_start() # [OPTION...]
{
	rm -f "$DIR/fake.out"
	if [ -n "$REAL" ]; then
		python3 "$TOP/tests/fakes/relay.py" "/run/netns/$PLACE" $SERVER "${REAL%%/*}" >"$DIR/fake.out" 2>"$DIR/fake.log" &
	else
		nsenter --net="/run/netns/$PLACE" -- python3 "$TOP/tests/fakes/eureka.py" --listen $SERVER --control $CONTROL \
			--state "$DIR/${STATE:-eureka.state}" "$@" >"$DIR/fake.out" 2>>"$DIR/fake.log" &
	fi
	FAKE=$!
	disown
	must 10 "Eureka is up" grep -q ready "$DIR/fake.out"
}

server_kill()
{
	kill -9 "$FAKE"
	wait_for 5 gone "$FAKE"
}

ask() # METHOD PATH [BODY]
{
	in_ns "$PLACE" curl -sf -m 5 ${USER_PASSWORD:+-u "$USER_PASSWORD"} -H "Accept: application/json" -H "Content-Type: application/json" -X "$1" \
		${3:+-d "$3"} "http://$SERVER$BASE$2"
}

control() # PATH [BODY]
{
	in_ns "$PLACE" curl -sf -m 5 -X POST -d "${2:-}" "http://$CONTROL$1"
}

mode() { control /mode "$1" >"$DIR/mode.out" || fail "mode $1"; }

# put APP ID ADDRESS PORT [STATUS] [MORE, pieces of JSON]
put()
{
	ask POST "/apps/$1" "{\"instance\": {\"instanceId\": \"$2\", \"hostName\": \"$2\", \"app\": \"$1\", \"ipAddr\": \"$3\", \"status\": \"${5:-UP}\",
		\"port\": {\"\$\": $4, \"@enabled\": \"true\"}, \"vipAddress\": \"${1,,}.vip\", \"dataCenterInfo\": {\"@class\":
		\"com.netflix.appinfo.InstanceInfo\$DefaultDataCenterInfo\", \"name\": \"MyOwn\"}, \"leaseInfo\": {\"renewalIntervalInSecs\": 30,
		\"durationInSecs\": 900} ${6:+, $6}}}" >"$DIR/put.out" || fail "writing $2"
}

drop() # APP ID
{
	ask DELETE "/apps/$1/$2" >"$DIR/put.out" || fail "removing $2"
}

trap 'code=$?; set +e; [ -z "$FAKE" ] || kill -9 "$FAKE" 2>/dev/null; (exit $code); finish' EXIT

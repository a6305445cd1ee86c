# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sourced after tests/e2e/lib.sh by tests that need Consul: begins the fake (tests/fakes/consul.py), or with
# WEFT_TEST_CONSUL=http://HOST:PORT (and WEFT_TEST_CONSUL_TOKEN) a relay to a real one, at $SERVER in the test's namespace. Services and
# nodes bear the test's name, so that a real one may have others.
NODE=weft-$TEST-$$
SERVER=127.0.0.31:8500
CONTROL=127.0.0.31:8501
FAKE=
REAL=${WEFT_TEST_CONSUL:-}

server_start() # [OPTION...]
{
	if [ -n "$REAL" ]; then
		python3 "$TOP/tests/fakes/relay.py" "/run/netns/$PLACE" $SERVER "${REAL#*://}" >"$DIR/fake.out" 2>"$DIR/fake.log" &
	else
		rm -f "$DIR/fake.out"
		nsenter --net="/run/netns/$PLACE" -- python3 "$TOP/tests/fakes/consul.py" --listen $SERVER --control $CONTROL \
			--state "$DIR/consul.state" --token secret "$@" >"$DIR/fake.out" 2>>"$DIR/fake.log" &
	fi
	FAKE=$!
	disown
	must 10 "Consul is up" grep -q ready "$DIR/fake.out"
}

server_kill()
{
	kill -9 "$FAKE"
	wait_for 5 gone "$FAKE"
}

ask() # METHOD PATH [BODY]
{
	in_ns "$PLACE" curl -sf -m 5 -H "X-Consul-Token: $(cat "$DIR/token")" -X "$1" ${3:+-d "$3"} "http://$SERVER$2"
}

control() # PATH [BODY]
{
	in_ns "$PLACE" curl -sf -m 5 -X POST -d "${2:-}" "http://$CONTROL$1"
}

mode() { control /mode "$1" >"$DIR/mode.out" || fail "mode $1"; }
stat() { control /stats | jq ".$1"; }

# put SERVICE ID ADDRESS PORT [STATUS] [MORE, pieces of JSON]
put()
{
	ask PUT /v1/catalog/register "{\"Node\": \"$NODE\", \"Address\": \"127.0.0.9\", \"SkipNodeUpdate\": false, \"Service\": {\"Service\": \"$1\",
		\"ID\": \"$2\", \"Address\": \"$3\", \"Port\": $4 ${6:+, $6}}, \"Checks\": [{\"Node\": \"$NODE\", \"CheckID\": \"service:$2\",
		\"Name\": \"c\", \"ServiceID\": \"$2\", \"Status\": \"${5:-passing}\"}]}" >"$DIR/put.out" || fail "writing $2"
}

drop() # ID
{
	ask PUT /v1/catalog/deregister "{\"Node\": \"$NODE\", \"ServiceID\": \"$1\"}" >"$DIR/put.out" || fail "removing $1"
}

# What this test wrote into a real one goes.
leave()
{
	local code=$?

	set +e
	if [ -n "$REAL" ]; then
		ask PUT /v1/catalog/deregister "{\"Node\": \"$NODE\"}" >/dev/null
		kill "$FAKE"
	fi
	return $code
}
trap 'leave; finish' EXIT

printf '%s\n' "${WEFT_TEST_CONSUL_TOKEN:-secret}" >"$DIR/token"

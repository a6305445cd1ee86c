# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sourced after tests/e2e/lib.sh by tests that need a control plane for Envoy: begins the fake (tests/fakes/envoy.py) at $SERVER in the test's
# namespace. There is no way to write into a real one by xDS, so that those parts need the fake; what a real one says is read by envoy.sh
# with WEFT_TEST_XDS=http://HOST:PORT.
SERVER=127.0.0.31:18000
CONTROL=127.0.0.31:18001
FAKE=

server_start() # [OPTION...]
{
	rm -f "$DIR/fake.out"
	nsenter --net="/run/netns/$PLACE" -- python3 "$TOP/tests/fakes/envoy.py" --listen $SERVER --control $CONTROL --state "$DIR/envoy.state" \
		--token secret "$@" >"$DIR/fake.out" 2>>"$DIR/fake.log" &
	FAKE=$!
	disown
	must 10 "the control plane is up" grep -q ready "$DIR/fake.out"
}

server_kill()
{
	kill -9 "$FAKE"
	wait_for 5 gone "$FAKE"
}

control() # PATH [BODY]
{
	in_ns "$PLACE" curl -sf -m 5 -X POST -d "${2:-}" "http://$CONTROL$1"
}

mode() { control /mode "$1" >"$DIR/mode.out" || fail "mode $1"; }
stat() { control /stats | jq ".$1"; }

# lb ADDRESS:PORT [MORE]: one endpoint; MORE are pieces of JSON behind it.
lb()
{
	printf '{"endpoint":{"address":{"socket_address":{"address":"%s","port_value":%s}}}%s}' "${1%:*}" "${1##*:}" "${2:+, $2}"
}

# locality ENDPOINTS [MORE]: ENDPOINTS as ADDRESS:PORT words, or as JSON.
locality()
{
	local e list=

	case $1 in
	*{*) list=$1 ;;
	*) for e in $1; do list=$list${list:+,}$(lb "$e"); done ;;
	esac
	printf '{"lb_endpoints":[%s]%s}' "$list" "${2:+, $2}"
}

# assignment NAME [LOCALITY...]
assignment()
{
	local name=$1 list= e

	shift
	for e in "$@"; do list=$list${list:+,}$e; done
	printf '{"@type":"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment","cluster_name":"%s","endpoints":[%s]}' "$name" "$list"
}

put() # clusters|endpoints NAME RESOURCE-OR-null
{
	control /put "{\"$1\": {\"$2\": $3}}" >"$DIR/put.out" || fail "writing $2"
}

put_endpoints() # NAME "ADDRESS:PORT ..."
{
	put endpoints "$1" "$(assignment "$1" "$(locality "$2")")"
}

# answer RESOURCE...: a DiscoveryResponse.
answer()
{
	local IFS=,

	printf '{"version_info":"1","resources":[%s]}\n' "$*"
}

printf 'secret\n' >"$DIR/token"

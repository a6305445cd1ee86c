# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sourced by every end-to-end test. Gives it a cgroup, a namespace, an instance and a scratch folder of its own, all gone when it ends.
# O=folder says which build is tried.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/scripts/lib.sh"
O=$(realpath "${O:-$TOP/build}")
WEFT=${WEFT:-$O/weft}
TEST=$(basename "$0" .sh)
INSTANCE=e2e-${TEST:0:18}-$$
PINS=$BPFFS/weft/$INSTANCE
METRICS=127.0.0.1:9464
AGENT=

skip()
{
	echo "SKIP: $TEST: $*"
	exit 77
}

fail()
{
	echo "FAIL: $TEST: $*" >&2
	exit 1
}

assert_eq() # GOT WANTED WHAT
{
	[ "$1" = "$2" ] || fail "$3: got '$1', wanted '$2'"
}

assert_match() # TEXT REGEX WHAT
{
	[[ $1 =~ $2 ]] || fail "$3: '$1' does not match '$2'"
}

# must SECONDS WHAT COMMAND...: waits for COMMAND to succeed.
must()
{
	local seconds=$1 what=$2

	shift 2
	wait_for "$seconds" "$@" || fail "not within $seconds s: $what"
}

instances=("$INSTANCE")
finish()
{
	local code=$? i

	trap - EXIT INT TERM
	set +e
	if [ $code != 0 ] && [ $code != 77 ]; then
		for i in "$DIR"/*.log; do
			[ -s "$i" ] && { echo "-- the end of $i" >&2; tail -n 25 "$i" >&2; }
		done
	fi
	[ -z "$AGENT" ] || { kill -9 "$AGENT" && wait_for 10 gone "$AGENT"; } 2>/dev/null
	for i in "${instances[@]}"; do
		[ ! -d "$BPFFS/weft/$i" ] || "$WEFT" unload --instance "$i" >/dev/null || rm -rf "${BPFFS:?}/weft/$i"
		rm -rf "/run/weft/$i".*
	done
	place_free
	exit $code
}

# weft WORDS...: the command line tool on this test's instance.
weft()
{
	"$WEFT" "$@" --instance "$INSTANCE"
}

# service NAME tcp|udp ADDRESS:PORT BALANCE [ENDPOINT[@WEIGHT]...]: a service as it is written in weft.yaml.
service()
{
	local e

	printf '  - name: %s\n    protocol: %s\n    address: "%s"\n    balance: %s\n    endpoints:' "$1" "$2" "$3" "$4"
	shift 4
	[ $# -gt 0 ] || printf ' []'
	echo
	for e in "$@"; do
		case $e in
		*@*) printf '      - { address: "%s", weight: %s }\n' "${e%@*}" "${e#*@}" ;;
		*) printf '      - "%s"\n' "$e" ;;
		esac
	done
}

# config <<< SERVICES: this test's weft.yaml, replaced by rename.
config()
{
	{ printf 'instance: %s\ncgroup: %s\nservices:\n' "$INSTANCE" "${ATTACH:-$CG}"; cat; } | replace "$DIR/weft.yaml"
}

metrics()
{
	in_ns "$PLACE" curl -sf -m 5 "$@" "http://$METRICS/metrics"
}

# start_agent [ARGUMENT...]: returns when its services are in the kernel and its metrics answer.
start_agent()
{
	spawn_in "$PLACE" "$WEFT" agent -c "$DIR/weft.yaml" "$@" 2>>"$DIR/agent.log"
	AGENT=$SPAWNED
	must 20 "the agent is up" agent_ready
}

agent_ready()
{
	[ -d "/proc/$AGENT" ] || fail "the agent ended: $(tail -n 3 "$DIR/agent.log")"
	metrics && weft status
}

stop_agent() # [SIGNAL]
{
	kill "-${1:-TERM}" "$AGENT"
	must 10 "the agent ends" gone "$AGENT"
	AGENT=
}

gone()
{
	[ ! -d "/proc/$1" ] || [ "$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null)" = Z ]
}

# echo_start ADDRESS:PORT...: TCP and UDP servers that greet with the address they listen on.
echo_start()
{
	[ -x "$O/tests/tools/echo" ] || fail "$O/tests/tools/echo is missing; make tools"
	spawn_in "$PLACE" "$O/tests/tools/echo" "$@" >"$DIR/echo.out" 2>"$DIR/echo.log"
	must 10 "the echo servers are up" grep -q ready "$DIR/echo.out"
}

# connects ADDRESS:PORT COUNT [OPTION...]: the connector's JSON. spread: "ENDPOINT TIMES ...". failures: how many failed.
connects()
{
	local to=$1 count=$2

	shift 2
	in_cgroup "$O/tests/tools/connector" --to "$to" --count "$count" --json "$@" || true
}

spread()
{
	connects "$@" | jq -r '.answered | to_entries | sort_by(.key) | map("\(.key) \(.value)") | join(" ")'
}

failures()
{
	connects "$@" | jq .failed
}

# Ready endpoints of service $1 are exactly the rest of the words, in order of address.
endpoints_are()
{
	local name=$1

	shift
	[ "$(weft endpoint list "$name" -o json | jq -r '[.[] | select(.state != "draining") | .endpoint] | join(" ")')" = "$*" ]
}

[ "$(id -u)" = 0 ] || skip "must be root"
[ -x "$WEFT" ] || fail "$WEFT is missing; make"
trap finish EXIT
trap 'exit 130' INT TERM HUP
place_make "weft-e2e-$TEST-$$" || skip "no cgroup2 here"
ns_make

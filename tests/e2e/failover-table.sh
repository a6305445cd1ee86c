#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# connect() when endpoints fail, through the real agent, in the namespace it runs in: who refuses, who is silent, who is there. The
# outcome is asserted; the times are printed beside those of plain connects, since a busy machine must fail no test.
. "$(dirname "$0")/lib.sh"

# Far servers behind a veth; 10.71.9.0/24 is a hole behind them.
ns_make far
ip -n "$PLACE" link add up0 type veth peer name up0 netns "$PLACE-far"
ip -n "$PLACE" addr add 10.71.0.1/24 dev up0
ip -n "$PLACE" addr add fd71::1/64 dev up0 nodad
ip -n "$PLACE" link set up0 up
ip -n "$PLACE-far" addr add 10.71.0.2/24 dev up0
ip -n "$PLACE-far" addr add fd71::2/64 dev up0 nodad
ip -n "$PLACE-far" link set up0 up
ip -n "$PLACE-far" route add blackhole 10.71.9.0/24
ip -n "$PLACE-far" route add blackhole fd71:9::/64
in_ns "$PLACE-far" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
ip -n "$PLACE" route add 10.71.9.0/24 via 10.71.0.2
ip -n "$PLACE" route add fd71:9::/64 via fd71::2
spawn_in "$PLACE-far" "$O/tests/tools/echo" 10.71.0.2:80 '[fd71::2]:80' >"$DIR/far.out"
must 10 "the far servers are up" grep -q ready "$DIR/far.out"
echo_start 127.0.0.1:80 '[::1]:80'

# ordered NAME ADDRESS ENDPOINT...: tried in this order, by every connect.
ordered()
{
	local p=0 e

	printf '  - name: %s\n    address: "%s"\n    connect-timeout: 400ms\n    ejection: %s\n    endpoints:\n' "$1" "$2" "${EJECTION:-off}"
	shift 2
	for e in "$@"; do
		printf '      - { address: "%s", priority: %d }\n' "$e" $((p++))
	done
}

declare -A places=([v4]=10.71.0.2 [v6]='[fd71::2]' [lo4]=127.0.0.1 [lo6]='[::1]')
declare -A holes=([v4]=10.71.9.%d [v6]='[fd71:9::%d]')
declare -A vips=([v4]=10.96.1.%d [v6]='[fd96::1:%d]' [lo4]=10.96.2.%d [lo6]='[fd96::2:%d]')
hole() { printf "${holes[$1]}" "$2"; }
vip() { printf "${vips[$1]}:80" "$2"; }

{
	for p in v4 v6 lo4 lo6; do
		good=${places[$p]}:80 bad=${places[$p]}:81 worse=${places[$p]}:82
		ordered "$p-refuse" "$(vip $p 1)" "$bad" "$good"
		ordered "$p-allrefuse" "$(vip $p 2)" "$bad" "$worse"
		EJECTION='{ consecutive-failures: 5, max-ejected-percent: 100 }' ordered "$p-eject" "$(vip $p 3)" "$bad" "$good"
		[[ $p = lo? ]] && continue
		ordered "$p-silent" "$(vip $p 4)" "$(hole $p 1):80" "$good"
		ordered "$p-twosilent" "$(vip $p 5)" "$(hole $p 1):80" "$(hole $p 2):80" "$good"
		ordered "$p-allsilent" "$(vip $p 6)" "$(hole $p 1):80" "$(hole $p 2):80"
		EJECTION='{ consecutive-failures: 5, max-ejected-percent: 100 }' \
			ordered "$p-ejectsilent" "$(vip $p 7)" "$(hole $p 1):80" "$good"
	done
} | config
start_agent

figures() { jq -r '"p50 \(.connect_us.p50 / 1000) p99 \(.connect_us.p99 / 1000) max \(.connect_us.max / 1000) ms"' "$DIR/got"; }
row() { printf '%-4s %-46s %5s ok %5s failed   %s\n' "$1" "$2" "$(jq .ok "$DIR/got")" "$(jq .failed "$DIR/got")" "$(figures)"; }

# good PLACE WHAT ADDRESS COUNT [ARGUMENT...]: all must reach the endpoint that works.
good()
{
	local place=$1 what=$2 to=$3 count=$4

	shift 4
	connects "$to" "$count" "$@" >"$DIR/got"
	row "$place" "$what"
	assert_eq "$(jq -c '[.ok, .failed, (.answered | keys)]' "$DIR/got")" "[$count,0,[\"${places[$place]}:80\"]]" "$place, $what"
}

fails() # PLACE WHAT ADDRESS COUNT ERRNO
{
	connects "$3" "$4" >"$DIR/got"
	row "$1" "$2"
	assert_eq "$(jq -c '[.ok, .errors]' "$DIR/got")" "[0,{\"$5\":$4}]" "$1, $2"
}

time_of() # ADDRESS: how long one failing connect takes, in ms
{
	in_cgroup python3 - "$1" <<'END'
import socket, sys, time
host, port = sys.argv[1].rsplit(':', 1)
s = socket.socket(socket.AF_INET6 if '[' in host else socket.AF_INET)
t = time.monotonic()
try:
    s.connect((host.strip('[]'), int(port)))
except OSError:
    pass
print(int((time.monotonic() - t) * 1000))
END
}

for p in v4 v6 lo4 lo6; do
	good $p "plain connect" "${places[$p]}:80" 1000
	fails $p "plain connect to the one that refuses" "${places[$p]}:81" 200 ECONNREFUSED
	good $p "the first refuses" "$(vip $p 1)" 1000
	fails $p "all refuse" "$(vip $p 2)" 200 ECONNREFUSED
	good $p "the first refuses, 200 at once" "$(vip $p 1)" 2000 --threads 200
	good $p "ejection on: the first refuses" "$(vip $p 3)" 1000
	[[ $p = lo? ]] && continue
	good $p "the first is black-holed" "$(vip $p 4)" 100
	good $p "two black holes, then a good one" "$(vip $p 5)" 50
	fails $p "all silent, connect-timeout 400ms" "$(vip $p 6)" 5 ETIMEDOUT
	ms=$(time_of "$(vip $p 6)")
	((ms >= 390 && ms < 2000)) || fail "$p: ETIMEDOUT after $ms ms, connect-timeout is 400"
	good $p "ejection on: the first is black-holed" "$(vip $p 7)" 500
done
must 5 "every place is given back" bash -c '[ "$("$1" endpoint list --instance "$2" -o json | jq "[.[].active] | add")" = 0 ]' - \
	"$WEFT" "$INSTANCE"
weft check || fail "the counters drifted"

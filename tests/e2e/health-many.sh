#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Thousands of health checks: spread over their interval, few at once, cheap; also when a part of the endpoints is silent.
# WEFT_TARGETS endpoints every WEFT_INTERVAL seconds: 2,000 and 2 by default, which is the rate of 10,000 and 10.
. "$(dirname "$0")/lib.sh"

TARGETS=${WEFT_TARGETS:-2000}
INTERVAL=${WEFT_INTERVAL:-2}
echo_start 0.0.0.0:80
nginx_start "$PLACE" web 0.0.0.0 8080
# Packets to 10.98.0.0/16 go to a neighbour that drops them.
ns_make hole
ip -n "$PLACE" link add hole type veth peer name eth0 netns "$PLACE-hole"
ip -n "$PLACE-hole" link set eth0 up
ip -n "$PLACE" addr add 10.97.0.1/30 dev hole
ip -n "$PLACE" link set hole up
ip -n "$PLACE" neigh add 10.97.0.2 lladdr 02:00:00:00:00:01 dev hole nud permanent
ip -n "$PLACE" route add 10.98.0.0/16 via 10.97.0.2

endpoints() # PREFIX PORT COUNT
{
	local i

	for ((i = 0; i < $3; i++)); do printf '%s.%d.%d:%s ' "$1" $((i / 250)) $((i % 250 + 2)) "$2"; done
}

# many TYPE PREFIX:PORT COUNT [PREFIX:PORT COUNT]
many()
{
	local type=$1 list=""

	shift
	while [ $# -gt 0 ]; do
		list+=$(endpoints "${1%:*}" "${1#*:}" "$2")" "
		shift 2
	done
	service many tcp 10.96.0.1:80 random $list
	printf '    health-check: { type: %s, interval: %ss, timeout: 1s, jitter: 10 }\n' "$type" "$INTERVAL"
}

page() { in_ns "$PLACE" curl -sf -m 10 "http://$METRICS/health?service=$1"; }
all_checked() { page many | jq -e '[.endpoints[] | select(.state == "unknown")] == []'; }
cpu() { awk '{ print $14 + $15 }' "/proc/$AGENT/stat"; }
attempts() { page many | jq '[.endpoints[].attempts] | add'; }

# measure WHAT: over one interval after every endpoint was checked.
measure()
{
	local before after t0 t1 c0 c1 most=0 n end

	before=$(attempts) c0=$(cpu) t0=${EPOCHREALTIME/[.,]/}
	end=$((t0 + INTERVAL * 1000000))
	while ((${EPOCHREALTIME/[.,]/} < end)); do
		n=$(ls "/proc/$AGENT/fd" | wc -l)
		((n <= most)) || most=$n
		sleep 0.05
	done
	c1=$(cpu) t1=${EPOCHREALTIME/[.,]/} after=$(attempts)
	rate=$(((after - before) * 1000000 / (t1 - t0)))
	sockets=$((most - idle))
	echo "FIGURES: $1: $TARGETS endpoints every $INTERVAL s: $rate checks/s, agent at $(((c1 - c0) * 10000 / $(getconf CLK_TCK) * 100 / ((t1 - t0) / 100)))% of a CPU," \
		"at most $sockets sockets at once, late: $(page '' | jq .late)"
}

service many tcp 10.96.0.1:80 random | config
start_agent
idle=$(ls "/proc/$AGENT/fd" | wc -l)
want=$((TARGETS / INTERVAL))
for type in tcp http; do
	port=80
	[ $type = tcp ] || port=8080
	many $type 127.1:$port "$TARGETS" | config
	must $((INTERVAL * 3 + 5)) "all have been checked" all_checked
	assert_eq "$(page many | jq '[.endpoints[] | select(.state != "healthy")] | length')" 0 "$type: endpoints that are not healthy"
	measure "$type"
	((rate > want / 2 && rate < want * 2)) || fail "$type: $rate checks/s, wanted about $want"
	((sockets <= 260)) || fail "$type: $sockets sockets at once"
done

echo "-- a tenth is silent"
many tcp 127.1:80 $((TARGETS * 9 / 10)) 10.98:80 $((TARGETS / 10)) | config
must $((INTERVAL * 3 + 5)) "all have been checked" all_checked
measure "a tenth silent for 1 s"
((sockets <= 260)) || fail "$sockets sockets at once"
assert_eq "$(page many | jq '[.endpoints[] | select(.state == "unhealthy")] | length')" $((TARGETS / 10)) "silent endpoints"
! grep -q "no memory\|cannot" "$DIR/agent.log" || fail "$(cat "$DIR/agent.log")"
(($(grep -c "is unhealthy" "$DIR/agent.log") <= 60)) || fail "the log has a line for each endpoint"

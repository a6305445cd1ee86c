#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The operator drains an endpoint: nothing new, and an end for what is left, in two network namespaces; with an agent, with one that is
# killed, and without any. Then the same with the kernel's function for it out of reach (WEFT_SOCK_DESTROY=netlink).
. "$(dirname "$0")/lib.sh"

one=127.0.0.1:80 two=127.0.0.2:80
ns_make pod
echo_start $one $two
spawn_in "$PLACE-pod" "$O/tests/tools/echo" $one $two >"$DIR/pod.out" 2>"$DIR/pod.log"
must 10 "the servers of the pod are up" grep -q ready "$DIR/pod.out"
write() # WEIGHT: of a third endpoint, so that there is something to change
{
	{
		service web tcp 10.96.0.1:80 round-robin $one $two "127.0.0.9:80@$1"
		echo '    drain-timeout: 60s'
		service dns udp 10.96.0.1:53 round-robin $one $two
	} | config
}

# hold NAME PROTO PORT: a connection, in namespace $CLIENT; $DIR/NAME begins with its endpoint and ends with "ended SECONDS WHY".
hold()
{
	spawn_in_cgroup bash -c 'exec 3<>"/dev/$1/10.96.0.1/$2"
		[ "$1" = tcp ] || echo who >&3
		dd bs=512 count=1 <&3 2>/dev/null; echo
		why=$(cat <&3 2>&1 >/dev/null)
		echo "ended $EPOCHREALTIME $why"' - "$2" "$3" >"$DIR/$1" 2>&1
	must 5 "$1 is connected" grep -q 127.0 "$DIR/$1"
}

held=()
hold_all() # TAG: until each endpoint has some in both namespaces
{
	local i

	held=()
	for CLIENT in "$PLACE" "$PLACE-pod"; do
		for i in 1 2 3 4; do
			hold "tcp-$1-$CLIENT-$i" tcp 80
			held+=("$DIR/tcp-$1-$CLIENT-$i")
		done
	done
	CLIENT=$PLACE
}
at() { grep -l "^$1" "${held[@]}"; }
ended_at() { [ "$(grep -l ^ended $(at $one) | wc -l)" = "$(at $one | wc -l)" ]; }
none_ended() { ! grep -q ^ended $(at "$1"); }
# How long after moment $1 the last connection to $one ended.
last_end() { awk -v from="$1" '/^ended/ { if ($2 - from > last) last = $2 - from } END { printf "%.2f", last }' $(at $one); }
state() { weft endpoint list web -o json | jq -r --arg e "$1" '.[] | select(.endpoint == $e) | .state'; }
state_is() { [ "$(state "$1")" = "$2" ]; }
closed() { weft dump counts -o json | jq '[.. | objects | select(.name? == "drain_closed" or .reason? == "drain_closed") | (.count // .value // .number)] | add // 0'; }

round() # TAG
{
	local said deadline n

	write 0
	start_agent
	hold_all "$1"
	n=$(at $one | wc -l)
	((n >= 2 && n < 8)) || fail "$n of 8 connections are at $one"

	# An agent is there, and does it to the millisecond; it is restarted and reloads meanwhile, and that changes nothing.
	said=$(weft endpoint drain web $one -t 8s)
	deadline=$(awk -v t="$EPOCHREALTIME" 'BEGIN { printf "%.6f", t + 8 }')
	assert_match "$said" "what is left is closed in" "endpoint drain"
	assert_eq "$(spread 10.96.0.1:80 20)" "$two 20" "new connections"
	stop_agent
	write 0
	start_agent
	service other tcp 10.96.0.7:80 random $two >>"$DIR/weft.yaml"
	must 5 "the reload" endpoints_are other $two
	state_is $one drained || fail "after a restart and a reload $one is $(state $one)"
	none_ended $one || fail "something was closed too early"
	must 12 "all connections to $one are closed" ended_at
	none_ended $two || fail "a connection to $two was closed"
	grep -q "abort" $(at $one) || fail "what a client saw: $(cat $(at $one))"
	echo "FIGURES: $1: agent: the last of $n connections in two namespaces ended $(last_end "$deadline") s after the deadline"
	weft endpoint undrain web $one >/dev/null
	state_is $one ready || fail "undrain"

	# kill -9 after the deadline was set.
	hold_all "$1-killed"
	weft endpoint drain web $one --timeout 3s >/dev/null
	deadline=$(awk -v t="$EPOCHREALTIME" 'BEGIN { printf "%.6f", t + 3 }')
	stop_agent KILL
	if [ "$1" = kernel ]; then
		must 15 "without an agent all connections to $one are closed" ended_at
		echo "FIGURES: $1: agent killed: the last ended $(last_end "$deadline") s after the deadline"
		none_ended $two || fail "a connection to $two was closed"
	fi
	weft endpoint undrain web $one >/dev/null

	# No agent at all: the command does it.
	hold_all "$1-alone"
	weft endpoint drain web $one -t 0s >/dev/null
	must 3 "the command alone closes" ended_at
	none_ended $two || fail "a connection to $two was closed"
	weft endpoint undrain web $one >/dev/null

	# Connected UDP is released at once, when its endpoint is drained.
	hold "gone-$1" udp 53
	weft endpoint drain dns "$(head -n 1 "$DIR/gone-$1" | cut -d' ' -f1)" -t off >/dev/null
	must 3 "the UDP socket is released" grep -q ^ended "$DIR/gone-$1"
	weft endpoint undrain dns "$(head -n 1 "$DIR/gone-$1" | cut -d' ' -f1)" >/dev/null
	weft check >"$DIR/check.log" || fail "weft check: $(cat "$DIR/check.log")"
	weft unload >/dev/null
}

round kernel
export WEFT_SOCK_DESTROY=netlink
round netlink
[ -z "$(ls "$BPFFS/weft" 2>/dev/null | grep -x "$INSTANCE")" ] || fail "something is left"

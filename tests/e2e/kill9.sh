#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# kill -9 at random moments of reloads while clients connect in a loop: no connect fails, and the maps are whole after each restart.
# WEFT_RELOADS sets how many; scripts/soak runs 1,000.
. "$(dirname "$0")/lib.sh"

RELOADS=${WEFT_RELOADS:-50}
RANDOM=${WEFT_SEED:-1}
all=(127.0.0.{1..9}:80)
echo_start "${all[@]}"
write() # two services whose endpoints shift with every reload, so that there is always something to change
{
	local a=${all[$((RANDOM % 9))]} b=${all[$((RANDOM % 9))]}

	[ "$a" != "$b" ] || b=${all[$(((${b:8:1}) % 9))]}
	{ service web tcp 10.96.0.1:80 round-robin "$a@$((RANDOM % 5 + 1))" "$b"; service api tcp 10.96.0.2:80 maglev "$b" "$a"; } | config
}
pause() { sleep "$(printf '0.%03d' $((RANDOM % $1)))"; } # up to so many milliseconds: a random moment of a reload
write
start_agent
loops=()
for to in 10.96.0.1:80 10.96.0.2:80; do
	spawn_in_cgroup "$O/tests/tools/connector" --to $to --seconds 100000 --think-ms 1 --json >"$DIR/loop-$to.json" 2>"$DIR/loop.log"
	loops+=("$SPAWNED")
done
kills=0
for ((i = 1; i <= RELOADS; i++)); do
	write
	if ((RANDOM % 3 == 0 || i == RELOADS)); then
		pause 100
		stop_agent KILL
		weft check >"$DIR/check.log" 2>&1 || fail "weft check after kill $kills (reload $i)"
		start_agent
		weft check >"$DIR/check.log" 2>&1 || fail "weft check after restart $kills (reload $i)"
		kills=$((kills + 1))
	else
		pause 60
	fi
done
kill -TERM "${loops[@]}"
for loop in "${loops[@]}"; do must 10 "the clients end" gone "$loop"; done
total=$(cat "$DIR"/loop-*.json | jq -s 'map(.ok + .failed) | add')
failed=$(cat "$DIR"/loop-*.json | jq -s 'map(.failed) | add')
cat "$DIR"/loop-*.json
echo "FIGURES: $RELOADS edits ($(grep -c applied: "$DIR/agent.log") applied by the agent that was watching, the rest at its start), $kills kills, $total connects, $failed failed"
assert_eq "$failed" 0 "failed connects"
((total > RELOADS)) || fail "only $total connects were made"
idle() { [ "$(weft endpoint list -o json | jq '[.[].active] | add')" = 0 ]; }
must 10 "active counts return to 0" idle

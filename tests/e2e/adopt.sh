#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A new agent adopts what the killed one left: ids, counters, open connections; traffic never stops.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80 127.0.0.2:80
service web tcp 10.96.0.1:80 round-robin 127.0.0.1:80 127.0.0.2:80 | config
start_agent
connects 10.96.0.1:80 100 >/dev/null
spawn_in_cgroup bash -c 'exec 3<>/dev/tcp/10.96.0.1/80; echo open; exec sleep 60' >"$DIR/held"
must 5 "one connection is held" grep -q open "$DIR/held"
picture()
{
	weft endpoint list -o json | jq -c '[.[] | [.id, .gen, .endpoint, .opened, .active]]'
	weft service list -o json | jq -c '[.[] | [.id, .name]]'
	for l in "$PINS"/links/*; do bpftool -j link show pinned "$l" | jq .id; done
}
before=$(picture)
assert_eq "$(weft connections -o json | jq length)" 1 "the held connection is listed"
stop_agent KILL
assert_eq "$(failures 10.96.0.1:80 50)" 0 "connects without an agent"
weft check || fail "weft check without an agent"
start_agent
assert_eq "$(picture | sed 's/,[0-9]*,\([0-9]*\)\]/,\1]/g')" "$(sed 's/,[0-9]*,\([0-9]*\)\]/,\1]/g' <<<"$before")" "ids after adoption"
assert_eq "$(weft endpoint list -o json | jq '[.[].opened] | add')" 151 "counters went on"
assert_eq "$(weft endpoint list -o json | jq '[.[].active] | add')" 1 "the held connection is still counted"
weft check || fail "weft check after adoption"

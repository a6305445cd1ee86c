#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A new binary takes over in place: programs are swapped through their links, which stay, as do the maps; a held connection lives on.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80 127.0.0.2:80
service web tcp 10.96.0.1:80 round-robin 127.0.0.1:80 127.0.0.2:80 | config
start_agent
link_ids() { for l in "$PINS"/links/*; do bpftool -j link show pinned "$l"; done | jq -r "$1"; }
map_ids() { for m in "$PINS"/weft_*; do bpftool -j map show pinned "$m" | jq -r .id; done; }
links=$(link_ids .id) progs=$(link_ids .prog_id) maps=$(map_ids)

spawn_in_cgroup "$O/tests/tools/connector" --to 10.96.0.1:80 --seconds 1000 --think-ms 1 --json >"$DIR/loop"
loop=$SPAWNED
install -m 755 "$WEFT" "$DIR/weft-next"
stop_agent
WEFT=$DIR/weft-next
start_agent
kill -TERM $loop
must 10 "the clients end" gone $loop
assert_eq "$(jq '[.failed, .ok > 0]' -c "$DIR/loop")" "[0,true]" "failed connects during the upgrade"
assert_eq "$(link_ids .id)" "$links" "links stay"
assert_eq "$(map_ids)" "$maps" "maps stay"
for p in $progs; do
	! link_ids .prog_id | grep -qx "$p" || fail "program $p of the old binary is still attached"
done
weft check >/dev/null || fail "weft check after the upgrade"

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# After `weft unload` no program, map, link, pin or attachment of the instance is left. Others may come and go meanwhile, so ids are compared.
. "$(dirname "$0")/lib.sh"

ids() { bpftool -j "$1" show | jq -r '.[].id' | sort; }
gone_ids() # KIND FILE: none of the ids is there
{
	[ -z "$(comm -12 <(ids "$1") "$2")" ]
}
echo_start 127.0.0.1:80
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | config
start_agent
connects 10.96.0.1:80 10 >/dev/null
for m in "$PINS"/weft_*; do bpftool -j map show pinned "$m" | jq -r .id; done | sort >"$DIR/map"
for l in "$PINS"/links/* "$PINS"/iter_flow; do bpftool -j link show pinned "$l"; done >"$DIR/links.json"
jq -r .id "$DIR/links.json" | sort >"$DIR/link"
jq -r .prog_id "$DIR/links.json" | sort >"$DIR/prog"
for k in map link prog; do [ "$(wc -l <"$DIR/$k")" -ge 8 ] || fail "too few ${k}s: $(cat "$DIR/$k")"; done
[ "$(bpftool -j cgroup show "$CG" | jq length)" -ge 8 ] || fail "not attached"
# no memory of another instance may be taken for ours
for k in map link prog; do assert_eq "$(comm -13 <(ids $k) "$DIR/$k")" "" "all ${k}s are listed"; done

stop_agent
weft unload
for k in map link prog; do must 10 "every $k is gone" gone_ids $k "$DIR/$k"; done
[ ! -e "$PINS" ] || fail "pins are left: $(ls -R "$PINS")"
assert_eq "$(bpftool cgroup show "$CG")" "" "attachments to the cgroup"
assert_eq "$(ls /run/weft 2>/dev/null | grep -F "$INSTANCE" || true)" "" "files in /run/weft"
r=0; message=$(weft unload 2>&1) || r=$?
assert_eq "$r" 1 "a second unload fails"
assert_match "$message" "$INSTANCE" "and names the instance"

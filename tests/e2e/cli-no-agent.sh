#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Every reading command works from the pinned maps while no agent runs, in every format.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80 127.0.0.2:53
{
	service web tcp 10.96.0.1:80 p2c-ewma 127.0.0.1:80
	service dns udp 10.96.0.2:53 maglev 127.0.0.2:53
} | config
in_ns "$PLACE" "$WEFT" load -c "$DIR/weft.yaml"
connects 10.96.0.1:80 5 >/dev/null
spawn_in_cgroup bash -c 'exec 3<>/dev/tcp/10.96.0.1/80; echo open; exec sleep 60' >"$DIR/held"
must 5 "one connection is held" grep -q open "$DIR/held"
maps=$(for m in "$PINS"/weft_*; do m=${m##*/}; echo "dump ${m#weft_}"; done)
while read -r words; do
	for format in table wide json; do
		weft $words -o $format >"$DIR/out" 2>"$DIR/err" || fail "weft $words -o $format: $(cat "$DIR/err")"
		[ -s "$DIR/out" ] || fail "weft $words -o $format prints nothing"
	done
	jq -e . "$DIR/out" >/dev/null || fail "weft $words -o json is no JSON: $(head -c 300 "$DIR/out")"
done <<END
status
doctor
service list
service show web
endpoint list
endpoint list dns
connections
connections web
explain 10.96.0.1:80
explain 10.96.0.2:53 udp
explain 192.0.2.1:80
check
dump
$maps
END
assert_eq "$(weft connections -o json | jq -r '.[].endpoint')" 127.0.0.1:80 "the held connection"
assert_match "$(weft explain 10.96.0.1:80)" "127.0.0.1:80" "explain names the endpoint"
weft metrics >/dev/null && weft version >/dev/null && weft help >/dev/null && weft completion bash >/dev/null

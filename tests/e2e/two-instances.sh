#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Two instances with one service address in two cgroups: each caller gets its own, and unloading one leaves the other alone.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80 127.0.0.2:80
mkdir "$CG/a" "$CG/b"
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | ATTACH=$CG/a config
start_agent
instances+=("$INSTANCE-b")
{
	printf 'instance: %s-b\ncgroup: %s/b\nmetrics:\n  listen: "off"\nservices:\n' "$INSTANCE" "$CG"
	service web tcp 10.96.0.1:80 random 127.0.0.2:80
} >"$DIR/b.yaml"
in_ns "$PLACE" "$WEFT" load -c "$DIR/b.yaml"

GROUP=$CG/a
assert_eq "$(spread 10.96.0.1:80 20)" "127.0.0.1:80 20" "callers in cgroup a"
GROUP=$CG/b
assert_eq "$(spread 10.96.0.1:80 20)" "127.0.0.2:80 20" "callers in cgroup b"
assert_eq "$(weft service list -o json | jq '.[0].opened')" 20 "the first instance counts its own"
"$WEFT" unload --instance "$INSTANCE-b"
assert_eq "$(failures 10.96.0.1:80 2)" 2 "cgroup b has no service any more"
GROUP=$CG/a
assert_eq "$(spread 10.96.0.1:80 20)" "127.0.0.1:80 20" "cgroup a goes on"
weft check >/dev/null || fail "weft check of the first instance"

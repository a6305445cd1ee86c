#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Files are written in many ways: in two steps, truncated and rewritten, renamed over, behind a symbolic link that is swapped (ConfigMaps).
. "$(dirname "$0")/lib.sh"

file() { printf 'instance: %s\ncgroup: %s\nservices:\n' "$INSTANCE" "$CG"; service web tcp 10.96.0.1:80 random "$@"; }
mkdir "$DIR/v1"
file 127.0.0.1:80 >"$DIR/v1/weft.yaml"
ln -s v1 "$DIR/..data"
ln -s ..data/weft.yaml "$DIR/weft.yaml"
start_agent
must 5 "through the symbolic link" endpoints_are web 127.0.0.1:80

mkdir "$DIR/v2"
file 127.0.0.2:80 >"$DIR/v2/weft.yaml"
ln -s v2 "$DIR/..data.new" && mv -T "$DIR/..data.new" "$DIR/..data"
must 5 "the swapped link" endpoints_are web 127.0.0.2:80

file 127.0.0.3:80 >"$DIR/v2/weft.yaml"
must 5 "rewritten in place, behind the link" endpoints_are web 127.0.0.3:80

file 127.0.0.4:80 | replace "$DIR/weft.yaml"
must 5 "replaced by rename" endpoints_are web 127.0.0.4:80

text=$(file 127.0.0.5:80 127.0.0.6:80)
printf '%s' "${text:0:${#text}-20}" >"$DIR/weft.yaml"
sleep 0.2 # time to do wrong: nothing says when half a file was not read
ready=$(weft endpoint list web -o json | jq -r '[.[] | select(.state == "ready") | .endpoint] | join(" ")')
assert_match "$ready" "^127.0.0.[45]:80$" "half a file: as before, or what is whole of it"
printf '%s\n' "${text: -20}" >>"$DIR/weft.yaml"
must 5 "the second half" endpoints_are web 127.0.0.5:80 127.0.0.6:80

rm "$DIR/weft.yaml"
must 5 "a file that is gone is reported" grep -q 'weft.yaml: ' "$DIR/agent.log"
endpoints_are web 127.0.0.5:80 127.0.0.6:80 || fail "services went away with the file"
file 127.0.0.7:80 >"$DIR/weft.yaml"
must 5 "and read when it is back" endpoints_are web 127.0.0.7:80

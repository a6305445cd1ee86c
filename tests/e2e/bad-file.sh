#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A bad file changes nothing in the kernel and is reported: log, metric, status; a good one clears it.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | config
start_agent
before=$(weft service list -o json)
failed()
{
	metrics | awk '$1 ~ /^weft_reloads_total/ && /result="(failed|error)"/ { n = $NF } END { exit !(n >= '"$1"') }'
}
{ echo "  - name: web2"; echo "    adress: 10.96.0.7:80"; } | config
must 5 "the failed reload is counted" failed 1
assert_eq "$(weft service list -o json)" "$before" "services after a bad file"
assert_eq "$(spread 10.96.0.1:80 5)" "127.0.0.1:80 5" "traffic after a bad file"
must 5 "the log names file, line, key" grep -E "weft.yaml:[0-9]+:.*adress" "$DIR/agent.log"
assert_match "$(weft status)" "adress" "status tells what is wrong"
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | config
good() { ! weft status | grep -q adress; }
must 5 "a good file clears it" good

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# 10,000 services: time of a full load and of a single change, as the agent reports them. Bounds are wide; `make bench` measures.
. "$(dirname "$0")/lib.sh"

N=${WEFT_SERVICES:-10000} E=${WEFT_ENDPOINTS:-10}
generate() # LAST OCTET of the last service's only endpoint
{
	awk -v n="$N" -v e="$E" -v last="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			printf "  - name: svc-%05d\n    address: 10.%d.%d.%d:80\n    endpoints:\n", i, 96 + int(i / 65536), int(i / 256) % 256, i % 256
			if (i == n - 1)
				printf "      - 127.0.0.%d:80\n", last
			else
				for (j = 0; j < e; j++)
					printf "      - 172.%d.%d.%d:%d\n", 16 + j, int(i / 256) % 256, i % 256, 8000 + j
		}
	}'
}
echo_start 127.0.0.1:80 127.0.0.2:80
mkdir "$DIR/services"
generate 1 >"$DIR/services/all"
{ echo "services:"; head -n -4 "$DIR/services/all"; } >"$DIR/services/most.yaml"
{ echo "services:"; tail -n 4 "$DIR/services/all"; } >"$DIR/services/last.yaml"
rm "$DIR/services/all"
printf 'instance: %s\ncgroup: %s\nsources:\n  - file: %s/services/*.yaml\nlimits:\n  services: 16384\n  specs: 32768\n  endpoints: 262144\n' "$INSTANCE" "$CG" "$DIR" >"$DIR/weft.yaml"
start=${EPOCHREALTIME/[.,]/}
start_agent
must 30 "all are published" bash -c '[ "$("$1" status --instance "$2" -o json | jq .services)" = "$3" ]' - "$WEFT" "$INSTANCE" "$N"
loaded=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
last=10.$((96 + (N - 1) / 65536)).$(((N - 1) / 256 % 256)).$(((N - 1) % 256)):80
assert_eq "$(spread "$last" 3)" "127.0.0.1:80 3" "the last service"
{ echo "services:"; generate 2 | tail -n 4; } >"$DIR/last.yaml"
start=${EPOCHREALTIME/[.,]/}
mv "$DIR/last.yaml" "$DIR/services/last.yaml"
must 10 "the change" endpoints_are "$(printf 'svc-%05d' $((N - 1)))" 127.0.0.2:80
changed=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
assert_eq "$(spread "$last" 3)" "127.0.0.2:80 3" "after the change"
echo "FIGURES: $N services x $E endpoints: agent start to published $loaded ms; one change, file to visible in the CLI $changed ms"
grep -hE 'publish|applied|visible' "$DIR/agent.log" | tail -n 3 || true
echo "FIGURES: agent memory $(awk '$1 == "VmRSS:" { print $2 }' "/proc/$AGENT/status") KiB"
((loaded < 30000 && changed < 5000)) || fail "too slow"

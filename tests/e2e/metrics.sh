#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# /metrics is clean under promtool, speaks OpenMetrics when asked, counts what happened, and `weft metrics` shows it without an agent.
. "$(dirname "$0")/lib.sh"
command -v promtool >/dev/null || skip "no promtool; ./scripts/deps test"

echo_start 127.0.0.1:80 127.0.0.2:80
{
	service web tcp 10.96.0.1:80 round-robin 127.0.0.1:80 127.0.0.2:80
	service dead tcp 10.96.0.3:80 random 127.0.0.3:80
	service empty udp 10.96.0.4:53 random
} | config
start_agent
connects 10.96.0.1:80 20 >/dev/null
connects 10.96.0.3:80 5 >/dev/null
metrics -D "$DIR/head" >"$DIR/page"
promtool check metrics <"$DIR/page" >"$DIR/promtool" 2>&1 || fail "promtool: $(cat "$DIR/promtool")"
[ ! -s "$DIR/promtool" ] || fail "promtool remarks: $(cat "$DIR/promtool")"
assert_match "$(cat "$DIR/head")" "text/plain; version=0.0.4" "Prometheus content type"
metrics -D "$DIR/head" -H 'Accept: application/openmetrics-text; version=1.0.0' >"$DIR/open"
assert_match "$(cat "$DIR/head")" "application/openmetrics-text; version=1.0.0" "OpenMetrics content type"
assert_eq "$(tail -n 1 "$DIR/open")" "# EOF" "OpenMetrics ends with EOF"
sum() # METRIC REGEX
{
	awk -v m="$1" -v re="$2" 'index($0, m "{") == 1 && $0 ~ re { n += $NF } END { print n + 0 }' "$DIR/page"
}
assert_eq "$(sum weft_connections_opened_total 'service="web"')" 20 "opened"
assert_eq "$(sum weft_connection_failures_total 'service="dead".*reason="refused"|reason="refused".*service="dead"')" 5 "refused"
assert_eq "$(in_ns "$PLACE" curl -s -o /dev/null -w '%{http_code}' http://$METRICS/nothing)" 404 "another path"
stop_agent KILL
weft metrics | promtool check metrics || fail "promtool on weft metrics without an agent"

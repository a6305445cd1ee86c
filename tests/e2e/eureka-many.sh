#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Thousands of applications in Eureka, half of the services by application and half by VIP name: how long it takes until all are published, what it
# costs, and how long a change needs until a connect() lands on it. WEFT_SERVICES x WEFT_ENDPOINTS, WEFT_RATE changes a second for WEFT_SECONDS:
# 1,000 x 10 and 100 for 3 by default; the figures in docs/EUREKA.md are of 10,000 x 10 and 1,000 for 20.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/fakes/eureka.sh"
[ -z "$REAL" ] || skip "a real one is not filled with thousands of instances"
N=${WEFT_SERVICES:-1000} E=${WEFT_ENDPOINTS:-10} RATE=${WEFT_RATE:-100} SECONDS_OF=${WEFT_SECONDS:-3}

services() { weft status -o json | jq .services; }
endpoints() { weft status -o json | jq .endpoints; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$AGENT/stat"; } # ms
kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$AGENT/status"; }
asked() { in_ns "$PLACE" curl -sf -m 5 "http://$CONTROL/stats" | jq ".[\"$1\"] // 0"; }
lag() { in_cgroup python3 "$TOP/tests/fakes/eureka-latency.py" "http://$SERVER$BASE" MOVING 10.96.0.2:80 127.0.0.11:80 127.0.0.12:80 "$1"; }

echo_start 127.0.0.11:80 127.0.0.12:80
server_start --state "" --apps "$N" --endpoints "$E"
put MOVING moving 127.0.0.11 80
{
	cat <<-END
		instance: $INSTANCE
		cgroup: $CG
		addresses: 10.99.0.0/16
		limits: {services: 16384, frontends: 32768, specs: 32768, endpoints: 262144, slots: 2097152}
		registries:
		  - { name: eureka, type: eureka, servers: ["http://$SERVER$BASE"], refresh: 1s, timeout: 30s }
		services:
		  - { name: moving, address: "10.96.0.2:80", discover: { registry: eureka, application: MOVING } }
	END
	for ((i = 0; i < N; i++)); do
		((i % 2)) && how="application: SERVICE-$i" || how="vip: service-$i.vip"
		echo "  - { name: s$i, port: 80, discover: { registry: eureka, $how } }"
	done
} | replace "$DIR/weft.yaml"
start=${EPOCHREALTIME/[.,]/}
start_agent
must 120 "all are published" eval '[ "$(endpoints)" = '$((N * E + 1))' ]'
loaded=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
assert_eq "$(services)" $((N + 1)) "services"
echo "FIGURES: eureka: $N services x $E endpoints: agent start to published $loaded ms, $(cpu) ms of CPU, memory $(kib VmRSS) KiB, at most $(kib VmHWM) KiB"

c0=$(cpu) t0=${EPOCHREALTIME/[.,]/}
sleep "$SECONDS_OF"
echo "FIGURES: eureka: at rest, refresh 1s: $((($(cpu) - c0) * 100000 / (${EPOCHREALTIME/[.,]/} - t0)))% of a CPU"
lag 3 | sed 's/refresh 100ms/at rest, refresh 1s/'

full=$(asked "GET apps") before=$(asked churned)
control /churn "{\"rate\": $RATE, \"seconds\": $SECONDS_OF}" >"$DIR/out"
c0=$(cpu) t0=${EPOCHREALTIME/[.,]/}
sleep "$SECONDS_OF"
rate=$((($(asked churned) - before) / SECONDS_OF))
echo "FIGURES: eureka: at $rate changes/s, refresh 1s: $((($(cpu) - c0) * 100000 / (${EPOCHREALTIME/[.,]/} - t0)))% of a CPU, memory $(kib VmRSS) KiB"
lag 3 | sed 's/refresh 100ms/after them, refresh 1s/'
assert_eq "$(asked "GET apps")" "$full" "full answers, without one for the changes"

# What the agent has is what the server has.
ours() { weft endpoint list -o json | jq -r '.[] | select(.state != "draining") | "\(.service) \(.endpoint)"' | grep ^s | sort -u; }
theirs() { ask GET /apps | jq -r '.applications.application[].instance | if type == "array" then .[] else . end | select(.app != "MOVING") | "s\(.app | ltrimstr("SERVICE-")) \(.ipAddr):\(.port["$"])"' | sort -u; }
theirs >"$DIR/theirs"
same() { ours | cmp -s - "$DIR/theirs"; }
must 20 "the agent has what the server has" same
assert_eq "$(wc -l <"$DIR/theirs")" $((N * E)) "endpoints that were compared"

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Thousands of Services and many changes a second: how long the first list takes, what it costs, and how long a change in the API server needs
# until a connect() lands on the new endpoint. WEFT_SERVICES x WEFT_ENDPOINTS, WEFT_RATE changes a second for WEFT_SECONDS:
# 2,000 x 10 and 300 for 4 by default; the figures in docs/KUBERNETES.md are of 10,000 x 10 and 1,000 for 20.
. "$(dirname "$0")/lib.sh"
for tool in curl python3 jq; do command -v $tool >/dev/null || skip "$tool is missing"; done

N=${WEFT_SERVICES:-2000} E=${WEFT_ENDPOINTS:-10} RATE=${WEFT_RATE:-300} SECONDS_OF=${WEFT_SECONDS:-4}
API=127.0.0.1:6443 CONTROL=127.0.0.1:6444 VIP=10.95.0.1

api()
{
	in_ns "$PLACE" curl -sf -m 10 -d "${2:-}" "http://$CONTROL$1"
}

services()
{
	weft status -o json | jq .services
}

cpu() # of process $1, in hundredths of a second
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# Writes an endpoint, connects until it answers, a number of times. Prints median and worst in ms.
cat >"$DIR/lag.py" <<'END'
import json, socket, sys, time, urllib.request
control, vip, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
def apply(ip):
    o = {"kind": "EndpointSlice", "metadata": {"namespace": "lag", "name": "m-x", "labels": {"kubernetes.io/service-name": "m"}}, "addressType": "IPv4",
         "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}], "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}]}
    urllib.request.urlopen("http://%s/apply" % control, json.dumps(o).encode(), timeout=10).read()
def answer():
    try:
        with socket.create_connection((vip, 80), timeout=2) as s:
            return s.getpeername()[0], s.recv(64).decode()
    except OSError:
        return "", ""
lags, i, end = [], 0, time.monotonic() + seconds
while time.monotonic() < end:
    i += 1
    ip = "127.0.0.%d" % (11 + i % 2)
    begin = time.monotonic()
    apply(ip)
    while ip not in answer()[1]:
        if time.monotonic() - begin > 20:
            sys.exit("no change within 20 s")
        time.sleep(0.001)
    lags.append((time.monotonic() - begin) * 1000)
lags.sort()
print("%.1f %.1f %d" % (lags[len(lags) // 2], lags[-1], len(lags)))
END

lag() # SECONDS
{
	in_cgroup python3 "$DIR/lag.py" $CONTROL $VIP "$1"
}

echo_start 127.0.0.11:8080 127.0.0.12:8080
spawn_in "$PLACE" /usr/bin/python3 "$TOP/tests/fakes/kubernetes.py" --listen $API --control $CONTROL --services "$N" --endpoints "$E" >"$DIR/fake.out" 2>"$DIR/fake.log"
FAKE=$SPAWNED
must 60 "the fake is up" grep -q ready "$DIR/fake.out"
api /apply '{"kind":"Service","metadata":{"namespace":"lag","name":"m"},"spec":{"clusterIP":"'$VIP'","clusterIPs":["'$VIP'"],"ports":[{"name":"http","port":80,"protocol":"TCP"}]}}' >/dev/null
cat >"$DIR/weft.yaml" <<-END
	instance: $INSTANCE
	cgroup: $CG
	limits: {services: 16384, frontends: 32768, specs: 32768, endpoints: 262144, slots: 2097152}
	registries:
	  - {name: k8s, type: kubernetes, server: "http://$API", page: 500}
END
start=${EPOCHREALTIME/[.,]/}
start_agent
must 60 "all are published" eval '[ "$(services)" = '$((N + 1))' ]'
loaded=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
c0=$(cpu "$AGENT")
memory=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$AGENT/status")
echo "FIGURES: $N services x $E endpoints: agent start to published $loaded ms, $((c0 * 10)) ms of CPU, memory $memory KiB"

read -r median worst times <<<"$(lag 2)"
[ -n "$times" ] || fail "no change arrived in a cluster at rest"
echo "FIGURES: at rest, a write to a connect() that lands: median $median ms, worst $worst ms of $times"

before=$(api /stats | jq '.churned // 0')
api /churn "{\"rate\": $RATE, \"seconds\": $SECONDS_OF}" >/dev/null
c0=$(cpu "$AGENT") t0=${EPOCHREALTIME/[.,]/}
read -r median worst times <<<"$(lag "$((SECONDS_OF - 1))")"
c1=$(cpu "$AGENT") t1=${EPOCHREALTIME/[.,]/}
[ -n "$times" ] || fail "no change arrived under load"
must 20 "the churn ends" eval '[ "$(api /stats | jq ".churned // 0")" -gt '"$before"' ]'
rate=$((($(api /stats | jq .churned) - before) / SECONDS_OF))
memory=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$AGENT/status")
echo "FIGURES: at $rate changes/s: median $median ms, worst $worst ms of $times; $(((c1 - c0) * 1000000 / (t1 - t0)))% of a CPU, memory $memory KiB"
awk -v worst="$worst" 'BEGIN { exit !(worst < 5000) }' || fail "a change took $worst ms"

# What the agent has is what the server has.
all()
{
	weft endpoint list -o json | jq -r '.[] | select(.state != "draining") | "\(.service) \(.endpoint)"' | sort
}
theirs()
{
	in_ns "$PLACE" curl -sf -m 30 "http://$API/apis/discovery.k8s.io/v1/endpointslices" |
		jq -r '.items[] | .metadata.namespace as $n | .metadata.labels["kubernetes.io/service-name"] as $s | .endpoints[] | "\($n)/\($s) \(.addresses[0]):8080"' | sort -u
}
theirs >"$DIR/theirs"
must 20 "the agent has what the server has" eval 'all | cmp -s - "$DIR/theirs"'
[ "$(wc -l <"$DIR/theirs")" -ge $((N * E * 9 / 10)) ] || fail "too few endpoints to compare"
assert_eq "$(api /stats | jq .lists)" 3 "lists, the one above included"

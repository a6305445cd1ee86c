#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A control plane for Envoy as a registry: what it says by EDS is where connects land, and what it says by CDS are services; by REST and from
# files. With a fake (tests/fakes/envoy.py). What a real one says is read, too, with WEFT_TEST_XDS=http://HOST:PORT.
. "$(dirname "$0")/lib.sh"
for tool in python3 curl jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
. "$TOP/tests/fakes/envoy.sh"

conf()
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		addresses: 10.99.0.0/24
		names: { suffix: mesh, listen: "127.0.0.30:5300" }
		registries:
		  - { name: xds, type: envoy, servers: [$SERVER], token-file: $DIR/token, node: $PLACE, cluster: tests, refresh: 100ms,
		      timeout: 500ms, backoff-max: 1s, clusters: true }
		  - { name: files, type: envoy, path: $DIR/cds.yaml }
		services:
		  - { name: web, address: "10.96.0.2:80", balance: round-robin, discover: { registry: xds, cluster: web } }
		  - { name: canary, address: "10.96.0.3:80", discover: { registry: xds, cluster: web, filter: ["version=v2"], empty: clear } }
		  - { name: clear, address: "10.96.0.4:80", discover: { registry: xds, cluster: clear, empty: clear, port: 81 } }
		  - { name: file, address: "10.96.0.5:80", discover: { registry: files, cluster: web, path: $DIR/eds.json } }
	END
}

# "ADDRESS:PORT WEIGHT PRIORITY ZONE READY" of each endpoint that is found for service $1.
rows() { in_ns "$PLACE" "$WEFT" discover -c "$DIR/weft.yaml" -o json "$1" | jq -r '[.[] | "\(.endpoint) \(.weight) \(.priority) \(.zone // "-") \(.ready)"] | join(", ")'; }
rows_are() { [ "$(rows "$1")" = "$2" ]; }
setting() { weft service show "$1" -o json | jq -r ".service.$2 // .$2"; }
address_of() { weft service show "$1" -o json | jq -r '[.. | .addresses? // empty | if type == "array" then .[] else . end][0]'; }
no_service() { ! weft service show "$1"; }

real()
{
	cat >"$DIR/real.yaml" <<-END
		addresses: 10.99.0.0/16
		registries: [{ name: xds, type: envoy, servers: [$WEFT_TEST_XDS], clusters: true, node: ${WEFT_TEST_XDS_NODE:-weft} }]
	END
	"$WEFT" discover -c "$DIR/real.yaml" --timeout 10s -o json >"$DIR/real.out" 2>"$DIR/real.log" || fail "$WEFT_TEST_XDS: $(cat "$DIR/real.log")"
	echo "-- $WEFT_TEST_XDS has $(jq -r '[.[].service] | unique | length' "$DIR/real.out") clusters with endpoints"
}
[ -z "${WEFT_TEST_XDS:-}" ] || real

echo_start 127.0.0.11:80 127.0.0.12:80
server_start
cat >"$DIR/cds.yaml" <<END
resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: from-file
  type: EDS
  eds_cluster_config: { service_name: web, eds_config: { path_config_source: { path: $DIR/eds.json } } }
  metadata: { filter_metadata: { weft: { address: "10.96.1.9:80" } } }
END
answer "$(assignment web "$(locality 127.0.0.11:80)")" >"$DIR/eds.json"
put_endpoints web 127.0.0.11:80
put_endpoints clear "127.0.0.11:80"
conf
start_agent

echo "-- what is said by EDS is where connects land"
must 5 "one endpoint" endpoints_are web 127.0.0.11:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 4" "one endpoint"
put_endpoints web "127.0.0.11:80 127.0.0.12:80"
must 5 "two endpoints" endpoints_are web 127.0.0.11:80 127.0.0.12:80
assert_eq "$(spread 10.96.0.2:80 4)" "127.0.0.11:80 2 127.0.0.12:80 2" "two endpoints"
assert_eq "$(stat node)" "$(printf '[\n  "%s",\n  "tests"\n]' "$PLACE")" "who asks"
must 5 "another port" endpoints_are clear 127.0.0.11:81

echo "-- zones, priorities, weights, health, labels"
put endpoints web "$(assignment web \
	"$(locality "$(lb 127.0.0.11:80 '"load_balancing_weight": 3, "metadata": {"filter_metadata": {"envoy.lb": {"version": "v2"}}}'),$(lb 127.0.0.12:80 '"health_status": "DRAINING"')" '"locality": {"region": "eu", "zone": "eu-1"}')" \
	"$(locality "$(lb 127.0.0.13:80 '"health_status": "DEGRADED"'),$(lb 127.0.0.14:80 '"health_status": "UNHEALTHY"'),$(lb 127.0.0.15:80)" '"priority": 1, "locality": {"region": "us"}')")"
must 5 "all of it" rows_are web "127.0.0.11:80 3 0 eu-1 true, 127.0.0.12:80 1 0 eu-1 false, 127.0.0.13:80 1 3 us true, 127.0.0.14:80 1 1 us false, 127.0.0.15:80 1 1 us true"
must 5 "in force" endpoints_are web 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.14:80 127.0.0.15:80
assert_eq "$(weft endpoint list web -o json | jq -r '[.[] | .share_percent | floor] | join(" ")')" "70 0 0 0 30" "one of two of the first priority is ill: 1.4 x 50 percent stays"
must 5 "a filter by label" endpoints_are canary 127.0.0.11:80
put endpoints web "$(assignment web "$(locality 127.0.0.11:80 '"load_balancing_weight": 30')" "$(locality "127.0.0.12:80 127.0.0.13:80" '"load_balancing_weight": 10')")"
must 5 "shares of localities" rows_are web "127.0.0.11:80 1000 0 - true, 127.0.0.12:80 167 0 - true, 127.0.0.13:80 167 0 - true"
must 5 "the label is gone" endpoints_are canary

echo "-- none"
put endpoints clear "$(assignment clear)"
must 5 "empty: clear" endpoints_are clear
put endpoints web "$(assignment web)"
must 5 "the log says that it is held" grep -q "has no endpoint for service web any more" "$DIR/agent.log"
endpoints_are web 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 || fail "an empty answer took endpoints away"
put endpoints web null
control /touch >/dev/null
sleep 0.5
endpoints_are web 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 || fail "a resource that is no longer there took endpoints away"
put_endpoints web 127.0.0.11:80
must 5 "and again" endpoints_are web 127.0.0.11:80

echo "-- whole services by CDS"
put_endpoints shop-eds "127.0.0.11:80 127.0.0.12:80"
put clusters shop '{"name": "shop", "type": "EDS", "eds_cluster_config": {"service_name": "shop-eds", "eds_config": {"api_config_source": {"api_type": "REST"}}},
	"lb_policy": "ROUND_ROBIN", "connect_timeout": "1.5s", "metadata": {"filter_metadata": {"weft": {"address": "10.96.1.1:80"}}},
	"circuit_breakers": {"thresholds": [{"max_connections": 50, "max_pending_requests": 20}], "per_host_thresholds": [{"max_connections": 30}]},
	"outlier_detection": {"consecutive_5xx": 3, "base_ejection_time": "7s", "max_ejection_percent": 34},
	"common_lb_config": {"healthy_panic_threshold": {"value": 20}}}'
must 5 "the service is there" endpoints_are shop 127.0.0.11:80 127.0.0.12:80
assert_eq "$(spread 10.96.1.1:80 4)" "127.0.0.11:80 2 127.0.0.12:80 2" "its address is in its metadata"
weft service show shop >"$DIR/shop.txt"
for line in "connections: +0/50" "of an endpoint: +30" "handshakes pending: +0/20" "connect-timeout: +1.5 s" "the threshold is 20 %" "ejected: +0 of at most 1"; do
	grep -qE "$line" "$DIR/shop.txt" || fail "no '$line' in $(cat "$DIR/shop.txt")"
done
put clusters fixed '{"name": "fixed", "type": "STATIC", "lb_policy": "RANDOM", "load_assignment": '"$(assignment fixed "$(locality 127.0.0.12:80)")"'}'
must 5 "one without an address" endpoints_are fixed 127.0.0.12:80
VIP=$(address_of fixed)
assert_match "$VIP" '^10\.99\.0\.[0-9]+:80$' "it has one of the pool"
assert_eq "$(spread "$VIP" 3)" "127.0.0.12:80 3" "connects to it"
put clusters named '{"name": "named", "type": "STRICT_DNS", "load_assignment": '"$(assignment named "$(locality localhost:80)")"', "dns_lookup_family": "V4_ONLY"}'
must 5 "host names are looked up" endpoints_are named 127.0.0.1:80
put clusters odd '{"name": "odd", "type": "ORIGINAL_DST"}'
put_endpoints shop-eds 127.0.0.12:80
must 5 "its endpoints are followed" endpoints_are shop 127.0.0.12:80
put clusters fixed null
must 5 "a cluster that is gone is gone" no_service fixed
endpoints_are shop 127.0.0.12:80 || fail "and another one with it"
control /put '{"clusters": {"shop": null, "named": null, "odd": null}}' >/dev/null
must 5 "the log says that there are none" grep -q "registry xds has no service any more" "$DIR/agent.log"
endpoints_are shop 127.0.0.12:80 || fail "an empty answer took a service away"

echo "-- from files"
must 5 "an endpoint of a file" endpoints_are file 127.0.0.11:80
must 5 "and a service of one" endpoints_are from-file 127.0.0.11:80
assert_eq "$(spread 10.96.1.9:80 2)" "127.0.0.11:80 2" "connects to it"
cat >"$DIR/eds.json" <<END
resources:
- cluster_name: web
  endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.12, port_value: 80 } } } }] }]
END
must 5 "YAML, written in place" endpoints_are file 127.0.0.12:80
must 5 "and both see it" endpoints_are from-file 127.0.0.12:80

echo "-- from a write until a connect lands there"
put_endpoints web 127.0.0.12:80
must 5 "the first" endpoints_are web 127.0.0.12:80
latency() { in_cgroup python3 "$TOP/tests/fakes/envoy-latency.py" "$@" || fail "$1"; }
latency "REST, refresh 100ms" "http://$CONTROL" web 10.96.0.2:80 127.0.0.11:80 127.0.0.12:80 "${WRITES:-50}"
latency "files" "$DIR/eds.json" web 10.96.0.5:80 127.0.0.11:80 127.0.0.12:80 "${WRITES:-50}"

echo "-- servers that answer one name at a time"
mode '{"one_only": true}'
control /forget >/dev/null
put_endpoints web "127.0.0.11:80 127.0.0.12:80"
stop_agent
start_agent
put_endpoints web "127.0.0.12:80"
must 5 "each is asked for alone" endpoints_are web 127.0.0.12:80
must 5 "the log says so" grep -q "answers one name at a time" "$DIR/agent.log"

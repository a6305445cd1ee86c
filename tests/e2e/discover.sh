#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What is to be seen of discovery: `weft discover`, `weft source list`, the API under /v1, the metrics, and the files of `file-output`; with
# Consul (tests/fakes/consul.py, or a real one: WEFT_TEST_CONSUL=http://HOST:PORT).
. "$(dirname "$0")/lib.sh"
for tool in python3 curl jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
. "$TOP/tests/fakes/consul.sh"
FILES=$DIR/files

conf() # [FOLDER-OF-FILES]
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		${1:+file-output: $1}
		registries:
		  - { name: consul, type: consul, servers: [$SERVER], token-file: $DIR/token, timeout: 500ms, wait: 2s, backoff-max: 1s }
		services:
		  - name: web
		    address: 10.96.0.2:80
		    drain-timeout: 20s
		    health-check: { type: tcp, interval: 100ms, timeout: 100ms, rise: 1, fall: 1 }
		    discover: { registry: consul, service: $NODE-web }
		  - name: shop/own
		    address: 10.96.0.3:80
		    endpoints: [{ address: 127.0.0.13:80, weight: 7, zone: a }]
		$MORE
	END
}

discover() # OPTION...: sets OUT and CODE
{
	CODE=0
	OUT=$(in_ns "$PLACE" "$WEFT" discover -c "$DIR/weft.yaml" "$@" 2>"$DIR/discover.log") || CODE=$?
}

api() # PATH [JQ]
{
	in_ns "$PLACE" curl -s -m 5 "http://$METRICS/v1$1" | jq -cr "${2:-.}"
}

api_is() { [ "$(api "$1" "$2")" = "$3" ]; }
status_of() { in_ns "$PLACE" curl -s -m 5 -o "$DIR/answer" -w '%{http_code} %{content_type}' "${@:2}" "http://$METRICS$1"; }
file_is() { [ "$(cat "$FILES/$1" 2>/dev/null)" = "$2" ]; }
there() { [ -e "$1" ]; }
not_there() { [ ! -e "$1" ]; }
backend() { printf '{"name":"%s","host":"%s","port":80,"id":null,"weight":1,"labels":%s}' "$1" "$2" "$3"; }

echo_start 127.0.0.11:80 127.0.0.13:80
MORE=
conf

echo "-- discover, before there is a registry"
discover --timeout 300ms
assert_eq "$CODE" 1 "exit code without an answer"
assert_match "$(cat "$DIR/discover.log")" "registry consul: .+" "which registry, and why"
discover --timeout 300ms -o json
assert_eq "$CODE $(jq -r '.[0] | "\(.service) \(.state) \(.error != null)"' <<<"$OUT")" "1 web failing true" "the same in JSON"

echo "-- discover, with one"
server_start
put "$NODE-web" w1 127.0.0.11 80 passing '"Meta": {"az": "a"}'
put "$NODE-web" w2 127.0.0.12 80
discover
assert_eq "$CODE" 0 "exit code with all answers"
assert_match "$OUT" "web +consul +ok +127.0.0.11:80 +1 +0 +yes +dc1 +w1" "a row"
discover -o json web
assert_eq "$(jq -r '[.[] | "\(.endpoint) \(.weight) \(.state)"] | join(", ")' <<<"$OUT")" "127.0.0.11:80 1 ok, 127.0.0.12:80 1 ok" "in JSON"
discover nosuch
assert_eq "$CODE $(cat "$DIR/discover.log")" '1 weft: there is no service "nosuch"' "a service that is not there"

echo "-- source list"
conf "$FILES"
start_agent
must 5 "both are found" endpoints_are web 127.0.0.11:80 127.0.0.12:80
assert_eq "$(weft source list -o json | jq -cr '.sources[] | [.service, .registry, .state, .endpoints, .error]')" '["web","consul","ok",2,null]' "source"
assert_eq "$(weft source list -o json | jq -cr '.registries[] | [.name, .type, .up, .sources]')" '["consul","consul",true,1]' "registry"
assert_match "$(weft source list)" "consul +consul +yes" "the table"

echo "-- the API"
must 5 "checks are done" api_is /services/web '[.endpoints[] | [.address, .state, .ready, .name, .health.state]]' \
	'[["127.0.0.11:80","ready",true,"w1","healthy"],["127.0.0.12:80","unhealthy",false,"w2","unhealthy"]]'
assert_eq "$(api /services '[.[] | [.name, .addresses[0], .endpoints, .ready]]')" '[["shop/own","10.96.0.3:80",1,1],["web","10.96.0.2:80",2,1]]' "services"
assert_eq "$(api /services/web '[.sources[] | [.registry, .state, .endpoints]]')" '[["consul","ok",2]]' "sources"
assert_eq "$(api /services/web '.endpoints[0].labels.az')" a "labels"
assert_eq "$(api /services/shop/own '.endpoints[0] | [.address, .weight, .zone, .labels, .health, .state]')" '["127.0.0.13:80",7,"a",{},null,"ready"]' "the file's own"
assert_eq "$(api /services/shop%2Fown/hosts)" '[{"name":null,"host":"127.0.0.13","port":80,"id":null,"weight":7,"labels":{}}]' "hosts"
assert_eq "$(api /services/web/hosts 'map(.host) | join(" ")')" "127.0.0.11 127.0.0.12" "hosts, whatever their health"
assert_eq "$(api /registries '.registries[0].name')" consul "registries"
assert_eq "$(api /health '[.status, .ready, .services, .registries, .registries_failing]')" '["UP",true,2,1,0]' "health"
assert_eq "$(status_of /v1/services/nosuch/hosts) $(cat "$DIR/answer")" "404 application/json $(printf '{\n  "error": "there is no service \\"nosuch\\""\n}')" "no service"
assert_eq "$(status_of /v1/nosuch | cut -d' ' -f1) $(status_of /v1 | cut -d' ' -f1) $(status_of /v12 | cut -d' ' -f1)" "404 404 404" "no page"
assert_eq "$(status_of /v1/services -X POST)" "405 application/json" "another method"
weft endpoint drain web 127.0.0.11:80 >/dev/null
api_is /services/web '.endpoints[0] | [.state, .draining]' '["drained",true]' || fail "draining: $(api /services/web '.endpoints[0]')"
weft endpoint undrain web 127.0.0.11:80 >/dev/null

echo "-- the metrics"
metrics >"$DIR/metrics"
for row in 'weft_registry_up{registry="consul",type="consul"} 1' 'weft_source_up{service="web",source="0",registry="consul"} 1' \
	'weft_source_endpoints{service="web",source="0",registry="consul"} 2' 'weft_registry_odd_total{registry="consul",type="consul"} 0'; do
	grep -qxF "$row" "$DIR/metrics" || fail "the metrics lack $row"
done
grep -q '^weft_source_age_seconds{service="web",source="0",registry="consul"} ' "$DIR/metrics" || fail "the metrics lack an age"

echo "-- files"
must 5 "the file of what is found" file_is web.json "[$(backend w1 127.0.0.11 '{"az":"a"}'),$(backend w2 127.0.0.12 '{}')]"
must 5 "the file of what is written" file_is shop%2Fown.json '[{"name":null,"host":"127.0.0.13","port":80,"id":null,"weight":7,"labels":{}}]'
assert_eq "$(command stat -c %a "$FILES/web.json")" 644 "who may read them"
echo '[]' >"$FILES/others.json"
put "$NODE-web" w1 127.0.0.11 80 passing '"Meta": {"az": "b"}'
must 5 "a label alone" file_is web.json "[$(backend w1 127.0.0.11 '{"az":"b"}'),$(backend w2 127.0.0.12 '{}')]"
inode=$(command stat -c %i "$FILES/web.json")
MORE='  - { name: gone, address: 10.96.0.4:80 }'
conf "$FILES"
must 5 "a service that comes" file_is gone.json '[]'
MORE=
conf "$FILES"
must 5 "a service that goes" not_there "$FILES/gone.json"

echo "-- the registry fails"
server_kill
source_fails() { [ "$(weft source list -o json | jq -r '.sources[0].state')" = failing ]; }
must 10 "the source fails" source_fails
assert_match "$(weft source list -o json | jq -r '.sources[0].error')" "." "why"
api_is /health '[.status, .registries_failing]' '["UP",1]' || fail "health: $(api /health)"
assert_eq "$(api /services/web/hosts 'map(.host) | join(" ")')" "127.0.0.11 127.0.0.12" "what was known stays"
metrics | grep -qxF 'weft_registry_up{registry="consul",type="consul"} 0' || fail "the metrics say that the registry is up"

echo "-- an agent that starts while it does"
stop_agent
MORE='  - { name: zz, address: 10.96.0.4:80 }'
conf "$FILES"
start_agent
must 5 "what was found before" endpoints_are web 127.0.0.11:80 127.0.0.12:80
api_is /services/web/hosts 'length' 2 || fail "hosts: $(api /services/web/hosts)"
must 5 "the last file, in the order of names" there "$FILES/zz.json"
assert_eq "$(command stat -c %i "$FILES/web.json")" "$inode" "a file that says the same is left alone"

echo "-- no files any more"
conf
must 5 "they are removed" not_there "$FILES/web.json"
left() { [ "$(ls -A "$FILES")" = others.json ]; }
must 5 "nothing but what others wrote" left
conf "$FILES"
must 5 "and come back" there "$FILES/zz.json"

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Whatever goes wrong with a control plane for Envoy, or with its files, takes no endpoint and no service away, is said once, costs no CPU, and
# is over soon after it is over. With the fake.
. "$(dirname "$0")/lib.sh"
for tool in python3 curl jq; do command -v $tool >/dev/null || skip "$tool is missing"; done
. "$TOP/tests/fakes/envoy.sh"
export WEFT_LOG=debug # of many failures in a row some are said there only

conf() # SERVERS
{
	replace "$DIR/weft.yaml" <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - { name: xds, type: envoy, servers: [$1], token-file: $DIR/token, refresh: 200ms, timeout: 500ms, backoff-max: 1s, clusters: true }
		  - { name: files, type: envoy }
		services:
		  - { name: fixed, protocol: tcp, address: "10.96.0.1:80", endpoints: ["127.0.0.21:80"] }
		  - { name: web, protocol: tcp, address: "10.96.0.2:80", discover: [{ registry: xds, cluster: web }] }
		  - { name: file, protocol: tcp, address: "10.96.0.3:80", discover: [{ registry: files, cluster: web, path: $DIR/eds }] }
	END
}

now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
ticks() { awk '{ print ($14 + $15) * 10 }' "/proc/$AGENT/stat"; }
web_is() { endpoints_are web "$@"; }
log_lines() { grep -c -- "$1" "$DIR/agent.log" || true; }
ready_of() { weft endpoint list "$1" -o json 2>&1 | jq -r '[.[] | select(.state != "draining") | .endpoint] | join(" ")'; }

# What was found stays for SECONDS while something is wrong; the agent rests.
holds() # SECONDS WHAT
{
	local end cpu start

	start=$(now) end=$((start + ${1/./} * (${#1} > 1 ? 100 : 1000))) cpu=$(ticks)
	while (($(now) < end)); do
		for s in web cluster; do assert_eq "$(ready_of $s)" "$KEPT" "$2: endpoints of $s"; done
		sleep 0.1
	done
	cpu=$(($(ticks) - cpu))
	((cpu * 10 <= $(now) - start)) || fail "$2: the agent used $cpu ms of a CPU in $(($(now) - start)) ms"
	assert_eq "$(failures 10.96.0.2:80 5) $(failures 10.96.1.1:80 5)" "0 0" "$2: connects"
	CPU="$cpu ms of CPU in $1 s"
}

# After what was wrong is over: how long until a new endpoint is seen.
recovers() # WHAT
{
	local start

	start=$(now)
	put_endpoints web "$KEPT 127.0.0.13:80"
	must 10 "$1: a write is seen again" web_is $KEPT 127.0.0.13:80
	echo "FIGURES: envoy: $1: endpoints stayed, $CPU, a write was seen $(($(now) - start)) ms after it was over"
	put_endpoints web "$KEPT"
	must 10 "$1: the next write is seen, too" web_is $KEPT
}

echo_start 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80 127.0.0.21:80
KEPT="127.0.0.11:80 127.0.0.12:80"
fill()
{
	put_endpoints web "$KEPT"
	put_endpoints cluster-eds "$KEPT"
	put clusters cluster '{"name": "cluster", "type": "EDS", "eds_cluster_config": {"service_name": "cluster-eds"},
		"metadata": {"filter_metadata": {"weft": {"address": "10.96.1.1:80"}}}}'
}

echo "-- the server is down when the agent starts"
conf $SERVER
start_agent
assert_eq "$(failures 10.96.0.1:80 5)" 0 "a service of the file while the control plane is down"
must 5 "the log says what is wrong" grep -q "registry xds: http://$SERVER: .*; keeping what is known" "$DIR/agent.log"
must 5 "and of a file that is not there" grep -q "service file: $DIR/eds: No such file or directory; keeping what is known" "$DIR/agent.log"
sleep 1.5 # pauses between tries are as long as they get
server_start
start=$(now)
fill
must 10 "what is written is seen" web_is $KEPT
must 10 "the whole service, too" endpoints_are cluster $KEPT
echo "FIGURES: envoy: down at start: found $(($(now) - start)) ms after it was up and written to, pauses being 1 s at most"

echo "-- killed, and begun again with its data"
server_kill
holds 1 "killed"
must 15 "what was found is on file" grep -q 127.0.0.12 "/run/weft/$INSTANCE.found/sources.yaml" "/run/weft/$INSTANCE.found/registry.xds.yaml"
stop_agent KILL
start_agent
holds 1 "an agent that starts while it is down"
server_start
recovers "killed and begun again"

echo "-- frozen"
before=$(log_lines "no answer in time")
kill -STOP "$FAKE"
holds 2 "frozen"
(($(log_lines "no answer in time") > before)) || fail "the log does not say that it is frozen"
kill -CONT "$FAKE"
recovers "frozen (SIGSTOP)"

echo "-- begun again without its data"
server_kill
rm -f "$DIR/envoy.state"
server_start
must 5 "the log says that nothing is there any more" grep -q "registry xds has no service any more" "$DIR/agent.log"
holds 1 "begun again empty"
start=$(now)
put_endpoints web 127.0.0.13:80
must 10 "what is written then counts" web_is 127.0.0.13:80
echo "FIGURES: envoy: begun again empty: endpoints stayed, $CPU, a write was seen after $(($(now) - start)) ms"
fill
must 5 "two" web_is $KEPT
must 5 "the whole service, too" endpoints_are cluster $KEPT

echo "-- begun again with other data, and the same versions"
server_kill
sed 's/127.0.0.12/127.0.0.13/' "$DIR/envoy.state" | replace "$DIR/envoy.state"
sleep 0.3 # it is missed: a question fails
start=$(now)
server_start
must 10 "the other data" web_is 127.0.0.11:80 127.0.0.13:80
echo "FIGURES: envoy: begun again with other data: seen $(($(now) - start)) ms after it was begun"
fill
must 5 "two as before" web_is $KEPT

echo "-- what it says makes no sense, or it refuses"
faulty() # WHAT MODE THE-SAME-OFF [SECONDS] [IN THE LOG]
{
	local before

	before=$([ -z "${5:-}" ] || log_lines "$5")
	mode "$2"
	control /touch >/dev/null
	said() { [ "$(log_lines "$2")" -gt "$1" ]; }
	[ -z "${5:-}" ] || must 5 "$1: the log says '$5'" said "$before" "$5"
	holds "${4:-0.7}" "$1"
	[ -z "${5:-}" ] || (($(log_lines "$5; keeping") <= before + 2)) || fail "$1: the log says '$5' $(($(log_lines "$5; keeping") - before)) times"
	mode "$3"
	recovers "$1"
}
faulty "garbage" '{"garbage": "<html>nonsense"}' '{"garbage": ""}' 0.7 "http://$SERVER: its answer makes no sense: this is no JSON"
faulty "another type" '{"wrong_type": true}' '{"wrong_type": false}' 0.7 "its answer makes no sense: its type_url says that it is no "
faulty "resources of wrong types only" '{"all_odd": true}' '{"all_odd": false}' 0.7 "its answer makes no sense: none of its "
faulty "resources of wrong types among others" '{"odd": true}' '{"odd": false}'
faulty "no resources" '{"nothing": true}' '{"nothing": false}'
faulty "no versions" '{"no_version": true}' '{"no_version": false}'
(($(stat nacks) > 0)) || fail "what made no sense was not refused"
assert_match "$(stat error)" "none of its|no JSON|type_url" "error_detail"
faulty "cut in mid body" '{"cut_after": 100}' '{"cut_after": 0}'
faulty "slow" '{"slow": 200}' '{"slow": 0}' 1
faulty "status 500" '{"status": 500}' '{"status": 0}' 0.7 "registry xds: http://$SERVER: status 500: fetch error: no snapshot"
faulty "status 429" '{"status": 429}' '{"status": 0}'
faulty "status 404" '{"status": 404}' '{"status": 0}'

echo "-- the token is revoked, and exchanged"
control /token '{"token": "other"}' >/dev/null
must 5 "the log says so" grep -q "status 401: Jwt is expired" "$DIR/agent.log"
holds 1 "the token is revoked"
echo other >"$DIR/token"
recovers "the token was revoked, and exchanged"

echo "-- all connections are cut, again and again"
for _ in 1 2 3 4 5; do control /cut >/dev/null; sleep 0.1; done
CPU="-"
recovers "connections cut"

echo "-- a second server"
server_kill
conf "127.0.0.31:1, $SERVER"
server_start --token other
holds 1 "the first server of two is not there"
recovers "the first server of two is not there"

echo "-- files"
file_is() { endpoints_are file "$@"; }
keeps_file() # WHAT IN-THE-LOG [SECONDS]
{
	local before

	must 5 "$1: the log says '$2'" grep -q -- "$2" "$DIR/agent.log"
	before=$(log_lines "service file: .*; keeping")
	sleep "${3:-0.5}"
	assert_eq "$(ready_of file)" "127.0.0.11:80" "$1: endpoints"
	(($(log_lines "service file: .*; keeping") == before)) || fail "$1: it is said again"
}
back() # WHAT
{
	local start

	answer "$(assignment web "$(locality "127.0.0.11:80 127.0.0.12:80")")" | replace "$DIR/eds"
	start=$(now)
	must 5 "$1: it is read again" file_is 127.0.0.11:80 127.0.0.12:80
	echo "FIGURES: envoy: $1: endpoints stayed, a new file was seen after $(($(now) - start)) ms"
	answer "$(assignment web "$(locality 127.0.0.11:80)")" | replace "$DIR/eds"
	must 5 "$1: and again" file_is 127.0.0.11:80
}
answer "$(assignment web "$(locality 127.0.0.11:80)")" | replace "$DIR/eds"
must 5 "it is read" file_is 127.0.0.11:80
echo '{"resources": [{"cluster_name": "web", "endpo' >"$DIR/eds"
keeps_file "a broken file" "service file: $DIR/eds: line 1: .*; keeping" 2.5 # it is looked at every other second
back "a broken file"
: >"$DIR/eds"
keeps_file "an empty file" "service file: $DIR/eds: it is empty; keeping"
back "an empty file"
before=$(log_lines "eds: No such file")
rm "$DIR/eds"
gone_again() { (($(log_lines "eds: No such file") > before)); }
must 5 "the log says that it is gone" gone_again
keeps_file "a file that is gone" "service file: $DIR/eds: No such file"
back "a file that is gone"
answer "$(assignment other "$(locality 127.0.0.12:80)")" | replace "$DIR/eds"
keeps_file "another cluster's file" "service file: $DIR/eds has no cluster web; keeping"
back "another cluster's file"
# Half written: what is there of it is a file by itself.
{
	printf 'resources:\n- cluster_name: web\n  endpoints:\n  - lb_endpoints:\n'
	for i in 11 12; do
		sleep 0.3
		printf '    - endpoint: { address: { socket_address: { address: 127.0.0.%s, port_value: 80 } } }\n' $i
	done
} >"$DIR/eds"
must 5 "a file that was written slowly" file_is 127.0.0.11:80 127.0.0.12:80
# A ConfigMap's folder.
mkdir -p "$DIR/map/..1" "$DIR/map/..2"
answer "$(assignment web "$(locality 127.0.0.11:80)")" >"$DIR/map/..1/eds"
answer "$(assignment web "$(locality 127.0.0.12:80)")" >"$DIR/map/..2/eds"
ln -s ..1 "$DIR/map/..data" && ln -s ..data/eds "$DIR/map/eds"
sed "s,$DIR/eds,$DIR/map/eds," "$DIR/weft.yaml" | replace "$DIR/weft.yaml"
must 5 "a ConfigMap" file_is 127.0.0.11:80
ln -s ..2 "$DIR/map/..new" && mv -T "$DIR/map/..new" "$DIR/map/..data"
must 1 "a ConfigMap that is exchanged" file_is 127.0.0.12:80

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Services of a Kubernetes API server, from its watch to a connect() that lands, and all that can go wrong with such a server. The server is
# tests/fakes/kubernetes.py; WEFT_TEST_KUBECONFIG=FILE puts a real one in its place, for the part that harms none.
. "$(dirname "$0")/lib.sh"
for tool in openssl curl python3 jq; do command -v $tool >/dev/null || skip "$tool is missing"; done

VIP=10.96.0.10:80 API=127.0.0.1:6443 CONTROL=127.0.0.1:6444 FAKE= FINDER=

api() # PATH [JSON]
{
	in_ns "$PLACE" curl -sf -m 10 -d "${2:-}" "http://$CONTROL$1"
}

mode()
{
	api /mode "$1" >/dev/null
}

stat()
{
	api /stats | jq ".$1"
}

# service_object NAME ADDRESS [MORE OF SPEC] [ANNOTATIONS]
service_object()
{
	printf '{"kind":"Service","metadata":{"namespace":"shop","name":"%s","annotations":{%s}},"spec":{"clusterIP":"%s","clusterIPs":["%s"],%s
		"ports":[{"name":"http","port":80,"protocol":"TCP"}]}}' "$1" "${4:-}" "$2" "$2" "${3:-}"
}

# slice_object SERVICE SUFFIX [ADDRESS[=CONDITIONS]]...: CONDITIONS of the letters n (not ready), t (terminating), s (serving)
slice_object()
{
	local name=$1 suffix=$2 sep="" e c

	shift 2
	printf '{"kind":"EndpointSlice","metadata":{"namespace":"shop","name":"%s-%s","labels":{"kubernetes.io/service-name":"%s"}},' \
		"$name" "$suffix" "$name"
	printf '"addressType":"IPv4","ports":[{"name":"http","port":8080,"protocol":"TCP"}],"endpoints":['
	for e in "$@"; do
		c=
		[[ $e != *=* ]] || c=${e#*=}
		printf '%s{"addresses":["%s"],"conditions":{"ready":%s,"serving":%s,"terminating":%s}}' "$sep" "${e%=*}" \
			"$([[ $c == *n* ]] && echo false || echo true)" "$([[ $c == *n* && $c != *s* ]] && echo false || echo true)" \
			"$([[ $c == *t* ]] && echo true || echo false)"
		sep=,
	done
	printf ']}'
}

apply()
{
	local all="" o

	for o in "$@"; do all="$all${all:+,}$o"; done
	api /apply "[$all]" >/dev/null || fail "the fake takes no objects"
}

world() # what there is at first
{
	apply "$(service_object web "${VIP%:*}")" "$(slice_object web a 127.0.0.11 127.0.0.12)" \
		"$(service_object quiet 10.96.0.11 '' '"weft.io/ignore":"true"')" \
		"$(service_object tuned 10.96.0.12 '"sessionAffinity":"ClientIP",' '"weft.io/balance":"round-robin","weft.io/drain-timeout":"soon"')"
}

fake_start() # [ARGUMENT...]
{
	spawn_in "$PLACE" /usr/bin/python3 "$TOP/tests/fakes/kubernetes.py" --listen $API --control $CONTROL --token-file "$DIR/token.server" \
		--tls "$DIR/cert.pem" "$DIR/key.pem" "$@" >"$DIR/fake.out" 2>>"$DIR/fake.log"
	FAKE=$SPAWNED
	must 10 "the fake is up" grep -q ready "$DIR/fake.out"
}

fake_kill()
{
	kill -9 "$FAKE"
	must 5 "the fake is gone" gone "$FAKE"
}

kubeconfig() # what the agent is let in by
{
	cat >"$DIR/kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: test
		contexts: [{name: test, context: {cluster: test, user: weft, namespace: shop}}]
		clusters:
		  - name: test
		    cluster: {server: "https://$API", certificate-authority-data: $(base64 -w0 "$DIR/cert.pem")}
		users: [{name: weft, user: {tokenFile: token.client}}]
	END
}

registry() # [MORE KEYS]
{
	cat <<-END
		instance: $INSTANCE
		cgroup: $CG
		registries:
		  - {name: k8s, type: kubernetes, kubeconfig: $DIR/kubeconfig, timeout: 500ms, backoff-max: 500ms, page: 2${1:+, $1}}
		services:
		  - name: asked
		    address: 10.97.0.1:80
		    drain-timeout: 1ms
		    discover: {registry: k8s, service: web, port: http}
	END
}

are() # SERVICE ENDPOINT...
{
	endpoints_are "$@"
}

has()
{
	weft service list -o json | jq -e --arg n "$1" 'any(.[]; .name == $n)' >/dev/null
}

has_not()
{
	weft service list -o json | jq -e --arg n "$1" 'all(.[]; .name != $n)' >/dev/null
}

says() # PATTERN, in the agent's log since the last mark
{
	tail -n "+$MARK" "$DIR/agent.log" | grep -Eq -- "$1"
}

mark()
{
	MARK=$(($(wc -l <"$DIR/agent.log") + 1))
}

step()
{
	mark
	echo "-- $*"
}

A=127.0.0.11:8080 B=127.0.0.12:8080 C=127.0.0.13:8080

# Whatever has happened: what is written now arrives, and connections go there and nowhere else.
works()
{
	apply "$(slice_object web a 127.0.0.13)"
	must 8 "$1: a change arrives" are shop/web $C
	must 8 "$1: a change arrives where it was asked for" are asked $C
	assert_eq "$(spread $VIP 4)" "$C 4" "$1: connects"
	apply "$(slice_object web a 127.0.0.11 127.0.0.12)"
	must 8 "$1: the change back arrives" are shop/web $A $B
}

stays()
{
	are shop/web $A $B || fail "$1: endpoints were taken away"
	assert_eq "$(failures $VIP 8)" 0 "$1: failed connects"
}

# Creates what it needs with kubectl, in a namespace of its own that is deleted afterwards.
real() # KUBECONFIG
{
	local kubectl="kubectl --kubeconfig $1" ns=weft-e2e-$$

	command -v kubectl >/dev/null || skip "kubectl is missing"
	trap '$kubectl delete namespace $ns --wait=false >/dev/null; [ -z "$FINDER" ] || kill $FINDER; finish' EXIT
	printf '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"%s"}}' "$ns" | $kubectl create --validate=false -f - >/dev/null || fail "kubectl creates no namespace"
	printf 'registries:\n  - {name: k8s, type: kubernetes, kubeconfig: %s, namespaces: [%s]}\n' "$1" "$ns" >"$DIR/real.yaml"
	"$WEFT" discover -c "$DIR/real.yaml" --watch -o json >"$DIR/found.out" 2>"$DIR/found.log" &
	FINDER=$!
	disown
	printf '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"ports":[{"port":80,"targetPort":8080}]}}' |
		$kubectl -n "$ns" create --validate=false -f - >/dev/null
	printf '{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4","metadata":{"name":"web-x","labels":{
		"kubernetes.io/service-name":"web"}},"ports":[{"name":"","port":8080,"protocol":"TCP"}],"endpoints":[{"addresses":["192.0.2.7"],
		"conditions":{"ready":true}}]}' | $kubectl -n "$ns" create --validate=false -f - >/dev/null
	must 20 "a real server's endpoint is found" grep -q "\"$ns/web\".*192.0.2.7:8080" "$DIR/found.out"
	echo "kubernetes: a service of the server in $1 was found"
	exit 0
}

[ -z "${WEFT_TEST_KUBECONFIG:-}" ] || real "$WEFT_TEST_KUBECONFIG"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=kube" -addext "subjectAltName=IP:127.0.0.1" -keyout "$DIR/key.pem" \
	-out "$DIR/cert.pem" 2>"$DIR/openssl.out" || fail "openssl: $(cat "$DIR/openssl.out")"
echo token-1 | tee "$DIR/token.server" >"$DIR/token.client"
kubeconfig
registry | replace "$DIR/weft.yaml"
echo_start $A $B $C
touch "$DIR/agent.log"

step "down at the start"
start_agent >/dev/null
has_not shop/web || fail "a service of nowhere"
must 5 "the agent says that nobody answers" says 'registry k8s: .*; keeping what is known'
fake_start
world
must 8 "the services are there" are shop/web $A $B
must 8 "what was asked for is there" are asked $A $B
has_not shop/quiet || fail "a service that was to be ignored"
assert_eq "$(weft service show shop/tuned -o json | jq -r '.balance')" round-robin "the annotation"
assert_match "$(spread $VIP 40)" "^$A [0-9]+ $B [0-9]+$" "both take connections"
works "up"

step "ready, terminating, gone"
apply "$(slice_object web a 127.0.0.11 127.0.0.12=n 127.0.0.13=nts)"
must 5 "one is left" eval '[ "$(spread $VIP 6)" = "$A 6" ]'
apply "$(slice_object web a 127.0.0.12=n 127.0.0.13=nts)"
must 5 "the last one serves on its way out" eval '[ "$(spread $VIP 6)" = "$C 6" ]'
apply "$(slice_object web a)"
must 5 "scaled to zero" are shop/web
must 5 "scaled to zero, asked" are asked
apply "$(slice_object web a 127.0.0.11)" "$(slice_object web b 127.0.0.12)"
must 5 "two slices" are shop/web $A $B
api /delete '{"kind":"EndpointSlice","namespace":"shop","name":"web-b"}' >/dev/null
must 5 "one slice" are shop/web $A
api /delete '[{"kind":"Service","namespace":"shop","name":"web"}]' >/dev/null
must 5 "no service" has_not shop/web
world
must 5 "the service again" are shop/web $A $B

step "connections cut"
api /cut >/dev/null
works cut

step "410 Gone, as a status and as an event, between pages"
for how in false true; do
	mode "{\"gone_events\": $how}"
	before=$(stat lists)
	api /compact >/dev/null
	must 8 "a new list" eval '[ "$(stat lists)" -gt '"$before"' ]'
	stays 410
	works 410
done
mode '{"gone_events": false}'

step "bookmarks, and watches that end"
mode '{"bookmark": 0.3, "watch_most": 1}'
api /cut >/dev/null
before=$(stat watches) lists=$(stat lists)
must 8 "watches follow each other" eval '[ "$(stat watches)" -gt '$((before + 3))' ]'
assert_eq "$(stat lists)" "$lists" "lists, since bookmarks spare them"
mode '{"bookmark": 60, "watch_most": 3600}'
works bookmarks

step "killed in mid-watch, back with other data of lower versions"
fake_kill
must 5 "the agent says it" says 'registry k8s: '
stays killed
sleep 0.2 & wait $!
fake_start
apply "$(service_object web "${VIP%:*}")" "$(slice_object web a 127.0.0.13)" "$(service_object new 10.96.0.20)"
must 8 "the other data" are shop/web $C
must 8 "the new service" has shop/new
must 8 "the old service is gone" has_not shop/tuned
works "other data"

step "stopped"
kill -STOP "$FAKE"
must 8 "the agent notices" says 'probe of .*(heard|timed out|[Tt]imeout)'
stays stopped
kill -CONT "$FAKE"
works stopped

step "restarted empty"
fake_kill
fake_start
apply "$(service_object other 10.96.0.30)"
api /delete '{"kind":"Service","namespace":"shop","name":"other"}' >/dev/null
must 8 "the agent does not believe it" says 'lists no services any more, where'
must 8 "nor that" says 'lists no endpoint slices any more, where'
stays empty
world
works "not empty any more"

step "garbage, odd objects, refusals, slow and broken bodies"
for fault in '"garbage": true' '"status": 500' '"status": 403' '"status": 429' '"cut_after": 300' '"slow": 100'; do
	mode "{$fault}"
	api /compact >/dev/null
	api /cut >/dev/null
	must 8 "the agent says it: $fault" says 'registry k8s: '
	mark
	stays "$fault"
	mode '{"garbage": false, "status": 0, "cut_after": 0, "slow": 0}'
	works "$fault"
done
mode '{"odd": true}'
api /compact >/dev/null
works odd
mode '{"odd": false}'

step "a token that is revoked"
echo token-2 >"$DIR/token.server"
api /cut >/dev/null
must 8 "the agent says it" says 'status 401'
stays revoked
echo token-2 >"$DIR/token.client"
works "new token"

step "the agent restarts while the server is away"
must 10 "what was found is written" grep -rqs 127.0.0.12 "/run/weft/$INSTANCE.found"
stop_agent
fake_kill
start_agent >/dev/null
stays "restart alone"
fake_start
world
works "restart alone"

step "empty: clear"
registry 'empty: clear' | replace "$DIR/weft.yaml"
kill -HUP "$AGENT"
works "another registry of the same name"
api /delete '[{"kind":"Service","namespace":"shop","name":"web"},{"kind":"Service","namespace":"shop","name":"tuned"},{"kind":"Service","namespace":"shop","name":"quiet"}]' >/dev/null
must 8 "all services are gone" has_not shop/web

step "the zone of the node, as its Node says"
mode '{"nodes": {"node-1": "z1"}}'
world
hinted() # with hints: the first endpoint for z1, the other for z2
{
	slice_object web a 127.0.0.11 127.0.0.12 | jq -c '.endpoints[0] += {zone: "z1", hints: {forZones: [{name: "z1"}]}}
		| .endpoints[1] += {zone: "z2", hints: {forZones: [{name: "z2"}]}}'
}
apply "$(hinted)"
registry 'node: node-1' | replace "$DIR/weft.yaml"
must 8 "the zone is found" says 'registry k8s: this node is in zone z1'
ours_only() { [ "$(spread $VIP 4)" = "$A 4" ]; }
must 8 "hints for our zone count" ours_only
mark
registry 'node: node-2' | replace "$DIR/weft.yaml"
must 8 "a Node that we may not read, or is not there" says 'the zone of node node-2 is not known .status 404'
both() { [ "$(spread $VIP 4)" = "$A 2 $B 2" ] || [ "$(spread $VIP 20 | wc -w)" = 4 ]; }
must 8 "without a zone hints do not count" both

step "in a pod"
world
pod() # has what Kubernetes gives a pod, and asks
{
	in_ns "$PLACE" unshare -m bash -ec 'mount -t tmpfs pod /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && cd "$1"
		d=/run/secrets/kubernetes.io/serviceaccount; cp cert.pem $d/ca.crt; cp token.client $d/token; echo shop >$d/namespace
		[ -e /var/run ] && mountpoint -q /run && KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=6443 "$2" discover -c pod.yaml -o json' \
		- "$DIR" "$WEFT"
}
printf 'registries:\n  - {name: k8s, type: kubernetes, services: none}\nservices:\n  - {name: asked, address: "10.97.0.1:80", %s}\n' \
	'discover: {registry: k8s, service: web}' >"$DIR/pod.yaml"
assert_match "$(pod)" "$A.*$B" "what is found in a pod, in its own namespace"

step "the agent ends"
stop_agent
must 5 "its watches are closed" eval '[ "$(stat open)" = 0 ]'
rm -rf "/run/weft/$INSTANCE.found"

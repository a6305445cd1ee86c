#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Services have names: dig asks the agent, dnsmasq asks it for others, and connects to addresses of the pool land.
. "$(dirname "$0")/lib.sh"
for tool in dnsmasq dig jq; do command -v $tool >/dev/null || skip "$tool is missing"; done

AT=127.0.0.1 PORT=5353

# ask ARGUMENT...: the answer section, short
ask()
{
	in_ns "$PLACE" dig +short +tries=1 +time=2 -p $PORT @$AT "$@"
}

# status ARGUMENT...: NOERROR, NXDOMAIN, REFUSED ...
status()
{
	in_ns "$PLACE" dig +tries=1 +time=2 -p $PORT @$AT "$@" | sed -nE 's/.*status: ([A-Z]+),.*/\1/p'
}

names() # [KEYS]
{
	printf 'instance: %s\ncgroup: %s\naddresses: [10.99.0.0/16, "fd99::/64"]\nnames: {listen: "%s:%s"%s}\nservices:\n' \
		"$INSTANCE" "$CG" $AT "$PORT" "${1:+, $1}"
	printf '  - {name: web, port: 80, endpoints: ["127.0.0.11:80"]}\n'
	printf '  - {name: six, port: 80, endpoints: ["[::1]:80"]}\n'
	service own tcp 10.96.0.9:80 random 127.0.0.11:80
	printf '  - {name: many, protocol: udp, endpoints: [], addresses: ['
	for i in $(seq 64); do printf '"10.96.1.%s:53",' "$i"; done
	printf ']}\n'
	[ -z "${MORE:-}" ] || printf '  - {name: %s, port: 80, endpoints: []}\n' $MORE
}

named() # NAME ADDRESS
{
	[ "$(ask "$1")" = "$2" ]
}

asks_again() # NAME: by dnsmasq
{
	in_ns "$PLACE" dig +short +tries=1 +time=2 -p 5302 @127.0.0.1 "$1"
}

echo_start 127.0.0.11:80 '[::1]:80'
names | replace "$DIR/weft.yaml"
start_agent
must 5 "the agent answers" named own.weft.internal 10.96.0.9

# An address of the pool is the service's: connects to it land.
address=$(ask web.weft.internal)
assert_match "$address" '^10\.99\.[0-9]+\.[0-9]+$' "the address of web"
assert_eq "$(spread "$address:80" 5)" "127.0.0.11:80 5" "connects to $address"
six=$(ask six.weft.internal AAAA)
assert_match "$six" '^fd99::' "the address of six"
assert_eq "$(spread "[$six]:80" 5)" "[::1]:80 5" "connects to $six"

# What dig can ask.
assert_eq "$(status web.weft.internal)" NOERROR "A"
assert_eq "$(ask web.weft.internal AAAA)" "" "AAAA of an IPv4 service"
assert_eq "$(status web.weft.internal AAAA)" NOERROR "AAAA of an IPv4 service"
assert_eq "$(status nobody.weft.internal)" NXDOMAIN "a name that is not there"
assert_eq "$(status example.com)" REFUSED "another domain"
assert_eq "$(ask WeB.wEfT.InTeRnAl)" "$address" "capitals"
assert_eq "$(ask +tcp web.weft.internal)" "$address" "TCP"
assert_eq "$(ask +noedns web.weft.internal)" "$address" "without EDNS0"
assert_eq "$(ask +edns=1 +noednsneg web.weft.internal)" "" "EDNS1"
assert_eq "$(status +edns=1 +noednsneg web.weft.internal)" BADVERS "EDNS1"
assert_eq "$(ask web.weft.internal ANY)" '"RFC8482" ""' "ANY"
assert_eq "$(ask -x "$address")" web.weft.internal. "the name of $address"
assert_eq "$(ask -x "$six")" six.weft.internal. "the name of $six"
assert_eq "$(ask +bufsize=512 many.weft.internal | wc -l)" 64 "64 addresses, by TCP after a cut answer"
in_ns "$PLACE" dig +ignore +bufsize=512 -p $PORT @$AT many.weft.internal | grep -q 'flags: qr aa tc' || fail "64 addresses fit into 512 bytes"
assert_match "$(in_ns "$PLACE" dig -p $PORT @$AT nobody.weft.internal)" 'weft.internal.[[:space:]]+5[[:space:]]+IN[[:space:]]+SOA' "the SOA of a name that is not there"
assert_match "$(in_ns "$PLACE" dig -p $PORT @$AT web.weft.internal)" 'web.weft.internal.[[:space:]]+5[[:space:]]+IN[[:space:]]+A' "the TTL"

# Resolvers that know others: dnsmasq, unbound where it is.
spawn_in "$PLACE" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file="$DIR/dnsmasq.pid" \
	--bind-interfaces --except-interface=nothing --listen-address=127.0.0.1 --port=5302 --server=/weft.internal/$AT#$PORT \
	--address=/other.x/192.0.2.1 2>"$DIR/dnsmasq.log"
dnsmasq_knows() { [ "$(asks_again web.weft.internal)" = "$address" ]; }
must 10 "dnsmasq asks the agent" dnsmasq_knows
assert_eq "$(asks_again other.x)" 192.0.2.1 "dnsmasq's own names"
if command -v unbound >/dev/null; then
	cat >"$DIR/unbound.conf" <<-END
		server:
		  interface: 127.0.0.1@5303
		  username: ""
		  chroot: ""
		  directory: "$DIR"
		  pidfile: "$DIR/unbound.pid"
		  use-syslog: no
		  do-not-query-localhost: no
		  domain-insecure: "weft.internal"
		  local-zone: "internal." nodefault
		  use-caps-for-id: yes
		  qname-minimisation: yes
		  harden-below-nxdomain: yes
		stub-zone:
		  name: "weft.internal"
		  stub-addr: $AT@$PORT
	END
	spawn_in "$PLACE" unbound -d -c "$DIR/unbound.conf" 2>"$DIR/unbound.log"
	unbound_knows() { [ "$(in_ns "$PLACE" dig +short +tries=1 +time=2 -p 5303 @127.0.0.1 web.weft.internal)" = "$address" ]; }
	must 10 "unbound asks the agent" unbound_knows
fi

# Services come and go with the files, and nobody's address moves.
MORE="shop cart.shop" names | replace "$DIR/weft.yaml"
there() { [ -n "$(ask shop.weft.internal)" ] && [ -n "$(ask cart.shop.weft.internal)" ]; }
must 5 "new services have names" there
named web.weft.internal "$address" || fail "another service moved web"
MORE="cart.shop" names | replace "$DIR/weft.yaml"
empty() { [ "$(status shop.weft.internal)" = NOERROR ] && [ -z "$(ask shop.weft.internal)" ]; }
must 5 "a name that only others are below is empty, not unknown" empty
names | replace "$DIR/weft.yaml"
unknown() { [ "$(status cart.shop.weft.internal)" = NXDOMAIN ]; }
must 5 "services that are gone have no name" unknown

# Another suffix and port, while it runs; off; a new start has the same addresses.
PORT=5354
names "suffix: mesh.test, ttl: 60s" | replace "$DIR/weft.yaml"
must 5 "another suffix" named web.mesh.test "$address"
assert_eq "$(status web.weft.internal)" REFUSED "the former suffix"
metrics >"$DIR/page"
grep -q '^weft_names_replies_total{result="answer"} [1-9]' "$DIR/page" || fail "no answers are counted: $(grep weft_names "$DIR/page")"
stop_agent
start_agent
must 5 "the agent answers after a new start" named web.mesh.test "$address"
[ "$(spread "$address:80" 5)" = "127.0.0.11:80 5" ] || fail "the address moved with a new start"
grep -v "^names:" "$DIR/weft.yaml" | replace "$DIR/weft.yaml"
deaf() { ! ask web.mesh.test; }
must 5 "without \"names\" nobody answers" deaf

# No range, no address.
grep -v "^addresses:" "$DIR/weft.yaml" | replace "$DIR/weft.yaml"
must 5 "a port without ranges is refused" grep -q 'has a port but no address' "$DIR/agent.log"
[ "$(spread "$address:80" 5)" = "127.0.0.11:80 5" ] || fail "a bad file took the service away"

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Connections that failed over carry their bytes exactly, in both directions, with checksum offload and without; a smaller MTU on the
# way is found; what is on the wire has correct checksums. The client, two routers and a server in a namespace each.
. "$(dirname "$0")/lib.sh"
command -v tcpdump >/dev/null && command -v ethtool >/dev/null || skip "needs tcpdump and ethtool"
MEGABYTES=${MEGABYTES:-100}

ns_make near
ns_make far
ns_make server
ip -n "$PLACE" link add up0 type veth peer name down0 netns "$PLACE-near"
ip -n "$PLACE-near" link add mid0 type veth peer name mid0 netns "$PLACE-far"
ip -n "$PLACE-far" link add up0 type veth peer name eth0 netns "$PLACE-server"
address() # NAMESPACE LINK IPV4 IPV6
{
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" addr add "$4" dev "$2" nodad
	ip -n "$1" link set "$2" up
}
address "$PLACE" up0 10.72.1.1/24 fd72:1::1/64
address "$PLACE-near" down0 10.72.1.2/24 fd72:1::2/64
address "$PLACE-near" mid0 10.72.3.1/24 fd72:3::1/64
address "$PLACE-far" mid0 10.72.3.2/24 fd72:3::2/64
address "$PLACE-far" up0 10.72.2.1/24 fd72:2::1/64
address "$PLACE-server" eth0 10.72.2.2/24 fd72:2::2/64
for ns in near far; do
	in_ns "$PLACE-$ns" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
done
default() # NAMESPACE IPV4 IPV6
{
	ip -n "$1" route add default via "$2"
	ip -n "$1" -6 route add default via "$3"
}
default "$PLACE" 10.72.1.2 fd72:1::2
default "$PLACE-near" 10.72.3.2 fd72:3::2
default "$PLACE-far" 10.72.3.1 fd72:3::1
default "$PLACE-server" 10.72.2.1 fd72:2::1
ip -n "$PLACE-near" route add blackhole 10.72.9.0/24
ip -n "$PLACE-near" route add blackhole fd72:9::/64

cat >"$DIR/peer.py" <<'END'
# server: for each connection takes N bytes, answers with their SHA-256, and then with as many of its own and theirs.
# client ADDRESS MEGABYTES: the other side; exit 0 when every byte is right, in both directions.
import hashlib, random, socket, struct, sys, threading

def take(s, n, h):
    while n:
        d = s.recv(min(n, 1 << 18))
        if not d:
            raise SystemExit('EOF with %d bytes to come' % n)
        h.update(d)
        n -= len(d)

def give(s, n, seed, h):
    block = random.Random(seed).randbytes(1 << 20)
    while n:
        d = block[:min(n, len(block))]
        s.sendall(d)
        h.update(d)
        n -= len(d)

def serve(s):
    n, = struct.unpack('!Q', s.recv(8, socket.MSG_WAITALL))
    h = hashlib.sha256()
    take(s, n, h)
    s.sendall(h.digest())
    h = hashlib.sha256()
    give(s, n, 2, h)
    s.sendall(h.digest())
    s.close()

if sys.argv[1] == 'server':
    l = socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True)
    print('ready', flush=True)
    while True:
        threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
host, port = sys.argv[2].rsplit(':', 1)
n = int(sys.argv[3]) << 20
s = socket.create_connection((host.strip('[]'), int(port)), timeout=120)
assert s.getpeername()[0] == host.strip('[]'), s.getpeername()
s.sendall(struct.pack('!Q', n))
h = hashlib.sha256()
give(s, n, 1, h)
assert s.recv(32, socket.MSG_WAITALL) == h.digest(), 'upload'
h = hashlib.sha256()
take(s, n, h)
assert s.recv(32, socket.MSG_WAITALL) == h.digest(), 'download'
assert s.recv(1) == b'', 'EOF'
print(s.getsockopt(socket.IPPROTO_IP, 14) if s.family == socket.AF_INET else s.getsockopt(socket.IPPROTO_IPV6, 24))
END
spawn_in "$PLACE-server" python3 "$DIR/peer.py" server >"$DIR/server.out" 2>"$DIR/server.log"
must 10 "the server is up" grep -q ready "$DIR/server.out"

two() # NAME ADDRESS FIRST SECOND
{
	printf '  - name: %s\n    address: "%s"\n    ejection: off\n    endpoints:\n' "$1" "$2"
	printf '      - { address: "%s", priority: 0 }\n      - { address: "%s", priority: 1 }\n' "$3" "$4"
}
{
	two refuse4 10.96.0.1:80 10.72.2.2:81 10.72.2.2:80
	two silent4 10.96.0.2:80 10.72.9.1:80 10.72.2.2:80
	two refuse6 '[fd96::1]:80' '[fd72:2::2]:81' '[fd72:2::2]:80'
	two silent6 '[fd96::2]:80' '[fd72:9::1]:80' '[fd72:2::2]:80'
} | config
start_agent

offload() # on|off
{
	local ns

	for ns in "$PLACE up0" "$PLACE-near down0" "$PLACE-near mid0" "$PLACE-far mid0" "$PLACE-far up0" "$PLACE-server eth0"; do
		set -- "$1" $ns
		in_ns "$2" ethtool -K "$3" tx "$1" rx "$1" tso "$1" gso "$1" gro "$1" >/dev/null 2>&1 || true
	done
}

exchange() # WHAT ADDRESS MEGABYTES: prints the path MTU that the client's kernel has found
{
	in_cgroup timeout 120 python3 "$DIR/peer.py" client "$2" "$3" 2>"$DIR/client.log" || fail "$1: $(tail -n 2 "$DIR/client.log")"
}

services="10.96.0.1:80 10.96.0.2:80 [fd96::1]:80 [fd96::2]:80"
for way in on off; do
	offload $way
	for to in $services; do
		exchange "offload $way, $to" "$to" "$MEGABYTES" >/dev/null
		echo "offload $way, $to: $MEGABYTES MB each way, byte-exact"
	done
done

# Offload is off still: what a capture sees is what a wire would carry.
spawn_in "$PLACE-server" tcpdump -i eth0 -n -s 0 -U -w "$DIR/wire.pcap" 'tcp port 80 or tcp port 81' 2>"$DIR/tcpdump.log"
CAPTURE=$SPAWNED
must 10 "tcpdump listens" grep -q 'listening on' "$DIR/tcpdump.log"
for to in $services; do exchange "captured, $to" "$to" 1 >/dev/null; done
kill -INT "$CAPTURE"
must 10 "tcpdump ends" gone "$CAPTURE"
tcpdump -nvvr "$DIR/wire.pcap" >"$DIR/wire.txt" 2>/dev/null
right=$(grep -cE 'cksum 0x[0-9a-f]+ \(correct\)' "$DIR/wire.txt" || true)
wrong=$(grep -cE 'incorrect|bad cksum|bad hdr' "$DIR/wire.txt" || true)
echo "captured at the server: $right checksums correct, $wrong wrong"
[ "$right" -gt 1000 ] || fail "only $right checksums in the capture"
assert_eq "$wrong" 0 "wrong checksums on the wire"

# The link between the routers shrinks: the near one says so, about a connection that our socket knows by another name.
offload on
ip -n "$PLACE-near" link set mid0 mtu 1280
ip -n "$PLACE-far" link set mid0 mtu 1280
for to in $services; do
	# A server that knows the path already would ask for small segments.
	for ns in "$PLACE" "$PLACE-server"; do
		ip -n "$ns" route flush cache
		ip -n "$ns" -6 route flush cache
	done
	mtu=$(exchange "MTU 1280, $to" "$to" 5)
	echo "MTU 1280 on the way, $to: 5 MB each way, the client found $mtu"
	assert_eq "$mtu" 1280 "path MTU of $to"
done
metrics | grep -qE 'weft_decisions_total\{.*reason="icmp_translated"\} [1-9]' || fail "no ICMP error was translated"
must 5 "every place is given back" bash -c '[ "$("$1" endpoint list --instance "$2" -o json | jq "[.[].active] | add")" = 0 ]' - \
	"$WEFT" "$INSTANCE"

#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Failover follows network links: a veth that comes, is renamed and goes; kill -9 leaves it in place, a restart swaps programs, unload cleans.
. "$(dirname "$0")/lib.sh"

ip_() { ip -n "$PLACE" "$@"; }
index() { ip_ -j link show dev "$1" | jq -r '.[0].ifindex'; }
pins() { find "$PINS/links" -name '*_'"$1" | sort; } # of failover on the link with that index; tcx or clsact
attached() { [ "$(pins "$1" | wc -l)" -ge 2 ]; }
free() { [ -z "$(pins "$1")" ]; }
# Programs of tcx are those of links, programs of clsact are pinned themselves.
prog_ids() { for p in $(pins "$1" | grep gress); do bpftool -j link show pinned "$p" 2>/dev/null || bpftool -j prog show pinned "$p"; done | jq '.prog_id // .id'; }
in_kernel() { for p in "$@"; do bpftool prog show id "$p" >/dev/null 2>&1 || return 1; done; }
none_in_kernel() { local p; for p in "$@"; do ! bpftool prog show id "$p" >/dev/null 2>&1 || return 1; done; }

echo_start 127.0.0.1:80
write() { { service web tcp 10.96.0.1:80 random 127.0.0.1:80; [ $# = 0 ] || printf 'interfaces: %s\n' "$1"; } | config; }
write
start_agent
lo=$(index lo)
must 5 "lo has the programs" attached "$lo"

ip_ link add weft0 type veth peer name weft1
veth=$(index weft0) peer=$(index weft1)
must 5 "a new link has the programs" attached "$veth"
must 5 "its peer has them" attached "$peer"
ip_ link set weft0 up
ip_ link set weft0 down
ip_ link set weft0 name pod0
in_kernel $(prog_ids "$veth") || fail "lost by down or rename"
ip_ link del pod0
must 5 "a link that is gone has no pins" free "$veth"
must 5 "nor has its peer" free "$peer"

# What the operator does not want; and the agent holds nothing in effect between its looks.
ip_ link add weft0 type veth peer name weft1
veth=$(index weft0) peer=$(index weft1)
must 5 "a new link has the programs" attached "$veth"
write '{ exclude: ["weft1"] }'
must 5 "a link that the file excludes is let go" free "$peer"
attached "$veth" || fail "the other end is let go, too"
ip_ link set weft1 name pod1
must 5 "another name brings it back" attached "$peer"
assert_eq "$(connects 10.96.0.1:80 10 | jq .failed)" 0 "connects that fail"

stop_agent KILL
old=$(prog_ids "$veth")
[ -n "$old" ] && in_kernel $old || fail "kill -9 detached the programs"
assert_eq "$(connects 10.96.0.1:80 10 | jq .failed)" 0 "connects that fail without an agent"
ip_ link add late0 type veth peer name late1
ip_ link del pod1
start_agent
must 5 "links that came meanwhile have the programs" attached "$(index late0)"
must 5 "links that went meanwhile have no pins" free "$veth"
attached "$lo" || fail "lost at the restart"
must 5 "programs of the old agent are gone" none_in_kernel $old

all=$(prog_ids "$lo")
stop_agent
ns_make other
in_ns "$PLACE-other" "$WEFT" unload --instance "$INSTANCE"
[ ! -e "$PINS" ] || fail "pins are left: $(ls -R "$PINS")"
must 5 "every program is gone" none_in_kernel $all
[ -z "$(tc -n "$PLACE" qdisc show | grep clsact)" ] || fail "a clsact qdisc is left"

# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Places to try weft in: a cgroup, network namespaces and servers, all named after their maker. Sourced by demo, sandbox, soak and the
# end-to-end tests. Nothing here touches what bears another name.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C
BPFFS=/sys/fs/bpf
PLACE=    # name of the place: cgroup and prefix of namespaces
CG=       # its cgroup's folder
DIR=      # its scratch folder

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

cgroup2_root()
{
	awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { if ($(i + 1) == "cgroup2" && $4 == "/") { print $5; exit } break } }' \
		/proc/self/mountinfo
}

# wait_for SECONDS COMMAND...: tries until it succeeds or the time is over.
wait_for()
{
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))

	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/[.,]/} < end)) || return 1
		sleep 0.03
	done
}

# One file, replaced as a whole, as editors do.
replace()
{
	cat >"$1.new" && mv -f "$1.new" "$1"
}

# place_make NAME: the cgroup and the scratch folder. Namespaces follow with ns_make.
place_make()
{
	PLACE=$1
	CG=$(cgroup2_root)/$PLACE
	[ "$CG" != "/$PLACE" ] || { say "no cgroup2 is mounted here"; return 1; }
	mkdir "$CG" && DIR=$(mktemp -d "/tmp/$PLACE.XXXXXX")
}

cgroup_remove()
{
	find "$CG" -depth -type d -exec rmdir {} + && [ ! -d "$CG" ]
}

# Ends everything in the place and removes it; also one that a killed run left, when $PLACE and $CG were set by hand.
place_free()
{
	local ns pids

	[ -n "$PLACE" ] || return 0
	for ns in $(ip netns list | awk -v p="$PLACE" '$1 == p || index($1, p "-") == 1 { print $1 }'); do
		pids=$(ip netns pids "$ns" 2>/dev/null)
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null
		ip netns del "$ns"
	done
	if [ -d "$CG" ]; then
		pids=$(find "$CG" -name cgroup.procs -exec cat {} + 2>/dev/null)
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null
		wait_for 5 cgroup_remove || { say "cannot remove $CG"; return 1; }
	fi
	[ -z "$DIR" ] || rm -rf "$DIR"
}

# ns_make [SUFFIX]: network namespace $PLACE or $PLACE-SUFFIX with its loopback up.
ns_make()
{
	local ns=$PLACE${1:+-$1}

	ip netns add "$ns" && ip -n "$ns" link set lo up
}

# in_ns NAMESPACE COMMAND...: keeps the mounts, unlike `ip netns exec`, which would hide cgroups and bpffs.
in_ns()
{
	local ns=$1

	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

# spawn_in NAMESPACE COMMAND...: in the background, pid in $SPAWNED; its end, however sudden, is not remarked on.
spawn_in()
{
	local ns=$1

	shift
	nsenter --net="/run/netns/$ns" -- "$@" &
	SPAWNED=$!
	disown
}

# in_cgroup COMMAND...: in cgroup $GROUP (default $CG) and in namespace $CLIENT (default $PLACE).
in_cgroup()
{
	(
		echo 0 >"${GROUP:-$CG}/cgroup.procs" || exit 125
		exec nsenter --net="/run/netns/${CLIENT:-$PLACE}" -- "$@"
	)
}

# spawn_in_cgroup COMMAND...: the same in the background, pid in $SPAWNED.
spawn_in_cgroup()
{
	bash -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' - "${GROUP:-$CG}" \
		nsenter --net="/run/netns/${CLIENT:-$PLACE}" -- "$@" &
	SPAWNED=$!
	disown
}

# nginx_start NAMESPACE NAME ADDRESS PORT: a real nginx that answers with its name. Its pid is in $DIR/NAME.pid.
nginx_start()
{
	mkdir -p "$DIR/$2"
	cat >"$DIR/$2/nginx.conf" <<-END
		user root;
		daemon off;
		worker_processes 1;
		pid $DIR/$2.pid;
		error_log $DIR/$2.log;
		events { worker_connections 512; }
		http {
			access_log off;
			server {
				listen $3:$4 reuseport;
				location / { return 200 "$2\n"; }
			}
		}
	END
	spawn_in "$1" nginx -e "$DIR/$2.log" -p "$DIR/$2" -c "$DIR/$2/nginx.conf"
	wait_for 10 in_ns "$1" curl -sf -m 2 -o /dev/null "http://$3:$4/" || { cat "$DIR/$2.log" >&2; return 1; }
}

# dnsmasq_start NAMESPACE NAME ADDRESS PORT: answers TXT whoami.mesh with its name, and A web.mesh with 192.0.2.80.
dnsmasq_start()
{
	spawn_in "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file="$DIR/$2.pid" \
		--bind-interfaces --except-interface=nothing --listen-address="$3" --port="$4" --txt-record=whoami.mesh,"$2" \
		--address=/web.mesh/192.0.2.80 2>"$DIR/$2.log"
	wait_for 10 in_ns "$1" dig +short +tries=1 +time=1 -p "$4" "@$3" web.mesh || { cat "$DIR/$2.log" >&2; return 1; }
}

# ns_join NODE SUFFIX ADDRESS/LENGTH: namespace $PLACE-SUFFIX with an interface of that address, on the bridge of namespace NODE.
ns_join()
{
	local ns=$PLACE-$2

	ns_make "$2"
	ip -n "$1" link add "$2" type veth peer name eth0 netns "$ns"
	ip -n "$1" link set "$2" master br0 up
	ip -n "$ns" addr add "$3" dev eth0
	ip -n "$ns" link set eth0 up
}

# ns_bridge SUFFIX ADDRESS/LENGTH: namespace $PLACE-SUFFIX with a bridge that others join.
ns_bridge()
{
	ns_make "$1"
	ip -n "$PLACE-$1" link add br0 type bridge forward_delay 0
	ip -n "$PLACE-$1" addr add "$2" dev br0
	ip -n "$PLACE-$1" link set br0 up
}

# fuzz_seeds fuzz_NAME: arguments for its dictionary and seeds, tests/fuzz/NAME.dict and tests/fuzz/seeds/NAME/, where it has them.
fuzz_seeds()
{
	local name=${1#fuzz_}

	[ ! -f "tests/fuzz/$name.dict" ] || echo "-dict=tests/fuzz/$name.dict"
	[ ! -d "tests/fuzz/seeds/$name" ] || echo "tests/fuzz/seeds/$name"
}

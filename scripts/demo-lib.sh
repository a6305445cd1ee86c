# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What the demos have in common: telling, typing and claiming, a place that is theirs, and leaving nothing behind. Sourced after
# scripts/lib.sh, with NAME, INSTANCE, PINS, WEFT, O, PIDFILE and AGENT set.

if [ -t 1 ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' off=$'\e[0m'; else bold='' green='' red='' dim='' off=''; fi

title() { printf '\n%s== %s%s\n' "$bold" "$*" "$off"; }
tell() { printf '%s\n' "$*"; }
typed() { printf '%s$ %s%s\n' "$dim" "$*" "$off"; }

# claim SENTENCE COMMAND...: the demo stands or falls with it.
claim()
{
	local sentence=$1

	shift
	if "$@"; then
		printf '%s  true:%s %s\n' "$green" "$off" "$sentence"
	else
		printf '%s  FALSE:%s %s\n' "$red" "$off" "$sentence"
		exit 1
	fi
}

weft()
{
	typed "weft $*"
	"$WEFT" "$@" --instance "$INSTANCE"
}

quiet() { "$WEFT" "$@" --instance "$INSTANCE" -o json; }

not() { ! "$@"; }

agent_is_up()
{
	[ -d "/proc/$AGENT" ] && [ "$(quiet status | jq .agent_running)" = true ]
}

start_agent()
{
	typed "weft agent -c weft.yaml &"
	spawn_in "$NODE" "$WEFT" agent -c "$DIR/weft.yaml" 2>>"$DIR/agent.log"
	AGENT=$SPAWNED
	wait_for 15 agent_is_up || { cat "$DIR/agent.log"; claim "the agent comes up" false; }
}

# What an earlier demo may have left, and at the end what this one made.
clean()
{
	[ ! -e "$PINS" ] || "$WEFT" unload --instance "$INSTANCE" >/dev/null 2>&1 || rm -rf "$PINS"
	PLACE=$NAME CG=$(cgroup2_root)/$NAME
	place_free
	rm -f "/run/weft/$INSTANCE."*
	rmdir --ignore-fail-on-non-empty /run/weft 2>/dev/null || true
}

nothing_left()
{
	[ ! -e "$PINS" ] && [ ! -e "$CG" ] && [ ! -e "/run/weft/$INSTANCE.sock" ] && ! ip netns list | grep -q "^$NAME" &&
		! pgrep -f "$DIR/" >/dev/null
}

finish()
{
	local code=$?

	trap - EXIT INT TERM HUP
	set +e
	[ $code = 0 ] || [ ! -s "$DIR/agent.log" ] || { echo "-- the agent's last words" >&2; tail -n 15 "$DIR/agent.log" >&2; }
	clean
	rm -f $PIDFILE
	exit $code
}

setup()
{
	[ "$(id -u)" = 0 ] || { say "must be root: it makes a cgroup, namespaces and loads BPF programs"; exit 1; }
	# Not a lock on a descriptor: servers that outlive a killed demo would hold it.
	if grep -qsa "scripts/${0##*/}" "/proc/$(cat $PIDFILE 2>/dev/null || echo none)/cmdline"; then
		say "another demo is running"
		exit 1
	fi
	echo $$ >$PIDFILE
	title "Dependencies and build"
	./scripts/deps build test
	make -j"$(nproc)" O="$O" all >"$O.log" 2>&1 || { tail -n 30 "$O.log"; exit 1; }
	rm -f "$O.log"
	"$WEFT" version
	clean
	for old in /tmp/$NAME.??????; do [ ! -d "$old" ] || rm -rf "$old"; done
	trap finish EXIT
	trap 'exit 130' INT TERM HUP
	place_make $NAME
	NODE=$NAME-node CLIENT=$NODE
}

# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sourced by tests of what goes wrong with a registry: the service web at 10.96.0.2:80 has the endpoints $KEPT, whatever happens.
now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
ticks() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$AGENT/stat"; }
web_is() { endpoints_are web "$@"; }
log_has() { grep -q -- "$1" "$DIR/agent.log"; }
log_lines() { grep -c -- "$1" "$DIR/agent.log" || true; }

# Endpoints stay for SECONDS while something is wrong; the agent rests. What it used is in $CPU.
holds() # SECONDS WHAT
{
	local end cpu start list

	start=$(now) end=$((start + $1 * 1000)) cpu=$(ticks)
	while (($(now) < end)); do
		list=$(weft endpoint list web -o json 2>&1) || fail "$2: endpoint list: $list"
		assert_eq "$(jq -r '[.[] | select(.state != "draining") | .endpoint] | join(" ")' <<<"$list")" "$KEPT" "$2: endpoints"
		sleep 0.1
	done
	cpu=$(($(ticks) - cpu))
	((cpu * 10 <= $(now) - start)) || fail "$2: the agent used $cpu ms of a CPU in $(($(now) - start)) ms"
	assert_eq "$(failures 10.96.0.2:80 5)" 0 "$2: connects"
	CPU="$cpu ms of CPU in $1 s"
}

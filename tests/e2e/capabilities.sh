#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# After the attach the agent holds no capability in effect, and still reloads, serves metrics and cleans up.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80 127.0.0.2:80
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | config
start_agent
effective()
{
	awk '$1 == "CapEff:" { print $2 }' /proc/"$AGENT"/task/*/status | sort -u
}
no_caps() { [ "$(effective)" = 0000000000000000 ]; }
must 5 "no capability is in effect" no_caps
permitted=$(awk '$1 == "CapPrm:" { print $2 }' "/proc/$AGENT/status")
((0x$permitted == (1 << 39 | 1 << 21 | 1 << 19 | 1 << 12))) ||
	fail "CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_SYS_PTRACE alone may be taken back, not $permitted"
assert_eq "$(awk '$1 == "NoNewPrivs:" { print $2 }' "/proc/$AGENT/status")" 1 "no_new_privs"
service web tcp 10.96.0.1:80 random 127.0.0.2:80 | config
must 5 "a reload works without capabilities in effect" endpoints_are web 127.0.0.2:80
assert_eq "$(spread 10.96.0.1:80 10)" "127.0.0.2:80 10" "traffic"
must 5 "capabilities are dropped again" no_caps

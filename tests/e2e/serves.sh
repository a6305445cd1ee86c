#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The agent starts; HTTP through real nginx and DNS through real dnsmasq are balanced, and only inside the cgroup.
. "$(dirname "$0")/lib.sh"

for i in 1 2 3; do nginx_start "$PLACE" "web$i" "127.0.0.1$i" 80; done
for i in 1 2; do dnsmasq_start "$PLACE" "dns$i" "127.0.0.2$i" 53; done
{
	service web tcp 10.96.0.1:80 round-robin 127.0.0.11:80 127.0.0.12:80 127.0.0.13:80
	service dns udp 10.96.0.2:53 random 127.0.0.21:53 127.0.0.22:53
} | config
start_agent

answers=$(in_cgroup bash -c 'for i in {1..30}; do curl -sS -m 5 http://10.96.0.1/; done' | sort | uniq -c | tr -s ' \n' ' ')
assert_eq "$answers" " 10 web1 10 web2 10 web3 " "round-robin over nginx"
names=$(in_cgroup bash -c 'for i in {1..20}; do dig +short +tries=1 +time=2 @10.96.0.2 TXT whoami.mesh; done' | sort -u | tr '\n' ' ')
assert_eq "$names" '"dns1" "dns2" ' "both DNS servers answer"
assert_match "$(in_cgroup dig +tries=1 @10.96.0.2 web.mesh)" 'SERVER: 10\.96\.0\.2#53' "the answer comes from the service address"
! in_ns "$PLACE" curl -s -m 1 http://10.96.0.1/ || fail "a process outside the cgroup was balanced"

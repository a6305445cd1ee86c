/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What TCP knows of a connection, read from struct tcp_sock. */
#ifndef WEFT_BPF_TCP_H
#define WEFT_BPF_TCP_H

#include <stdbool.h>

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>

enum sock_flags { SOCK_DEAD, SOCK_DONE }; /* CO-RE takes the kernel's value */

struct tcp_totals {
	__u64 sent; /* payload handed to the network once, retransmissions not counted again */
	__u64 received;
	__u32 retransmits;
	__u32 srtt_us;
	int error;   /* positive errno */
	bool orphan; /* its last descriptor is closed */
};

/* Has its last descriptor been closed? */
static __always_inline bool tcp_is_orphan(struct tcp_sock *tp)
{
	return tp && (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags &
		      (1ul << bpf_core_enum_value(enum sock_flags, SOCK_DEAD)));
}

/* @tp from bpf_skc_to_tcp_sock(), not NULL. The FIN takes a sequence number; it is no byte of the application's. */
static __always_inline void tcp_read_totals(struct tcp_sock *tp, struct tcp_totals *ret)
{
	unsigned long flags = tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags;
	__u64 received = tp->bytes_received;

	if (received && (flags & (1ul << bpf_core_enum_value(enum sock_flags, SOCK_DONE))))
		received--;
	ret->sent = tp->bytes_sent - tp->bytes_retrans;
	ret->received = received;
	ret->retransmits = tp->total_retrans;
	ret->srtt_us = tp->srtt_us >> 3;
	ret->error = tp->inet_conn.icsk_inet.sk.sk_err;
	ret->orphan = tcp_is_orphan(tp);
}

#endif

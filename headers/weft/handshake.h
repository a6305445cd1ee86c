/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connects under way that may fail over, and the translation of those that did. Part of the ABI, see weft/abi.h.
 */
#ifndef WEFT_HANDSHAKE_H
#define WEFT_HANDSHAKE_H

#include <linux/bpf.h>
#include <linux/types.h>

#include "weft/abi.h"

/* Two ends of a connection as a packet bears them. */
struct weft_tuple {
	struct weft_addr client, server;
	__be16 client_port_be, server_port_be;
};
ABI_SIZE(struct weft_tuple, 36);

#define WEFT_TRIES   6	 /* endpoints that one connect tries */
#define WEFT_SYN_MAX 100 /* IPv4 without options or IPv6, and a TCP header of any length */

#define WEFT_TRY_F_REFUSED 1u /* it said no; the others were silent */
#define WEFT_TRY_F_LOCAL   2u /* at an address of this host */

/* An endpoint that a connect has been sent to. */
struct weft_try {
	struct weft_addr addr;
	__u32 backend;
	__u32 gen;
	__be16 port_be;
	__be16 client_port_be; /* that packets to it bear */
	__u32 flags;	       /* WEFT_TRY_F_* */
};
ABI_SIZE(struct weft_try, 32);

enum weft_way { WEFT_WAY_NONE, WEFT_WAY_EGRESS, WEFT_WAY_INGRESS };

/* The next retransmission goes where .aim is: that was chosen when an answer came. */
#define WEFT_HANDSHAKE_F_CHOSEN 1u
#define WEFT_HANDSHAKE_F_FIXED	2u /* its SYN cannot be kept (data, options): it stays with its first endpoint */

/* Value of weft_handshakes; the key is the tuple as the client's socket has it. */
struct weft_handshake {
	__u32 backend; /* where the place is held; whoever exchanges it for 0 takes the place over */
	__u32 gen;
	__u32 service;
	__u32 busy;    /* 1: some CPU is choosing the next endpoint */
	__u32 settled; /* 1 + index of the try that answered first; 0: none yet */
	__u32 ifindex; /* where the SYN was seen first; all translation is done there */
	__u32 isn_be;
	__u8 way; /* enum weft_way: leaving by, or coming in by, that link */
	__u8 flags;
	__u8 nr_tries;
	__u8 aim; /* index of the try that the SYN goes to */
	__u64 caller;
	__u64 start_ns;
	__u32 syn_len;
	__u32 holder; /* index of the try whose place is held */
	struct weft_try tried[WEFT_TRIES];
	__u8 mac[8];		    /* of processes of the host: that of the link that the SYN left by */
	__u8 syn[WEFT_SYN_MAX + 4]; /* from the IP header on */
};
ABI_SIZE(struct weft_handshake, 56 + 32 * WEFT_TRIES + 8 + 104);

/* Key of weft_nat. */
struct weft_nat_key {
	struct weft_tuple tuple;
	__u32 back; /* 0: as the client's socket sends; 1: as the endpoint answers (client and server as in the other)
		     */
};
ABI_SIZE(struct weft_nat_key, 40);

/* Value of weft_nat: what to write instead. */
struct weft_nat {
	struct bpf_timer timer; /* of the element with the key 0 only, which is no translation: removes what is over */
	struct weft_addr server;
	__be16 client_port_be, server_port_be;
	__u32 ifindex; /* as of the handshake */
	__u8 way;
	__u8 local; /* the endpoint is at an address of this host */
	__u8 pad[2];
	__u8 mac[8]; /* pods: what the client must send to, zero: as it does; processes of the host: as of the handshake
		      */
	__u32 pad2;
	__u64 over_ns; /* of the forward entry: when both are removed, because the connection has ended; 0: it has not
			*/
};
ABI_SIZE(struct weft_nat, 64);

#endif

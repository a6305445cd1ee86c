/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connects under way that may fail over: sockops puts an entry down before the SYN leaves and takes it up when the
 * handshake is over; in between failover (failover.bpf.c) moves it from endpoint to endpoint. The place at the endpoint
 * goes with .backend, by atomic exchange: it belongs to the entry, until sockops has taken it back into the flow.
 */
#ifndef WEFT_BPF_HANDSHAKE_H
#define WEFT_BPF_HANDSHAKE_H

#include <bpf/bpf_endian.h>

#include "lib/flow.h"
#include "lib/nat.h"

/* Writers: sockops, failover. Full: counted, and such a connect cannot fail over. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEFT_DEF_HANDSHAKES);
	__type(key, struct weft_tuple);
	__type(value, struct weft_handshake);
} weft_handshakes __weak SEC(".maps");

__weak const struct weft_handshake handshake_zero = {};

#ifndef SOL_TCP
#define SOL_TCP 6
#endif
#ifndef TCP_BPF_IW
#define TCP_BPF_IW 1001
#endif
#define HANDSHAKE_INITIAL_WINDOW 10 /* TCP_INIT_CWND */
#define HANDSHAKE_AF_INET	 2

static __always_inline void handshake_tuple(struct bpf_sock_ops *ctx, const struct weft_flow *flow,
					    struct weft_tuple *ret)
{
	if (ctx->family == HANDSHAKE_AF_INET) {
		__be32 ip = ctx->local_ip4;

		/* The verifier wants each field read at its own, fixed place: the compiler must not make one load of
		 * two. */
		asm volatile("" : "+r"(ip));
		weft_addr_set_v4(&ret->client, ip);
	} else {
		weft_addr_set(&ret->client, ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2], ctx->local_ip6[3]);
	}
	ret->client_port_be = bpf_htons((__u16)ctx->local_port);
	ret->server = flow->dest;
	ret->server_port_be = flow->dest_port_be;
}

/* 127.0.0.0/8, ::1: every network namespace has its own. */
static __always_inline bool handshake_is_loopback(const struct weft_addr *a)
{
	if (weft_addr_is_v4(a))
		return a->byte[12] == 127;
	return !weft_addr_word(a, 0) && !weft_addr_word(a, 1) && !weft_addr_word(a, 2) &&
	       weft_addr_word(a, 3) == bpf_htonl(1);
}

/*
 * TCP_CONNECT. Local connections are followed in the namespace whose links have the programs only: the same addresses
 * may be in use in any other.
 */
static __always_inline void handshake_begin(struct bpf_sock_ops *ctx, struct weft_flow *flow,
					    const struct weft_spec *spec)
{
	struct weft_tuple tuple = {};
	struct weft_handshake *hs;
	const struct weft_config *c;
	__u32 zero = 0;

	if (!(spec->flags & WEFT_SPEC_F_FAILOVER) || spec->nr_backends < 2)
		return;
	c = bpf_map_lookup_elem(&weft_config, &zero);
	if (!c || !c->netns)
		return;
	handshake_tuple(ctx, flow, &tuple);
	if ((handshake_is_loopback(&tuple.server) || weft_addr_equal(&tuple.server, &tuple.client)) &&
	    bpf_get_netns_cookie(ctx) != c->netns)
		return;
	/* What an earlier connection on these ports may have left. */
	if (c->moved)
		nat_forget(&tuple);
	if (bpf_map_update_elem(&weft_handshakes, &tuple, &handshake_zero, BPF_ANY)) {
		count(WEFT_R_HANDSHAKES_FULL);
		return;
	}
	hs = bpf_map_lookup_elem(&weft_handshakes, &tuple);
	if (!hs)
		return;
	hs->gen = flow->gen;
	hs->service = flow->service;
	hs->caller = flow->caller;
	hs->start_ns = flow->start_ns;
	hs->nr_tries = 1;
	hs->tried[0].backend = flow->backend;
	hs->tried[0].gen = flow->gen;
	hs->tried[0].addr = flow->dest;
	hs->tried[0].port_be = flow->dest_port_be;
	hs->tried[0].client_port_be = tuple.client_port_be;
	__sync_fetch_and_or(&flow->flags, WEFT_FLOW_F_HANDSHAKE);
	__sync_lock_test_and_set(&hs->backend, flow->backend);
}

/*
 * Has no link seen its SYN yet? Then it waits for a neighbour that does not answer (or leaves by a link without the
 * programs): failover cannot help it, but who comes next can be spared.
 */
static __always_inline bool handshake_is_unseen(struct bpf_sock_ops *ctx, const struct weft_flow *flow)
{
	struct weft_tuple tuple = {};
	const struct weft_handshake *hs;

	handshake_tuple(ctx, flow, &tuple);
	hs = bpf_map_lookup_elem(&weft_handshakes, &tuple);
	return hs && hs->way == WEFT_WAY_NONE;
}

/* Takes the place back into the flow, wherever it is by now. True: the entry was there. */
static __always_inline bool handshake_take_back(struct weft_flow *flow, struct weft_handshake *hs)
{
	__u32 backend = __sync_lock_test_and_set(&hs->backend, 0);

	__sync_fetch_and_and(&flow->flags, ~WEFT_FLOW_F_HANDSHAKE);
	if (!backend)
		return false;
	if (backend != flow->backend) {
		flow->backend = backend;
		flow->gen = hs->gen;
	}
	return true;
}

/* Answers of endpoints that were tried before the one that settled it find nobody any more. Returns 0. */
static __noinline int handshake_forget_tries(const struct weft_tuple *tuple, __u32 keep)
{
	const struct weft_handshake *hs;

	if (!tuple)
		return 0;
	hs = bpf_map_lookup_elem(&weft_handshakes, tuple);
	if (!hs)
		return 0;
	/* The first was never translated. */
	for (__u32 i = 1; i < WEFT_TRIES; i++) {
		struct weft_nat_key answer = { .back = 1 };

		if (i >= hs->nr_tries || i == keep)
			continue;
		answer.tuple.client = tuple->client;
		answer.tuple.client_port_be = hs->tried[i].client_port_be;
		answer.tuple.server = hs->tried[i].addr;
		answer.tuple.server_port_be = hs->tried[i].port_be;
		nat_remove(&answer);
	}
	return 0;
}

/* ESTABLISHED. The kernel begins more slowly after several SYNs; what it took them for, a congested path, they were
 * not. */
static __always_inline void handshake_done(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	int window = HANDSHAKE_INITIAL_WINDOW;
	struct weft_tuple tuple = {};
	struct weft_handshake *hs;
	__u32 settled;

	handshake_tuple(ctx, flow, &tuple);
	hs = bpf_map_lookup_elem(&weft_handshakes, &tuple);
	if (!hs)
		return;
	settled = *(volatile __u32 *)&hs->settled;
	handshake_take_back(flow, hs);
	if (hs->nr_tries > 1) {
		handshake_forget_tries(&tuple, settled ? settled - 1 : 0);
		if (settled > 1) {
			__sync_fetch_and_or(&flow->flags, WEFT_FLOW_F_MOVED);
		} else {
			struct weft_nat_key forward = { .tuple = tuple };

			nat_remove(&forward);
		}
		if (ctx->total_retrans > 1)
			bpf_setsockopt(ctx, SOL_TCP, TCP_BPF_IW, &window, sizeof(window));
	}
	bpf_map_delete_elem(&weft_handshakes, &tuple);
}

/* CLOSE. Of a handshake: it failed, and the endpoint tried last is the one to tell of. */
static __always_inline void handshake_end(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	struct weft_tuple tuple = {};
	struct weft_handshake *hs;

	handshake_tuple(ctx, flow, &tuple);
	if (flow->flags & WEFT_FLOW_F_MOVED) {
		/* Who closes first keeps TIME_WAIT, or FIN_WAIT2 until the other one closes too. */
		nat_linger(&tuple, ctx->args[0] == BPF_TCP_FIN_WAIT1 || ctx->args[0] == BPF_TCP_FIN_WAIT2 ||
						   ctx->args[0] == BPF_TCP_CLOSING
					   ? NAT_LINGER_NS
					   : NAT_SHORT_NS);
		return;
	}
	hs = bpf_map_lookup_elem(&weft_handshakes, &tuple);
	if (!hs)
		return;
	handshake_take_back(flow, hs);
	if (hs->nr_tries > 1) {
		struct weft_nat_key forward = { .tuple = tuple };

		handshake_forget_tries(&tuple, 0);
		nat_remove(&forward);
	}
	bpf_map_delete_elem(&weft_handshakes, &tuple);
}

#endif

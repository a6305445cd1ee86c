/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Walks the sockets that have a flow, in every network namespace. Writes a struct weft_flow_record for each that holds
 * an endpoint, and adds to weft_edges what living connections have moved since the last walk, so that byte counters do
 * not wait for close().
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>

#include "lib/drain.h"
#include "lib/flow.h"
#include "lib/tcp.h"

#define KERNEL_AF_INET6	 10
#define KERNEL_TCP_CLOSE 7

static __always_inline void iter_addresses(struct sock *sk, struct weft_flow_record *r)
{
	struct sock_common *c = &sk->__sk_common;

	r->local_port_be = (__be16)__builtin_bswap16(c->skc_num);
	r->remote_port_be = c->skc_dport;
	if (c->skc_family == KERNEL_AF_INET6) {
		bpf_probe_read_kernel(r->local.byte, 16, &c->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(r->remote.byte, 16, &c->skc_v6_daddr);
	} else {
		weft_addr_set_v4(&r->local, c->skc_rcv_saddr);
		weft_addr_set_v4(&r->remote, c->skc_daddr);
	}
}

SEC("iter/bpf_sk_storage_map")
int weft_iter_flow(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct weft_flow_record r = {};
	struct sock *sk = ctx->sk;
	struct tcp_totals tcp = {};
	struct weft_flow *flow;
	struct weft_edge *edge;
	struct tcp_sock *tp;

	if (!sk || !ctx->value)
		return 0;
	flow = bpf_sk_storage_get(&weft_flows, sk, NULL, 0);
	if (!flow)
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			tcp_read_totals(tp, &tcp);
		if (flow->state == WEFT_FLOW_ESTABLISHED) {
			edge = count_flow_edge(flow);
			if (edge)
				flow_account(flow, edge, tcp.sent, tcp.received, tcp.retransmits);
		}
	}
	/* Its endpoint is gone and somebody disconnected it, with SOCK_DESTROY: it holds a place for nothing. */
	if (flow->held && sk->sk_protocol == IPPROTO_UDP && sk->__sk_common.skc_state == KERNEL_TCP_CLOSE &&
	    drain_vanished(flow)) {
		flow_leave(flow);
		count(WEFT_R_VANISHED_CLOSED);
	}
	if (!flow->held)
		return 0;
	__builtin_memcpy(&r.flow, flow, sizeof(r.flow));
	iter_addresses(sk, &r);
	r.sk_state = sk->__sk_common.skc_state;
	r.srtt_us = tcp.srtt_us;
	r.netns = sk->__sk_common.skc_net.net->ns.inum;
	r.cookie = (__u64)sk->__sk_common.skc_cookie.counter;
	r.bytes_sent = tcp.sent;
	r.bytes_received = tcp.received;
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * connect(): cgroup/connect4 and connect6, for TCP and connected UDP. May replace the destination, or refuse. An
 * address that is no service passes after one look-up. The programs run under the socket lock, before a port or a route
 * is chosen.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "kernel_types.h"
#include "lib/service.h"

/*
 * MPTCP connects its first subflow, a socket of its own, and this hook sees that one; getpeername() asks the MPTCP
 * socket. So that one gets a copy, which holds nothing and counts for nothing. The helper came with 5.19; MPTCP may be
 * configured out.
 */
static __always_inline void connect_name_mptcp(struct bpf_sock_addr *ctx, const struct weft_flow *flow)
{
	struct mptcp_sock *msk;
	struct weft_flow *alias;

	if (!bpf_core_type_exists(struct mptcp_sock) ||
	    !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_mptcp_sock))
		return;
	msk = bpf_skc_to_mptcp_sock(ctx->sk);
	if (!msk)
		return;
	alias = bpf_sk_storage_get(&weft_flows, msk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!alias)
		return;
	alias->vip = flow->vip;
	alias->vip_port_be = flow->vip_port_be;
	alias->backend = flow->backend;
	alias->gen = flow->gen;
	alias->state = WEFT_FLOW_ALIAS;
}

/* 1: replaced, the new destination in *to; 0: refused; -1: not ours. */
static __always_inline int connect_service(struct bpf_sock_addr *ctx, const struct weft_frontend_key *key,
					   struct choice *to)
{
	__u32 service = service_find(key);
	struct weft_flow *flow;
	struct weft_edge *edge;
	__u64 now;

	if (!service) {
		/* A socket that was connected to a service and now goes elsewhere. */
		flow = bpf_sk_storage_get(&weft_flows, ctx->sk, NULL, 0);
		if (flow && flow->held)
			flow_leave(flow, bpf_ktime_get_ns());
		count(WEFT_R_NO_SERVICE);
		return -1;
	}
	now = bpf_ktime_get_ns();
	if (!service_choose(ctx, service, now, to))
		return service_refuse(service, WEFT_R_NO_BACKEND);
	flow = bpf_sk_storage_get(&weft_flows, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!flow)
		return service_refuse(service, WEFT_R_NO_STORAGE);
	if (flow->held) {
		count(WEFT_R_RECONNECTED);
		flow_leave(flow, now);
	}
	flow->vip = key->addr;
	flow->vip_port_be = key->port_be;
	flow->proto = key->proto;
	flow->service = service;
	flow->backend = to->backend;
	flow->gen = to->gen;
	flow->caller = service_caller();
	flow->start_ns = now;
	flow->bytes_sent = 0;
	flow->bytes_received = 0;
	flow->retransmits = 0;
	flow->rtt_samples = 0;
	flow->state = key->proto == IPPROTO_UDP ? WEFT_FLOW_ESTABLISHED : WEFT_FLOW_CONNECTING;
	flow_hold(flow);
	if (key->proto == IPPROTO_TCP)
		connect_name_mptcp(ctx, flow);
	edge = count_edge(flow->caller, service, to->backend, to->gen);
	if (edge) {
		__sync_fetch_and_add(&edge->opened, 1);
		if (key->proto == IPPROTO_UDP)
			__sync_fetch_and_add(&edge->established, 1);
	}
	count(WEFT_R_FORWARDED);
	return 1;
}

SEC("cgroup/connect4")
int weft_connect4(struct bpf_sock_addr *ctx)
{
	__u8 proto = service_proto(ctx->protocol);
	struct weft_frontend_key key;
	struct choice to;
	int r;

	if (!proto)
		return PROCEED;
	key_set_v4(&key, ctx, proto);
	r = connect_service(ctx, &key, &to);
	if (r > 0)
		ctx_set_v4(ctx, &to.addr, to.port_be);
	return r ? PROCEED : REFUSE;
}

SEC("cgroup/connect6")
int weft_connect6(struct bpf_sock_addr *ctx)
{
	__u8 proto = service_proto(ctx->protocol);
	struct weft_frontend_key key;
	struct choice to;
	int r;

	if (!proto)
		return PROCEED;
	key_set_v6(&key, ctx, proto);
	r = connect_service(ctx, &key, &to);
	if (r > 0)
		ctx_set_v6(ctx, &to.addr, to.port_be);
	return r ? PROCEED : REFUSE;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

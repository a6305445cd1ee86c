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
#include "lib/admit.h"
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
	alias->dest = flow->dest;
	alias->dest_port_be = flow->dest_port_be;
	alias->state = WEFT_FLOW_ALIAS;
}

/*
 * The places that a connect has taken so far, to be given back when it is refused after all. @backend 0: none there.
 * A subprogram, for the sake of the stack.
 */
static __noinline int connect_refuse(__u32 service, __u32 backend, __u32 pending, __u32 reason)
{
	if (backend)
		endpoint_give_back(backend, pending);
	admit_undo(service, pending);
	return service_refuse(service, (enum weft_reason)reason);
}

static __always_inline void connect_remember(struct weft_flow *flow, const struct weft_frontend_key *key,
					     const struct choice *to, __u64 now)
{
	flow->vip = key->addr;
	flow->vip_port_be = key->port_be;
	flow->proto = key->proto;
	flow->service = to->service;
	flow->backend = to->backend;
	flow->gen = to->gen;
	flow->caller = service_caller();
	flow->start_ns = now;
	flow->bytes_sent = 0;
	flow->bytes_received = 0;
	flow->retransmits = 0;
	flow->rtt_samples = 0;
	flow->dest = to->addr;
	flow->dest_port_be = to->port_be;
	flow->deadline_ms = 0;
	flow->state = key->proto == IPPROTO_UDP ? WEFT_FLOW_ESTABLISHED : WEFT_FLOW_CONNECTING;
}

/* In the row of its caller and endpoint. A subprogram, for the sake of the stack. Returns 0. */
static __noinline int connect_count(const struct weft_flow *flow)
{
	struct weft_edge *edge;

	if (!flow)
		return 0;
	edge = count_edge(flow->caller, flow->service, flow->backend, flow->gen);
	if (!edge)
		return 0;
	__sync_fetch_and_add(&edge->opened, 1);
	if (flow->proto == IPPROTO_UDP)
		__sync_fetch_and_add(&edge->established, 1);
	return 0;
}

/* 1: replaced, the new destination in *to; 0: refused; -1: not ours. */
static __always_inline int connect_service(struct bpf_sock_addr *ctx, const struct weft_frontend_key *key,
					   struct choice *to)
{
	struct weft_flow *flow = NULL;
	__u32 service = service_find(key);
	bool tcp = key->proto == IPPROTO_TCP;
	__u32 reason, flags;
	__u64 now;

	flow = bpf_sk_storage_get(&weft_flows, ctx->sk, NULL, 0);
	if (flow && flow->state == WEFT_FLOW_PASS)
		return -1;
	if (!service) {
		/* A socket that was connected to a service and now goes elsewhere. */
		if (flow && flow->held)
			flow_leave(flow);
		count(WEFT_R_NO_SERVICE);
		return -1;
	}
	if (flow && flow->held) {
		count(WEFT_R_RECONNECTED);
		flow_leave(flow);
	}
	now = bpf_ktime_get_ns();
	reason = admit_begin(service, tcp, now);
	if (reason)
		return service_refuse(service, reason);
	if (!flow)
		flow = bpf_sk_storage_get(&weft_flows, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!flow)
		return connect_refuse(service, 0, tcp, WEFT_R_NO_STORAGE);
	if (!service_choose(ctx, service, now, tcp ? CHOOSE_TAKE | CHOOSE_PENDING : CHOOSE_TAKE, to))
		return connect_refuse(service, 0, tcp, service_why_none(service));
	reason = admit_finish(service, tcp, now);
	if (reason && reason != ADMIT_TRIAL)
		return connect_refuse(service, to->backend, tcp, reason);
	flags = tcp ? WEFT_FLOW_F_WAITING : 0;
	if (reason == ADMIT_TRIAL)
		flags |= WEFT_FLOW_F_TRIAL;
	if (admit_is_limited(service))
		flags |= WEFT_FLOW_F_LIMITED;
	connect_remember(flow, key, to, now);
	flow_hold(flow, flags);
	if (tcp)
		connect_name_mptcp(ctx, flow);
	connect_count(flow);
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

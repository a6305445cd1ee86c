/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sockops: the life of TCP connections that the connect hook sent to an endpoint: handshake, latency, end and why.
 * Observes only; its failure costs metrics and the latency that p2c-ewma goes by. Connections that are not ours cost a
 * look at their storage when they connect, and no callback afterwards. ctx->reply is never touched: other sockops
 * programs may have set it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <linux/errno.h>

#include "lib/flow.h"
#include "lib/tcp.h"
#include "switches.h"

#define RTT_SAMPLES 16 /* of a connection; later ones would cost every acknowledgement and teach little */

static __always_inline void feed_latency(struct weft_bstate *state, __u32 us, __u64 now)
{
	struct weft_ewma e = weft_ewma_feed(latency_read(state), us, (__u32)(now / NS_PER_MS));

	/* Two CPUs may feed at once and one sample be lost; the pair is never torn. */
	*(volatile __u64 *)&state->ewma = (__u64)e.at_ms << 32 | e.us;
}

static __always_inline void on_connect(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG;
	const struct weft_service *s;
	const struct weft_spec *spec = NULL;
	__u32 i = flow->service;

	if (!flow->held)
		return;
	flow->state = WEFT_FLOW_SYN_SENT;
	s = bpf_map_lookup_elem(&weft_services, &i);
	if (s) {
		i = *(volatile const __u32 *)&s->spec;
		spec = bpf_map_lookup_elem(&weft_specs, &i);
	}
	if (spec && spec->lb == WEFT_LB_P2C_EWMA)
		flags |= BPF_SOCK_OPS_RTT_CB_FLAG;
	bpf_sock_ops_cb_flags_set(ctx, flags);
}

static __always_inline void on_established(struct weft_flow *flow)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	struct weft_edge *edge;
	__u64 now, us;

	if (flow->state != WEFT_FLOW_SYN_SENT)
		return;
	flow->state = WEFT_FLOW_ESTABLISHED;
	now = bpf_ktime_get_ns();
	us = (now - flow->start_ns) / NS_PER_US;
	edge = count_flow_edge(flow);
	if (edge) {
		__sync_fetch_and_add(&edge->established, 1);
		count_hist(edge->handshake, &edge->handshake_us, us);
	}
	if (!state)
		return;
	__sync_fetch_and_add(&state->established, 1);
	state->failures_in_row = 0;
	state->last_handshake_us = us > 0xffffffff ? 0xffffffff : (__u32)us;
	feed_latency(state, state->last_handshake_us, now);
}

static __always_inline void on_rtt(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	__u32 us = ctx->srtt_us >> 3;

	if (state && flow->state == WEFT_FLOW_ESTABLISHED && flow->held) {
		state->last_rtt_us = us;
		feed_latency(state, us, bpf_ktime_get_ns());
	}
	if (++flow->rtt_samples >= RTT_SAMPLES)
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTT_CB_FLAG);
}

static __always_inline void handshake_failed(struct weft_flow *flow, int error)
{
	__u64 now = bpf_ktime_get_ns();

	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		flow_failed(flow, WEFT_FAIL_REFUSED, WEFT_R_REFUSED, now);
		break;
	case ETIMEDOUT:
		flow_failed(flow, WEFT_FAIL_TIMED_OUT, WEFT_R_TIMED_OUT, now);
		break;
	case 0:
		flow_failed(flow, WEFT_FAIL_ABORTED, WEFT_R_ABORTED, now);
		break;
	default: /* EHOSTUNREACH, ENETUNREACH, EPERM and what else ICMP and filters say */
		flow_failed(flow, WEFT_FAIL_UNREACHABLE, WEFT_R_UNREACHABLE, now);
	}
}

/*
 * A reset counts as one while the application still held the socket. After its close() TCP resets whatever data comes
 * in: whether that happens is chance, and nobody is there to miss it.
 */
static __always_inline void connection_ended(struct weft_flow *flow, const struct tcp_totals *tcp)
{
	struct weft_edge *edge = count_flow_edge(flow);
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	bool reset = flow->held && (tcp->error == ECONNRESET || tcp->error == EPIPE);

	flow->state = WEFT_FLOW_NONE;
	count(reset ? WEFT_R_RESET : WEFT_R_CLOSED);
	if (state)
		state->last_rtt_us = tcp->srtt_us;
	if (!edge)
		return;
	flow_account(flow, edge, tcp->sent, tcp->received, tcp->retransmits);
	count_hist(edge->rtt, &edge->rtt_us, tcp->srtt_us);
	__sync_fetch_and_add(&edge->closed, 1);
	if (reset)
		__sync_fetch_and_add(&edge->failed[WEFT_FAIL_RESET], 1);
}

/* TCP is done with the connection, whoever ended it. The socket itself may have been closed long ago. */
static __always_inline void on_close(struct bpf_sock_ops *ctx, struct bpf_sock *sk, struct weft_flow *flow)
{
	struct tcp_totals tcp = {};
	struct tcp_sock *tp;

	if (weft_has_skerr) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			tcp_read_totals(tp, &tcp);
	} else {
		tcp.sent = ctx->bytes_acked;
		tcp.received = ctx->bytes_received;
		tcp.retransmits = ctx->total_retrans;
		tcp.srtt_us = ctx->srtt_us >> 3;
		tcp.error = flow->state == WEFT_FLOW_SYN_SENT ? (tcp.retransmits ? ETIMEDOUT : ECONNREFUSED) : 0;
	}
	if (flow->state == WEFT_FLOW_SYN_SENT)
		handshake_failed(flow, tcp.error);
	else if (flow->state == WEFT_FLOW_ESTABLISHED)
		connection_ended(flow, &tcp);
	flow_let_go(flow);
}

SEC("sockops")
int weft_sockops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct weft_flow *flow;

	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_STATE_CB:
	case BPF_SOCK_OPS_RTT_CB:
		break;
	default:
		return 1;
	}
	if (!sk)
		return 1;
	flow = bpf_sk_storage_get(&weft_flows, sk, NULL, 0);
	if (!flow)
		return 1;
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		on_connect(ctx, flow);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		on_established(flow);
		break;
	case BPF_SOCK_OPS_RTT_CB:
		on_rtt(ctx, flow);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			on_close(ctx, sk, flow);
		break;
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

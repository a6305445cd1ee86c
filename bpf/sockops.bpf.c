/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sockops: the life of TCP connections that the connect hook sent to an endpoint: handshake, latency, end and why.
 * Observes only; its failure costs metrics and the latency that p2c-ewma goes by. Connections that are not ours cost a
 * look at their storage when they connect, and no callback afterwards. ctx->reply is touched only to set the
 * retransmission time of a SYN: other sockops programs may have set it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <linux/errno.h>

#include "lib/drain.h"
#include "lib/flow.h"
#include "lib/handshake.h"
#include "lib/synrto.h"
#include "lib/tcp.h"
#include "switches.h"

#define UNSEEN_MS   100ull /* after which each timeout of a SYN that no link has seen is held against its endpoint */
#define RTT_SAMPLES 16	   /* of a connection; later ones would cost every acknowledgement and teach little */

static __always_inline void feed_latency(struct weft_ewma *at, __u32 us, __u64 now)
{
	struct weft_ewma e = weft_ewma_feed(ewma_read(at), us, (__u32)(now / NS_PER_MS));

	/* Two CPUs may feed at once and one sample be lost; the pair is never torn. */
	*(volatile __u64 *)at = (__u64)e.at_ms << 32 | e.us;
}

static __always_inline const struct weft_spec *spec_of(const struct weft_flow *flow)
{
	__u32 spec = service_spec(flow->service);

	return bpf_map_lookup_elem(&weft_specs, &spec);
}

static __always_inline void tcp_give_up(struct bpf_sock_ops *ctx)
{
	int ms = 1;

	bpf_setsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static __always_inline void on_connect(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RTO_CB_FLAG;
	const struct weft_spec *spec;

	if (!flow->held)
		return;
	flow->state = WEFT_FLOW_SYN_SENT;
	spec = spec_of(flow);
	if (spec && spec->lb == WEFT_LB_P2C_EWMA)
		flags |= BPF_SOCK_OPS_RTT_CB_FLAG;
	bpf_sock_ops_cb_flags_set(ctx, flags);
	if (!spec || spec->service != flow->service)
		return;
	handshake_begin(ctx, flow, spec);
	handshake_deadline_begin(ctx, flow, spec);
}

/* How long the endpoint took: since connect(), unless part of that went by with others, or with a SYN that was lost. */
static __always_inline __u32 handshake_us(const struct bpf_sock_ops *ctx, const struct weft_flow *flow, __u64 us)
{
	if ((flow->flags & WEFT_FLOW_F_MOVED) || ctx->total_retrans)
		us = ctx->srtt_us >> 3;
	return us > 0xffffffff ? 0xffffffff : (__u32)us;
}

static __always_inline void on_established(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	struct weft_bstate *state;
	struct weft_sstate *service;
	struct weft_edge *edge;
	__u64 now, us;

	if (flow->state != WEFT_FLOW_SYN_SENT)
		return;
	if (flow->flags & WEFT_FLOW_F_HANDSHAKE)
		handshake_done(ctx, flow);
	handshake_deadline_end(ctx, flow);
	flow_waits_no_more(flow);
	flow->state = WEFT_FLOW_ESTABLISHED;
	now = bpf_ktime_get_ns();
	us = (now - flow->start_ns) / NS_PER_US;
	edge = count_flow_edge(flow);
	if (edge) {
		__sync_fetch_and_add(&edge->established, 1);
		count_hist(edge->handshake, &edge->handshake_us, us);
	}
	breaker_outcome(flow->service, 0, flow->flags & WEFT_FLOW_F_TRIAL);
	state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	if (!state)
		return;
	__sync_fetch_and_add(&state->established, 1);
	weft_outlier_success(state);
	state->last_handshake_us = handshake_us(ctx, flow, us);
	if (!state->last_handshake_us)
		return;
	feed_latency(&state->ewma, state->last_handshake_us, now);
	service = bpf_map_lookup_elem(&weft_sstate, &flow->service);
	if (service)
		feed_latency(&service->handshake, state->last_handshake_us, now);
}

/* A SYN was not answered in time. Where failover is at work, it counts what it saw on the wire. */
static __always_inline void on_timeout(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	if (flow->state == WEFT_FLOW_ESTABLISHED) {
		/* Closed by the application, which the endpoint does not acknowledge, though told four times. */
		if (ctx->args[0] >= 3 && weft_has_skerr && ctx->sk && tcp_is_orphan(bpf_skc_to_tcp_sock(ctx->sk)))
			flow_let_go(flow);
		/* Its packets are stopped (bpf/destroy.bpf.c): the next timeout is the last. */
		else if (flow->held && drain_state(flow) == DRAIN_DUE)
			tcp_give_up(ctx);
		return;
	}
	if (flow->state != WEFT_FLOW_SYN_SENT)
		return;
	if (!(flow->flags & (WEFT_FLOW_F_HANDSHAKE | WEFT_FLOW_F_SILENT))) {
		__sync_fetch_and_or(&flow->flags, WEFT_FLOW_F_SILENT);
		endpoint_blame(service_spec(flow->service), flow->backend, flow->gen, WEFT_CAUSE_TIMED_OUT);
	} else if ((flow->flags & WEFT_FLOW_F_HANDSHAKE) &&
		   bpf_ktime_get_ns() - flow->start_ns >= UNSEEN_MS * NS_PER_MS && handshake_is_unseen(ctx, flow)) {
		endpoint_blame(service_spec(flow->service), flow->backend, flow->gen, WEFT_CAUSE_TIMED_OUT);
	}
	handshake_deadline_check(ctx, flow);
}

static __always_inline void on_rtt(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	__u32 us = ctx->srtt_us >> 3;

	if (state && flow->state == WEFT_FLOW_ESTABLISHED && flow->held) {
		state->last_rtt_us = us;
		feed_latency(&state->ewma, us, bpf_ktime_get_ns());
	}
	if (++flow->rtt_samples >= RTT_SAMPLES)
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTT_CB_FLAG);
}

static __always_inline void handshake_failed(struct weft_flow *flow, int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		flow_failed(flow, WEFT_FAIL_REFUSED, WEFT_R_REFUSED);
		break;
	case ETIMEDOUT:
		flow_failed(flow, WEFT_FAIL_TIMED_OUT, WEFT_R_TIMED_OUT);
		break;
	case 0:
		flow_failed(flow, WEFT_FAIL_ABORTED, WEFT_R_ABORTED);
		break;
	default: /* EHOSTUNREACH, ENETUNREACH, EPERM and what else ICMP and filters say */
		flow_failed(flow, WEFT_FAIL_UNREACHABLE, WEFT_R_UNREACHABLE);
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
	bool reset = flow->held && !tcp->orphan && (tcp->error == ECONNRESET || tcp->error == EPIPE);

	flow->state = WEFT_FLOW_NONE;
	count(reset ? WEFT_R_RESET : WEFT_R_CLOSED);
	if (flow->held && (tcp->error == ECONNABORTED || tcp->error == ETIMEDOUT) && drain_state(flow) == DRAIN_DUE)
		count(WEFT_R_DRAIN_CLOSED);
	if (state)
		state->last_rtt_us = tcp->srtt_us;
	if (state && tcp->received && *(volatile __u32 *)&state->resets_in_row)
		*(volatile __u32 *)&state->resets_in_row = 0;
	if (reset && weft_has_skerr && !tcp->received) {
		count(WEFT_R_RESET_EARLY);
		endpoint_blame(service_spec(flow->service), flow->backend, flow->gen, WEFT_CAUSE_RESET_EARLY);
		breaker_outcome(flow->service, 1, 0);
	}
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
	if (flow->flags & (WEFT_FLOW_F_HANDSHAKE | WEFT_FLOW_F_MOVED))
		handshake_end(ctx, flow);
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
	case BPF_SOCK_OPS_RTO_CB:
	case BPF_SOCK_OPS_TIMEOUT_INIT:
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
		on_established(ctx, flow);
		break;
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		handshake_rto_init(ctx, flow, spec_of(flow));
		break;
	case BPF_SOCK_OPS_RTO_CB:
		on_timeout(ctx, flow);
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

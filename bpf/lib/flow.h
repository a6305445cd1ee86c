/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Holding an endpoint and letting go of it: the exact half of the accounting. A flow holds its backend from the hook
 * that chose it until the first of: the TCP state CLOSE, the last close() of the socket, the socket's next connect().
 * Several of these may run at once on several CPUs; .held passes from 1 to 0 once.
 */
#ifndef WEFT_BPF_FLOW_H
#define WEFT_BPF_FLOW_H

#include <linux/in.h>

#include "lib/count.h"
#include "lib/time.h"

static __always_inline void flow_hold(struct weft_flow *flow)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);

	flow->held = 1;
	if (!state)
		return;
	__sync_fetch_and_add(&state->active, 1);
	__sync_fetch_and_add(&state->opened, 1);
}

/* True for the one caller that took it off. */
static __always_inline bool flow_let_go(struct weft_flow *flow)
{
	struct weft_bstate *state;

	if (!__sync_lock_test_and_set(&flow->held, 0))
		return false;
	state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	if (state)
		__sync_fetch_and_sub(&state->active, 1);
	return true;
}

/* A connect that did not come to stand. */
static __always_inline void flow_failed(struct weft_flow *flow, enum weft_failure failure, enum weft_reason reason,
					__u64 now)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	struct weft_edge *edge = count_flow_edge(flow);

	flow->state = WEFT_FLOW_NONE;
	count(reason);
	if (edge)
		__sync_fetch_and_add(&edge->failed[failure], 1);
	if (!state)
		return;
	__sync_fetch_and_add(&state->failed, 1);
	/* What the application or this node did says nothing about the endpoint. */
	if (failure == WEFT_FAIL_ABORTED || failure == WEFT_FAIL_NOT_SENT)
		return;
	__sync_fetch_and_add(&state->failures_in_row, 1);
	state->last_failure_ns = now;
}

/* Raises a mark of what was already reported; returns by how much, to exactly one of several who race. */
static __always_inline __u64 flow_advance64(__u64 *mark, __u64 to)
{
	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)mark;

		if (to <= old)
			return 0;
		if (__sync_val_compare_and_swap(mark, old, to) == old)
			return to - old;
	}
	return 0;
}

static __always_inline __u32 flow_advance32(__u32 *mark, __u32 to)
{
	for (int i = 0; i < 4; i++) {
		__u32 old = *(volatile __u32 *)mark;

		if (to <= old)
			return 0;
		if (__sync_val_compare_and_swap(mark, old, to) == old)
			return to - old;
	}
	return 0;
}

/* Adds to the metrics what TCP has moved since the last time. Totals are those of the socket. */
static __always_inline void flow_account(struct weft_flow *flow, struct weft_edge *edge, __u64 sent, __u64 received,
					 __u32 retransmits)
{
	__u64 n;

	n = flow_advance64(&flow->bytes_sent, sent);
	if (n)
		__sync_fetch_and_add(&edge->bytes_sent, n);
	n = flow_advance64(&flow->bytes_received, received);
	if (n)
		__sync_fetch_and_add(&edge->bytes_received, n);
	n = flow_advance32(&flow->retransmits, retransmits);
	if (n)
		__sync_fetch_and_add(&edge->retransmits, n);
}

/*
 * The socket leaves its endpoint other than by a TCP state change: its last close(), or a new connect(). TCP that sent
 * a SYN or is established is still on the wire then; its end is counted when TCP says CLOSE.
 */
static __always_inline void flow_leave(struct weft_flow *flow, __u64 now)
{
	struct weft_edge *edge;

	if (!flow_let_go(flow))
		return;
	if (flow->state == WEFT_FLOW_CONNECTING) {
		flow_failed(flow, WEFT_FAIL_NOT_SENT, WEFT_R_NOT_SENT, now);
	} else if (flow->proto == IPPROTO_UDP) {
		flow->state = WEFT_FLOW_NONE;
		edge = count_flow_edge(flow);
		if (edge)
			__sync_fetch_and_add(&edge->closed, 1);
		count(WEFT_R_CLOSED);
	}
}

#endif

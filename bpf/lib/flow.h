/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Holding an endpoint and letting go of it: the exact half of the accounting. A flow holds a place at its backend and
 * at its service from the hook that chose it until the first of: the TCP state CLOSE, the last close() of the socket,
 * the socket's next connect(). Several of these may run at once on several CPUs; .held passes from 1 to 0 once, and so
 * does WEFT_FLOW_F_WAITING. When a limit is set on connections, close() is not the end of it: the endpoint may still
 * serve the connection, so its place is taken until TCP is done.
 */
#ifndef WEFT_BPF_FLOW_H
#define WEFT_BPF_FLOW_H

#include <linux/in.h>

#include "lib/endpoint.h"
#include "lib/time.h"
#include "weft/breaker.h"

/* For places that endpoint_take() and service_admit() have taken. */
static __always_inline void flow_hold(struct weft_flow *flow, __u32 flags)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);

	flow->flags = flags;
	flow->held = 1;
	if (state)
		__sync_fetch_and_add(&state->opened, 1);
}

/* The handshake is over, in whichever way. */
static __always_inline void flow_waits_no_more(struct weft_flow *flow)
{
	struct weft_bstate *state;
	struct weft_sstate *s;

	if (!(__sync_fetch_and_and(&flow->flags, ~WEFT_FLOW_F_WAITING) & WEFT_FLOW_F_WAITING))
		return;
	state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	if (state)
		weft_limit_give_back(&state->pending);
	s = bpf_map_lookup_elem(&weft_sstate, &flow->service);
	if (s)
		weft_limit_give_back(&s->pending);
}

/* True for the one caller that took it off. */
static __always_inline bool flow_let_go(struct weft_flow *flow)
{
	struct weft_bstate *state;
	struct weft_sstate *s;

	if (!__sync_lock_test_and_set(&flow->held, 0))
		return false;
	flow_waits_no_more(flow);
	s = bpf_map_lookup_elem(&weft_sstate, &flow->service);
	if (s)
		weft_limit_give_back(&s->active);
	/* Last: at 0 the agent may give backend and service to others. */
	state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	if (state)
		weft_limit_give_back(&state->active);
	return true;
}

static __always_inline struct weft_breaker_rule breaker_rule(const struct weft_spec *spec)
{
	return (struct weft_breaker_rule){ .percent = spec->breaker_percent,
					   .volume = spec->breaker_volume,
					   .sleep_ms = spec->breaker_sleep_ms };
}

/* What became of a connect, for the breaker of its service. Returns 0. */
__weak __noinline int breaker_outcome(__u32 service, __u32 failed, __u32 trial)
{
	__u32 spec_id = service_spec(service);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);
	__u64 now = bpf_ktime_get_ns();
	enum weft_event_type type;
	struct weft_breaker_rule rule;
	__u32 percent = 0;

	if (!spec || !s || !spec->breaker_percent)
		return 0;
	rule = breaker_rule(spec);
	switch (weft_breaker_report(&s->breaker, &rule, failed != 0, trial != 0, now / NS_PER_MS)) {
	case WEFT_BREAKER_SAME:
		return 0;
	case WEFT_BREAKER_OPENED:
		percent = weft_window_percent(weft_breaker_window(&s->breaker, now / NS_PER_MS));
		type = WEFT_EVENT_BREAKER_OPEN;
		break;
	case WEFT_BREAKER_REOPENED:
		percent = 100;
		type = WEFT_EVENT_BREAKER_OPEN;
		break;
	default: /* recovered */
		type = WEFT_EVENT_BREAKER_CLOSED;
		break;
	}
	event(type, service, now, 0, 0, 0, percent,
	      type == WEFT_EVENT_BREAKER_OPEN ? now + spec->breaker_sleep_ms * NS_PER_MS : 0);
	return 0;
}

/* A connect that did not come to stand, and that no other endpoint took over. */
static __always_inline void flow_failed(struct weft_flow *flow, enum weft_failure failure, enum weft_reason reason)
{
	bool trial = flow->flags & WEFT_FLOW_F_TRIAL;
	bool blame = !(failure == WEFT_FAIL_TIMED_OUT && (flow->flags & WEFT_FLOW_F_SILENT));

	flow->state = WEFT_FLOW_NONE;
	endpoint_failed(flow->service, flow->backend, flow->gen, flow->caller, failure, reason, blame);
	/* Nobody learns from what the application or this node did; but a trial must not stay without an outcome. */
	if (trial || endpoint_cause(failure) != WEFT_CAUSE_NONE)
		breaker_outcome(flow->service, 1, trial);
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
static __always_inline void flow_leave(struct weft_flow *flow)
{
	__u32 state = flow->state;
	struct weft_edge *edge;

	if (flow->proto == IPPROTO_TCP && state != WEFT_FLOW_CONNECTING && (flow->flags & WEFT_FLOW_F_LIMITED))
		return;
	/* An entry of weft_handshakes knows better which endpoint it is by now: TCP's end, which is near, takes it. */
	if (flow->flags & WEFT_FLOW_F_HANDSHAKE)
		return;
	if (!flow_let_go(flow))
		return;
	if (state == WEFT_FLOW_CONNECTING) {
		flow_failed(flow, WEFT_FAIL_NOT_SENT, WEFT_R_NOT_SENT);
	} else if (flow->proto == IPPROTO_UDP) {
		flow->state = WEFT_FLOW_NONE;
		edge = count_flow_edge(flow);
		if (edge)
			__sync_fetch_and_add(&edge->closed, 1);
		count(WEFT_R_CLOSED);
	}
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An endpoint's places and its health: taking a place within its limits, and what a success or a failure does to it.
 * The arithmetic is in weft/limit.h and weft/outlier.h. Global functions, which the verifier walks once, not once for
 * every way that leads to them.
 */
#ifndef WEFT_BPF_ENDPOINT_H
#define WEFT_BPF_ENDPOINT_H

#include "lib/event.h"
#include "lib/time.h"
#include "weft/limit.h"
#include "weft/outlier.h"

/* What @service has published; 0: nothing. */
static __always_inline __u32 service_spec(__u32 service)
{
	const struct weft_service *s = bpf_map_lookup_elem(&weft_services, &service);

	return s ? *(volatile const __u32 *)&s->spec : 0;
}

/* The counter of endpoints out of service that @b belongs to; NULL: it has left its service, or has weight 0. */
static __always_inline __u32 *endpoint_unavailable(const struct weft_backend *b, struct weft_sstate *s)
{
	bool ready = *(volatile const __u16 *)&b->flags & WEFT_BACKEND_F_READY;
	__u32 level = b->level;

	return ready && level < WEFT_LEVELS ? &s->unavailable[level] : NULL;
}

/* Takes a place in .active, and in .pending with @pending, within the limits given (0: none). 1: taken. */
__weak __noinline int endpoint_take_place(__u32 backend, __u32 max_connections, __u32 max_pending, __u32 pending)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &backend);

	if (!state)
		return 0;
	if (!weft_limit_take(&state->active, max_connections))
		return 0;
	if (pending && !weft_limit_take(&state->pending, max_pending)) {
		weft_limit_give_back(&state->active);
		return 0;
	}
	return 1;
}

static __always_inline bool endpoint_take(const struct weft_spec *spec, __u32 backend, bool pending)
{
	return endpoint_take_place(backend, spec->max_endpoint_connections, spec->max_endpoint_pending, pending);
}

static __always_inline void endpoint_give_back(__u32 backend, bool pending)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &backend);

	if (!state)
		return;
	weft_limit_give_back(&state->active);
	if (pending)
		weft_limit_give_back(&state->pending);
}

static __always_inline struct weft_outlier_rule endpoint_rule(const struct weft_spec *spec)
{
	return (struct weft_outlier_rule){ .failures = spec->eject_failures,
					   .base_ms = spec->eject_base_ms,
					   .max_ms = spec->eject_max_ms,
					   .percent = spec->eject_percent,
					   .interval_ms = spec->eject_interval_ms,
					   .endpoints = spec->nr_backends };
}

/* An endpoint that is ejected, and nothing else: in service again when its time is over. 1: it is. */
__weak __noinline int endpoint_returned(__u32 backend)
{
	const struct weft_backend *b = bpf_map_lookup_elem(&weft_backends, &backend);
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &backend);
	__u64 now = bpf_ktime_get_ns();
	struct weft_sstate *s;
	__u32 service;

	if (!b || !state)
		return 0;
	service = b->service;
	s = bpf_map_lookup_elem(&weft_sstate, &service);
	if (!s)
		return 0;
	if (weft_outlier_return(state, s, endpoint_unavailable(b, s), now, now)) {
		count(WEFT_R_RETURNED);
		event(WEFT_EVENT_RETURNED, service, now, state->eject_cause, backend, b->gen, state->ejections, 0);
	}
	return !*(volatile __u32 *)&state->out;
}

/*
 * A failure of the endpoint, unless its id has changed hands since: ejects it when it is one too many in a row. Early
 * resets have a row of their own, since every one of them follows a handshake that succeeded. Returns 0.
 */
__weak __noinline int endpoint_blame(__u32 spec_id, __u32 backend, __u32 gen, __u32 cause)
{
	const struct weft_backend *b = bpf_map_lookup_elem(&weft_backends, &backend);
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &backend);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	enum weft_outlier_answer answer = WEFT_OUTLIER_STAYS;
	struct weft_outlier_rule rule;
	__u64 now = bpf_ktime_get_ns();
	struct weft_sstate *s;
	__u32 service;

	if (!b || !state || !spec || b->gen != gen || b->service != spec->service ||
	    !(*(volatile const __u16 *)&b->flags & WEFT_BACKEND_F_READY))
		return 0;
	service = spec->service;
	s = bpf_map_lookup_elem(&weft_sstate, &service);
	if (!s)
		return 0;
	rule = endpoint_rule(spec);
	if (cause == WEFT_CAUSE_RESET_EARLY) {
		__u32 row = __sync_fetch_and_add(&state->resets_in_row, 1) + 1;

		__sync_fetch_and_add(&state->reset_early, 1);
		*(volatile __u64 *)&state->last_failure_ns = now;
		if (rule.failures && row >= rule.failures)
			answer = weft_outlier_eject(state, s, endpoint_unavailable(b, s), &rule, cause, now);
	} else {
		answer = weft_outlier_failure(state, s, endpoint_unavailable(b, s), &rule, cause, now);
	}
	if (answer == WEFT_OUTLIER_STAYS)
		return 0;
	count(answer == WEFT_OUTLIER_EJECTED ? WEFT_R_EJECTED : WEFT_R_EJECT_OVERFLOW);
	/* Of an overflow the first: every further failure would say the same again. */
	if (answer == WEFT_OUTLIER_OVERFLOW && *(volatile __u32 *)&state->failures_in_row != rule.failures)
		return 0;
	event(answer == WEFT_OUTLIER_EJECTED ? WEFT_EVENT_EJECTED : WEFT_EVENT_EJECT_OVERFLOW, service, now, cause,
	      backend, gen, state->ejections,
	      answer == WEFT_OUTLIER_EJECTED ? *(volatile __u64 *)&state->ejected_until_ns : 0);
	return 0;
}

/* A handshake that came to stand. */
static __always_inline void endpoint_works(__u32 backend)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &backend);

	if (state)
		weft_outlier_success(state);
}

static __always_inline __u32 endpoint_cause(enum weft_failure failure)
{
	switch (failure) {
	case WEFT_FAIL_REFUSED:
		return WEFT_CAUSE_REFUSED;
	case WEFT_FAIL_TIMED_OUT:
		return WEFT_CAUSE_TIMED_OUT;
	case WEFT_FAIL_UNREACHABLE:
		return WEFT_CAUSE_UNREACHABLE;
	default: /* what the application or this node did says nothing about the endpoint */
		return WEFT_CAUSE_NONE;
	}
}

/*
 * A connect that @backend did not take: counts it as @reason, in the endpoint's state and in the row of @caller, and
 * holds it against the endpoint. @blame false: it was held against it before.
 */
static __always_inline void endpoint_failed(__u32 service, __u32 backend, __u32 gen, __u64 caller,
					    enum weft_failure failure, enum weft_reason reason, bool blame)
{
	struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &backend);
	struct weft_edge_key key = { .caller = caller, .service = service, .backend = backend, .gen = gen };
	struct weft_edge *edge = bpf_map_lookup_elem(&weft_edges, &key);
	__u32 cause = endpoint_cause(failure);

	count(reason);
	if (edge && failure < WEFT_FAIL_MAX)
		__sync_fetch_and_add(&edge->failed[failure], 1);
	if (state)
		__sync_fetch_and_add(&state->failed, 1);
	if (blame && cause != WEFT_CAUSE_NONE)
		endpoint_blame(service_spec(service), backend, gen, cause);
}

#endif

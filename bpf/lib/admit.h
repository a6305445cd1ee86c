/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * May a connect go out at all? Limits, rate and breaker of a service. What was taken is given back when a later step
 * refuses. Global functions, see lib/endpoint.h.
 */
#ifndef WEFT_BPF_ADMIT_H
#define WEFT_BPF_ADMIT_H

#include "lib/flow.h"

/* Does the breaker let nothing through now? @spec is current. */
static __always_inline bool admit_breaker_refuses(const struct weft_spec *spec, __u32 service,
						  const struct weft_sstate *s, __u64 now)
{
	const struct weft_service *record = bpf_map_lookup_elem(&weft_services, &service);
	__u32 flags = record ? *(volatile const __u32 *)&record->flags : 0;
	struct weft_breaker_rule rule;

	if (flags & (WEFT_SERVICE_F_FORCE_OPEN | WEFT_SERVICE_F_FORCE_CLOSED))
		return flags & WEFT_SERVICE_F_FORCE_OPEN;
	if (!spec->breaker_percent)
		return false;
	rule = breaker_rule(spec);
	return weft_breaker_refuses(&s->breaker, &rule, now / NS_PER_MS);
}

/* Takes a place at the service, with @pending one of a handshake too. 0, or the reason of the refusal. */
__weak __noinline __u32 admit_begin(__u32 service, __u32 pending, __u64 now)
{
	__u32 spec_id = service_spec(service);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);

	if (!spec || !s || spec->service != service)
		return WEFT_R_NO_BACKEND;
	if (admit_breaker_refuses(spec, service, s, now))
		return WEFT_R_BREAKER_OPEN;
	if (!weft_limit_take(&s->active, spec->max_connections))
		return WEFT_R_MAX_CONNECTIONS;
	if (pending && !weft_limit_take(&s->pending, spec->max_pending)) {
		weft_limit_give_back(&s->active);
		return WEFT_R_MAX_PENDING;
	}
	return 0;
}

/* Gives back what admit_begin() took. */
static __always_inline void admit_undo(__u32 service, bool pending)
{
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);

	if (!s)
		return;
	weft_limit_give_back(&s->active);
	if (pending)
		weft_limit_give_back(&s->pending);
}

/* Beside the reasons: go, as the one trial of a half-open breaker. */
#define ADMIT_TRIAL 0x10000u

/*
 * What only a connect that is sure to go out may use up: a token, and the one trial of a half-open breaker. 0,
 * ADMIT_TRIAL, or the reason of the refusal.
 */
__weak __noinline __u32 admit_finish(__u32 service, __u32 trial_counts, __u64 now)
{
	__u32 spec_id = service_spec(service);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	const struct weft_service *record = bpf_map_lookup_elem(&weft_services, &service);
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);
	struct weft_breaker_rule rule;

	if (!spec || !s || !record || spec->service != service)
		return 0;
	if (!weft_rate_take(&s->rate_at_ns, spec->rate_interval_ns, spec->rate_burst_ns, now))
		return WEFT_R_RATE_LIMITED;
	if (!spec->breaker_percent || !trial_counts || (record->flags & WEFT_SERVICE_F_FORCE_CLOSED))
		return 0;
	rule = breaker_rule(spec);
	switch (weft_breaker_enter(&s->breaker, &rule, now / NS_PER_MS)) {
	case WEFT_BREAKER_REFUSE:
		return WEFT_R_BREAKER_OPEN;
	case WEFT_BREAKER_TRY:
		event(WEFT_EVENT_BREAKER_HALF_OPEN, service, now, 0, 0, 0, 0, 0);
		return ADMIT_TRIAL;
	case WEFT_BREAKER_GO:
		break;
	}
	return 0;
}

/* The first datagram of a socket to a service: nothing is held, but breaker and rate have their say. As admit_begin().
 */
__weak __noinline __u32 admit_datagram(__u32 service, __u64 now)
{
	__u32 spec_id = service_spec(service);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);

	if (!spec || !s || spec->service != service)
		return 0; /* choosing will tell */
	if (admit_breaker_refuses(spec, service, s, now))
		return WEFT_R_BREAKER_OPEN;
	if (!weft_rate_take(&s->rate_at_ns, spec->rate_interval_ns, spec->rate_burst_ns, now))
		return WEFT_R_RATE_LIMITED;
	return 0;
}

/* Does a limit on connections ask for places that are kept until TCP is done? */
static __always_inline bool admit_is_limited(__u32 service)
{
	__u32 spec_id = service_spec(service);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);

	return spec && (spec->max_connections || spec->max_endpoint_connections);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What stands between a connect and its choice, with the figures and the functions of the kernel. */
#include <stdio.h>
#include <string.h>

#include "cli/explain.h"
#include "weft/limit.h"

static const char *explain_breaker(const struct view *v, const struct weft_spec *spec, struct steps *s)
{
	struct guard_breaker b = guard_breaker(v, spec->service);
	char text[256];

	if (!b.on && !b.forced)
		return NULL;
	STEP(s, "the breaker is %s", guard_breaker_text(&b, text, sizeof(text)));
	if (!b.refuses)
		return NULL;
	return b.forced ? "since the operator holds the breaker open" : "since the breaker of the service is open";
}

static const char *explain_places(const struct view *v, const struct weft_spec *spec, struct steps *s)
{
	const struct weft_sstate *state = &v->maps->sstate[spec->service];
	char connections[32], pending[32];

	if (!spec->max_connections && !spec->max_pending)
		return NULL;
	STEP(s, "the service has %s connections and %s handshakes pending",
	     guard_use(state->active, spec->max_connections, connections, sizeof(connections)),
	     guard_use(state->pending, spec->max_pending, pending, sizeof(pending)));
	if (spec->max_connections && state->active >= spec->max_connections)
		return "since the service has as many connections as it may have";
	if (spec->max_pending && state->pending >= spec->max_pending)
		return "since the service has as many unfinished handshakes as it may have";
	return NULL;
}

static const char *explain_rate(const struct view *v, const struct weft_spec *spec, struct steps *s)
{
	const struct weft_sstate *state = &v->maps->sstate[spec->service];
	uint64_t tokens, burst;

	if (!spec->rate_interval_ns)
		return NULL;
	tokens = weft_rate_tokens(state->rate_at_ns, spec->rate_interval_ns, spec->rate_burst_ns, v->now_ns);
	burst = spec->rate_burst_ns / spec->rate_interval_ns + 1;
	STEP(s, "%.6g connects per second: %llu of %llu may go out at once now", 1e9 / (double)spec->rate_interval_ns,
	     (unsigned long long)tokens, (unsigned long long)burst);
	return tokens ? NULL : "since the service gets as many connects per second as it may get";
}

const char *explain_admission(const struct view *v, const struct weft_spec *spec, struct steps *s)
{
	const char *breaker = explain_breaker(v, spec, s);
	const char *places = explain_places(v, spec, s);
	const char *rate = explain_rate(v, spec, s);

	return breaker ? breaker : places ? places : rate;
}

static const char *level_zone(const struct weft_spec *spec, unsigned i)
{
	if (spec->level[i].flags & WEFT_LEVEL_F_LOCAL)
		return ", this node's zone";
	if (i && spec->level[i - 1].flags & WEFT_LEVEL_F_LOCAL &&
	    spec->level[i - 1].priority == spec->level[i].priority)
		return ", other zones";
	return "";
}

void explain_levels(const struct view *v, const struct weft_spec *spec, struct steps *s)
{
	struct view_levels l = view_levels(v, spec);

	for (unsigned i = 0; l.nr > 1 && i < l.nr; i++) {
		uint32_t all = spec->level[i].nr_backends;
		uint32_t available = l.unavailable[i] < all ? all - l.unavailable[i] : 0;
		char cap[64] = "";

		if (spec->level[i].cap < WEFT_WHOLE)
			snprintf(cap, sizeof(cap), ", takes at most %.1f %% of what reaches it",
				 spec->level[i].cap / 100.0);
		STEP(s, "level %u (priority %u%s): %u of %u available, health %u/%u x %.1f = %.1f %%%s; load %.1f %%",
		     i, spec->level[i].priority, level_zone(spec, i), available, all, available, all,
		     WEFT_OVERPROVISION / 100.0, l.loads.health[i] / 100.0, cap, l.loads.load[i] / 100.0);
	}
	if (!l.endpoints || l.available == l.endpoints)
		return;
	if (!spec->panic_percent)
		STEP(s, "%u of %u endpoints are available; panic-threshold is off", l.available, l.endpoints);
	else
		STEP(s, "%u of %u endpoints (%u %%) are available, panic-threshold is %u %%: %s", l.available,
		     l.endpoints, (unsigned)((uint64_t)l.available * 100 / l.endpoints), spec->panic_percent,
		     l.panic ? "when no other is left, ejected and unhealthy ones are tried" : "no panic");
}

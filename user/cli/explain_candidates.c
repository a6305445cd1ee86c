/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The endpoints of a service as the kernel looks at them when it chooses. */
#include <arpa/inet.h>
#include <stdio.h>

#include "cli/explain.h"
#include "weft/lb.h"
#include "weft/outlier.h"

static const struct out_column columns[] = {
	{ "endpoint", "ENDPOINT", 0 },
	{ "state", "STATE", 0 },
	{ "level", "LEVEL", OUT_RIGHT | OUT_WIDE },
	{ "weight", "WEIGHT", OUT_RIGHT },
	{ "share_percent", "SHARE%", OUT_RIGHT },
	{ "active", "ACTIVE", OUT_RIGHT },
	{ "latency_us", "LATENCY", OUT_RIGHT },
	{ "cost", "COST", OUT_RIGHT },
	{ "slow_start_percent", "SLOW%", OUT_RIGHT | OUT_WIDE },
	{ "id", "ID", OUT_RIGHT | OUT_WIDE },
	{ "why", "WHY", 0 },
};

static struct weft_lb_candidate candidate(const struct view *v, uint32_t id)
{
	return (struct weft_lb_candidate){
		.active = v->maps->bstate[id].active,
		.weight = v->maps->backends[id].weight ? v->maps->backends[id].weight : 1,
		.ewma_us = view_latency_us(v, id),
	};
}

/* What the policy compares; none when it compares nothing, or when this one was never measured. */
static struct out_value cost(const struct weft_spec *spec, uint8_t level, const struct weft_lb_candidate *c)
{
	switch ((enum weft_lb)spec->lb) {
	case WEFT_LB_P2C_EWMA:
		return c->ewma_us && level < WEFT_LEVELS
			       ? out_real((double)weft_lb_cost(c, spec->level[level].avg_weight) / 16)
			       : out_none();
	case WEFT_LB_LEAST_REQUEST:
		return out_real((double)c->active / c->weight);
	case WEFT_LB_ROUND_ROBIN:
	case WEFT_LB_RANDOM:
	case WEFT_LB_MAGLEV:
	case WEFT_LB_SOURCE_HASH:
	case WEFT_LB_MAX:
		break;
	}
	return out_none();
}

/* 100 but for an endpoint that began lately. */
static uint32_t warmth(const struct view *v, const struct weft_spec *spec, uint32_t id)
{
	uint64_t since = v->maps->bstate[id].since_ns;
	uint64_t age_ms = v->now_ns > since ? (v->now_ns - since) / 1000000u : 0;

	if (!spec->slow_start_ms || !since || age_ms >= spec->slow_start_ms)
		return 100;
	return weft_slow_start(age_ms, spec->slow_start_ms, spec->slow_start_percent);
}

static bool has_room(const struct weft_spec *spec, const struct weft_bstate *s)
{
	return (!spec->max_endpoint_connections || s->active < spec->max_endpoint_connections) &&
	       (!spec->max_endpoint_pending || s->pending < spec->max_endpoint_pending);
}

/* The time of an ejection is over, and the next connect that looks at it takes the endpoint back. */
static bool is_due(const struct view *v, uint32_t id)
{
	const struct weft_bstate *s = &v->maps->bstate[id];

	return s->out == WEFT_OUT_EJECTED && s->ejected_until_ns <= v->now_ns;
}

bool explain_usable(const struct view *v, const struct weft_spec *spec, uint32_t id, uint32_t overlook)
{
	const struct weft_backend *b = &v->maps->backends[id];
	const struct weft_bstate *s = &v->maps->bstate[id];

	if (!(b->flags & WEFT_BACKEND_F_READY) || b->flags & WEFT_BACKEND_F_DRAINING || !b->weight || !v->slots[id])
		return false;
	return (!(s->out & ~overlook) || is_due(v, id)) && has_room(spec, s);
}

size_t explain_count(const struct view *v, const struct weft_spec *spec, uint32_t overlook, uint32_t *ret_last)
{
	size_t nr, usable = 0;
	const uint32_t *ids = view_backends(v, spec->service, &nr);

	for (size_t i = 0; i < nr; i++) {
		if (!explain_usable(v, spec, ids[i], overlook))
			continue;
		*ret_last = ids[i];
		usable++;
	}
	return usable;
}

/* "ejected for 12 s more: it refused connections (30 s x 2)" */
static void why_ejected(const struct view *v, const struct weft_spec *spec, uint32_t id, char *text, size_t len)
{
	static const char *const causes[] = {
#define X(id, name, text) text,
		WEFT_CAUSES(X)
#undef X
	};
	const struct weft_bstate *s = &v->maps->bstate[id];
	double left = s->ejected_until_ns > v->now_ns ? (double)(s->ejected_until_ns - v->now_ns) / 1e9 : 0;
	const char *cause = s->eject_cause < WEFT_CAUSE_MAX ? causes[s->eject_cause] : "for an unknown cause";
	char more[32], base[32];

	out_human(out_seconds(left), more, sizeof(more));
	out_human(out_seconds(spec->eject_base_ms / 1e3), base, sizeof(base));
	snprintf(text, len, "ejected for %s more: %s (%u in a row: %s x %u)", more, cause, s->ejections, base,
		 s->ejections);
}

static void why_out(const struct view *v, const struct weft_spec *spec, uint32_t id, bool panic, char *text, size_t len)
{
	uint32_t out = v->maps->bstate[id].out;
	char ejected[192];

	if (out & WEFT_OUT_DRAINED)
		snprintf(text, len, "excluded: the operator drains it");
	else if (out & WEFT_OUT_UNREADY)
		snprintf(text, len, "excluded: its source says that it is not ready");
	else if (out & WEFT_OUT_UNHEALTHY)
		snprintf(text, len, "%s: its health check fails, or has not succeeded yet",
			 panic ? "tried in panic" : "excluded");
	else if (is_due(v, id))
		snprintf(text, len, "candidate: its ejection is over, the next connect takes it back");
	else {
		why_ejected(v, spec, id, ejected, sizeof(ejected));
		snprintf(text, len, "%s: %s", panic ? "tried in panic" : "excluded", ejected);
	}
}

static void why_in(const struct view *v, const struct weft_spec *spec, uint32_t id, const struct weft_lb_candidate *c,
		   char *text, size_t len)
{
	uint32_t warm = warmth(v, spec, id);

	if (warm < 100)
		snprintf(text, len, "candidate: slow start, it is taken %u %% of the times it is drawn", warm);
	else if (v->share[id] <= 0)
		snprintf(text, len, "spare: its level gets no load now");
	else if (spec->lb == WEFT_LB_P2C_EWMA && !c->ewma_us)
		snprintf(text, len, "%s",
			 c->active ? "candidate: not measured yet, compared by connections"
				   : "candidate: never measured, taken at once when it is drawn");
	else
		snprintf(text, len, "candidate");
}

static const char *why(const struct view *v, const struct weft_spec *spec, uint32_t id, bool panic, char *text,
		       size_t len)
{
	const struct weft_backend *b = &v->maps->backends[id];
	const struct weft_bstate *s = &v->maps->bstate[id];
	struct weft_lb_candidate c = candidate(v, id);

	if (b->flags & WEFT_BACKEND_F_DRAINING)
		return "excluded: draining, waits for its connections to end";
	if (!b->weight)
		return "excluded: weight 0";
	if (!(b->flags & WEFT_BACKEND_F_READY))
		return "excluded: not in what is published";
	if (!v->slots[id])
		return "excluded: it has no slot in what is published";
	if (s->out && (!panic || s->out & ~WEFT_OUT_PANIC || has_room(spec, s)))
		why_out(v, spec, id, panic, text, len);
	else if (spec->max_endpoint_connections && s->active >= spec->max_endpoint_connections)
		snprintf(text, len, "excluded: it has all of its %u connections", spec->max_endpoint_connections);
	else if (spec->max_endpoint_pending && s->pending >= spec->max_endpoint_pending)
		snprintf(text, len, "excluded: it has all of its %u handshakes pending", spec->max_endpoint_pending);
	else
		why_in(v, spec, id, &c, text, len);
	return text;
}

void explain_candidates(const struct view *v, const struct weft_spec *spec, bool panic, struct out *o)
{
	char text[ADDR_TEXT_LEN], reason[256];
	size_t nr;
	const uint32_t *ids = view_backends(v, spec->service, &nr);

	out_table(o, "candidates", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < nr; i++) {
		const struct weft_backend *b = &v->maps->backends[ids[i]];
		struct weft_lb_candidate c = candidate(v, ids[i]);

		out_cell(o, out_text(addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text))));
		out_cell(o, out_text(view_state(v, ids[i])));
		out_cell(o, out_int(b->level));
		out_cell(o, out_int(b->weight));
		out_cell(o, out_percent(view_share(v, ids[i])));
		out_cell(o, out_int(c.active));
		out_cell(o, c.ewma_us ? out_us(c.ewma_us) : out_none());
		out_cell(o, view_is_ready(v, ids[i]) ? cost(spec, b->level, &c) : out_none());
		out_cell(o, out_int(warmth(v, spec, ids[i])));
		out_cell(o, out_int(ids[i]));
		out_cell(o, out_text(why(v, spec, ids[i], panic, reason, sizeof(reason))));
	}
	out_end(o);
}

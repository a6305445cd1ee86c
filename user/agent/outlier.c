/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <time.h>

#include "agent/events.h"
#include "agent/outlier.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "lb/success.h"
#include "weft/outlier.h"

#define TICK_MS 1000
#define IDLE_MS 30000 /* should the event of an ejection have been lost */

/* Counters of an endpoint when they were last looked at. */
struct snapshot {
	uint64_t established, failed, reset_early;
	uint32_t gen; /* 0: never */
};

/* A service with ejection by success rate. */
struct rated {
	uint32_t service;
	uint32_t endpoints, volume, stdev, interval_ms;
	uint64_t due_ns; /* 0: at once, to take the first snapshot */
};

struct outlier {
	uv_timer_t timer;
	struct rated *rated;
	size_t nr;
	struct snapshot *before; /* [backend id]; NULL until a service asks */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static bool in_service(const struct maps *m, uint32_t id)
{
	const struct weft_backend *b = &m->backends[id];

	return (b->flags & WEFT_BACKEND_F_USED) && b->service && b->service < m->capacity[PLANE_MAP_SSTATE];
}

static bool any_ejected(const struct maps *m)
{
	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_SSTATE]; i++)
		if (__atomic_load_n(&m->sstate[i].ejected, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void end_ejection(struct agent *a, const struct maps *m, uint32_t id, uint64_t now)
{
	const struct weft_backend *b = &m->backends[id];
	struct weft_bstate *state = &m->bstate[id];
	const struct weft_event e = { .ns = now,
				      .type = WEFT_EVENT_RETURNED,
				      .cause = state->eject_cause,
				      .service = b->service,
				      .backend = id,
				      .gen = b->gen,
				      .number = state->ejections };

	if (weft_outlier_return(state, &m->sstate[b->service], maps_unavailable(m, id), now, now))
		events_add(a, &e);
}

/* Ends the ejections whose time is over. Returns whether some go on. */
static bool sweep(struct agent *a)
{
	const struct maps *m = plane_maps(a->plane);
	uint64_t now = now_ns();

	if (!any_ejected(m))
		return false;
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_BACKENDS]; id++) {
		uint64_t until = __atomic_load_n(&m->bstate[id].ejected_until_ns, __ATOMIC_RELAXED);

		if (until && until <= now && in_service(m, id))
			end_ejection(a, m, id, now);
	}
	return any_ejected(m);
}

/* What became of its connects since the last look, which this one becomes. False: there was none. */
static bool outcomes(struct outlier *o, const struct maps *m, uint32_t id, struct lb_outcomes *ret)
{
	const struct weft_bstate *b = &m->bstate[id];
	struct snapshot *before = &o->before[id];
	struct snapshot now = { .established = __atomic_load_n(&b->established, __ATOMIC_RELAXED),
				.failed = __atomic_load_n(&b->failed, __ATOMIC_RELAXED),
				.reset_early = __atomic_load_n(&b->reset_early, __ATOMIC_RELAXED),
				.gen = m->backends[id].gen };
	bool known = before->gen == now.gen;
	uint64_t resets = now.reset_early - before->reset_early, stood = now.established - before->established;

	/* A connection that was reset before its first byte was established first: it is no success. */
	*ret = (struct lb_outcomes){ .ok = stood > resets ? stood - resets : 0,
				     .failed = now.failed - before->failed + resets };
	*before = now;
	return known;
}

static void eject(struct agent *a, const struct maps *m, const struct weft_spec *spec, uint32_t id)
{
	const struct weft_outlier_rule rule = { .failures = spec->eject_failures,
						.base_ms = spec->eject_base_ms,
						.max_ms = spec->eject_max_ms,
						.percent = spec->eject_percent,
						.interval_ms = spec->eject_interval_ms,
						.endpoints = spec->nr_backends };
	struct weft_bstate *state = &m->bstate[id];
	struct weft_event e = { .ns = now_ns(),
				.cause = WEFT_CAUSE_SUCCESS_RATE,
				.service = spec->service,
				.backend = id,
				.gen = m->backends[id].gen };

	switch (weft_outlier_eject(state, &m->sstate[spec->service], maps_unavailable(m, id), &rule, e.cause, e.ns)) {
	case WEFT_OUTLIER_STAYS:
		return;
	case WEFT_OUTLIER_EJECTED:
		e.type = WEFT_EVENT_EJECTED;
		e.until_ns = state->ejected_until_ns;
		break;
	case WEFT_OUTLIER_OVERFLOW:
		e.type = WEFT_EVENT_EJECT_OVERFLOW;
		break;
	}
	e.number = state->ejections;
	events_add(a, &e);
}

/* One look at a service. */
static void rate(struct agent *a, struct rated *r)
{
	const struct maps *m = plane_maps(a->plane);
	const struct weft_spec *spec = maps_spec(m, r->service);
	_cleanup_(freep) struct lb_outcomes *seen = NULL;
	_cleanup_(freep) uint32_t *ids = NULL;
	struct lb_success s;
	size_t nr = 0;

	if (!spec)
		return;
	seen = calloc((size_t)spec->nr_backends + 1, sizeof(*seen));
	ids = calloc((size_t)spec->nr_backends + 1, sizeof(*ids));
	if (!seen || !ids)
		return;
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_BACKENDS] && nr < spec->nr_backends; id++) {
		if (m->backends[id].service != r->service || !(m->backends[id].flags & WEFT_BACKEND_F_READY))
			continue;
		if (!outcomes(a->outlier, m, id, &seen[nr]) || __atomic_load_n(&m->bstate[id].out, __ATOMIC_RELAXED))
			continue;
		ids[nr++] = id;
	}
	s = lb_success_rate(seen, nr, r->volume, r->endpoints, r->stdev);
	for (size_t i = 0; i < nr && s.outliers; i++) {
		if (!seen[i].outlier)
			continue;
		log_msg(LOG_L_DEBUG, "success rate: %zu endpoints, mean %.1f %%, threshold %.1f %%, this one %.1f %%",
			s.nr, s.mean, s.threshold, 100.0 * (double)seen[i].ok / (double)(seen[i].ok + seen[i].failed));
		eject(a, m, spec, ids[i]);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	struct outlier *o = a->outlier;
	bool more = sweep(a);
	uint64_t now = now_ns();

	for (size_t i = 0; i < o->nr; i++) {
		if (o->rated[i].due_ns > now)
			continue;
		rate(a, &o->rated[i]);
		o->rated[i].due_ns = now + o->rated[i].interval_ms * 1000000ull;
	}
	uv_timer_start(timer, on_tick, more || o->nr ? TICK_MS : IDLE_MS, 0);
}

void outlier_expect_return(struct agent *a)
{
	struct outlier *o = a->outlier;

	if (o && uv_timer_get_due_in(&o->timer) > TICK_MS)
		uv_timer_start(&o->timer, on_tick, TICK_MS, 0);
}

/* The next look at a service that was looked at before stays where it was. */
static uint64_t due_of(const struct outlier *o, uint32_t service)
{
	for (size_t i = 0; i < o->nr; i++)
		if (o->rated[i].service == service)
			return o->rated[i].due_ns;
	return 0;
}

static void add_rated(struct outlier *o, struct rated *list, size_t *nr, uint32_t id, const struct service *s)
{
	const struct ejection *e = s ? &s->ejection : NULL;

	if (!e || !e->on || !e->rate_endpoints || !e->interval_ms)
		return;
	list[(*nr)++] = (struct rated){ .service = id,
					.endpoints = e->rate_endpoints,
					.volume = e->rate_volume,
					.stdev = e->rate_stdev,
					.interval_ms = e->interval_ms,
					.due_ns = due_of(o, id) };
}

void outlier_apply(struct agent *a)
{
	const struct maps *m = plane_maps(a->plane);
	struct outlier *o = a->outlier;
	struct rated *list;
	size_t wanted = 0, nr = 0;

	if (!o || !a->model)
		return;
	for (size_t i = 0; i < a->model->nr; i++)
		wanted += a->model->services[i]->ejection.rate_endpoints != 0;
	list = calloc(wanted + 1, sizeof(*list));
	if (wanted && !o->before)
		o->before = calloc(m->capacity[PLANE_MAP_BACKENDS], sizeof(*o->before));
	if (!list || (wanted && !o->before)) {
		free(list);
		log_msg(LOG_L_ERROR, "no memory for success rates; the next reload tries again");
		return;
	}
	for (uint32_t id = 1; wanted && id < m->capacity[PLANE_MAP_SERVICES] && nr < wanted; id++)
		if (m->services[id].flags & WEFT_SERVICE_F_USED)
			add_rated(o, list, &nr, id, model_find(a->model, m->services[id].name));
	free(o->rated);
	o->rated = list;
	o->nr = nr;
	if (nr)
		outlier_expect_return(a);
}

void outlier_start(struct agent *a)
{
	struct outlier *o = calloc(1, sizeof(*o));

	if (!o) {
		log_msg(LOG_L_WARNING, "no memory: ejected endpoints come back with the next connect only");
		return;
	}
	a->outlier = o;
	uv_timer_init(&a->loop, &o->timer);
	o->timer.data = a;
	outlier_apply(a);
	on_tick(&o->timer);
}

static void on_closed(uv_handle_t *handle)
{
	struct agent *a = handle->data;

	free(a->outlier->rated);
	free(a->outlier->before);
	free(a->outlier);
	a->outlier = NULL;
}

void outlier_done(struct agent *a)
{
	if (a->outlier)
		uv_close((uv_handle_t *)&a->outlier->timer, on_closed);
}

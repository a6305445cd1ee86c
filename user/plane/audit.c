/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Recount of connections. A look reads every counter, walks the sockets, and reads the counters again: one that moved
 * meanwhile says nothing. What is wrong in the first look is watched in the ones that follow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/tally.h"

#define PAUSE_MS 20 /* between two looks */

/* Counters have numbers: those of endpoints first, then those of services. */
enum { OF_BACKEND = 2, OF_SERVICE = 3 + WEFT_LEVELS };

/* .opened grows with every connect, so counter and .opened the same before and after mean that nothing was taken. */
struct look {
	const struct maps *maps;
	uint32_t nr_backends, nr_services;
	size_t nr;	  /* counters */
	uint32_t *was;	  /* counters before the walk */
	uint32_t *found;  /* what they should be */
	uint32_t *opened; /* before the walk, by backend */
	uint32_t *sum;	  /* of .opened, by service */
	bool *moved;	  /* by service: there were connects during the walk */
	bool *unsure;	  /* by service: a place is held at one of its endpoints, unknown which */
	struct tally *tally;
	uint64_t sockets;
};

static void look_done(struct look *l)
{
	free(l->was);
	free(l->found);
	free(l->opened);
	free(l->sum);
	free(l->moved);
	free(l->unsure);
	free(l->tally);
}

static uint32_t read32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static size_t backend_counter(uint32_t id, enum drift_what what)
{
	return (size_t)id * OF_BACKEND + (what == DRIFT_PENDING);
}

static size_t service_counter(const struct look *l, uint32_t id, enum drift_what what, uint32_t level)
{
	return (size_t)l->nr_backends * OF_BACKEND + (size_t)id * OF_SERVICE +
	       (what == DRIFT_UNAVAILABLE ? DRIFT_UNAVAILABLE + level : what);
}

/* What counter number @i is. */
static struct drift describe(const struct look *l, size_t i)
{
	size_t services = (size_t)l->nr_backends * OF_BACKEND;
	struct drift d = { .what = DRIFT_ACTIVE };

	if (i < services) {
		d.backend = (uint32_t)(i / OF_BACKEND);
		d.service = l->maps->backends[d.backend].service;
		d.what = i % OF_BACKEND ? DRIFT_PENDING : DRIFT_ACTIVE;
		return d;
	}
	i -= services;
	d.service = (uint32_t)(i / OF_SERVICE);
	i %= OF_SERVICE;
	d.what = i > DRIFT_UNAVAILABLE ? DRIFT_UNAVAILABLE : (enum drift_what)i;
	d.level = i > DRIFT_UNAVAILABLE ? (uint32_t)i - DRIFT_UNAVAILABLE : 0;
	return d;
}

static uint32_t *counter(const struct maps *m, const struct drift *d)
{
	if (d->backend)
		return d->what == DRIFT_PENDING ? &m->bstate[d->backend].pending : &m->bstate[d->backend].active;
	switch (d->what) {
	case DRIFT_PENDING:
		return &m->sstate[d->service].pending;
	case DRIFT_EJECTED:
		return &m->sstate[d->service].ejected;
	case DRIFT_UNAVAILABLE:
		return &m->sstate[d->service].unavailable[d->level];
	default:
		return &m->sstate[d->service].active;
	}
}

/*
 * The endpoint at which @record's socket holds its place. While a connect is under way it may go on to another one,
 * which the flow learns when the handshake is over. 0: just now it cannot be told.
 */
static uint32_t holder(const struct look *l, const struct weft_flow_record *record, uint32_t *ret_gen)
{
	const struct weft_tuple key = { .client = record->local,
					.server = record->remote,
					.client_port_be = record->local_port_be,
					.server_port_be = record->remote_port_be };
	struct weft_handshake h;

	*ret_gen = record->flow.gen;
	if (!(record->flow.flags & WEFT_FLOW_F_HANDSHAKE))
		return record->flow.backend;
	if (bpf_map_lookup_elem(l->maps->fd[PLANE_MAP_HANDSHAKES], &key, &h))
		return 0;
	*ret_gen = h.gen;
	return h.backend;
}

static int look_at_flow(void *ctx, const struct weft_flow_record *record)
{
	const struct weft_flow *flow = &record->flow;
	struct look *l = ctx;
	bool waits = flow->flags & WEFT_FLOW_F_WAITING;
	uint32_t backend, gen;

	if (flow->held != 1 || !flow->backend || flow->service >= l->nr_services)
		return 0;
	backend = holder(l, record, &gen);
	if (!backend)
		l->unsure[flow->service] = true;
	else if (backend >= l->nr_backends || l->maps->backends[backend].gen != gen)
		return 0;
	l->found[backend_counter(backend, DRIFT_ACTIVE)]++;
	l->found[backend_counter(backend, DRIFT_PENDING)] += waits;
	l->found[service_counter(l, flow->service, DRIFT_ACTIVE, 0)]++;
	l->found[service_counter(l, flow->service, DRIFT_PENDING, 0)] += waits;
	l->sockets++;
	return 0;
}

static void look_at_endpoints(struct look *l)
{
	const struct maps *m = l->maps;

	memset(l->tally, 0, l->nr_services * sizeof(*l->tally));
	for (uint32_t i = 1; i < l->nr_backends; i++)
		if (m->backends[i].flags & WEFT_BACKEND_F_USED && m->backends[i].service < l->nr_services)
			tally_add(m, i, &l->tally[m->backends[i].service]);
	for (uint32_t s = 1; s < l->nr_services; s++) {
		l->found[service_counter(l, s, DRIFT_EJECTED, 0)] = l->tally[s].ejected;
		for (uint32_t k = 0; k < WEFT_LEVELS; k++)
			l->found[service_counter(l, s, DRIFT_UNAVAILABLE, k)] = l->tally[s].unavailable[k];
	}
}

static uint32_t opened_now(const struct look *l, uint32_t backend)
{
	return (uint32_t)__atomic_load_n(&l->maps->bstate[backend].opened, __ATOMIC_RELAXED);
}

/* 0, which is no service, for what belongs to none. */
static uint32_t service_of(const struct look *l, uint32_t backend)
{
	uint32_t service = l->maps->backends[backend].service;

	return service < l->nr_services ? service : 0;
}

static int look(struct look *l)
{
	int r;

	memset(l->found, 0, l->nr * sizeof(*l->found));
	memset(l->unsure, 0, l->nr_services * sizeof(*l->unsure));
	memset(l->moved, 0, l->nr_services * sizeof(*l->moved));
	memset(l->sum, 0, l->nr_services * sizeof(*l->sum));
	l->sockets = 0;
	for (uint32_t i = 1; i < l->nr_backends; i++) {
		l->opened[i] = opened_now(l, i);
		l->sum[service_of(l, i)] += l->opened[i];
	}
	for (size_t i = 0; i < l->nr; i++) {
		const struct drift d = describe(l, i);

		l->was[i] = read32(counter(l->maps, &d));
	}
	look_at_endpoints(l);
	r = maps_each_flow(l->maps, look_at_flow, l);
	for (uint32_t i = 1; i < l->nr_backends; i++)
		if (opened_now(l, i) != l->opened[i])
			l->moved[service_of(l, i)] = true;
	return r;
}

static bool is_wrong(const struct look *l, size_t i)
{
	struct drift d;

	if (l->was[i] == l->found[i])
		return false;
	d = describe(l, i);
	/* Free services and services on their way out say nothing. */
	if (!d.backend && (!(l->maps->services[d.service].flags & WEFT_SERVICE_F_USED) || l->moved[d.service]))
		return false;
	if (d.backend && (!(l->maps->backends[d.backend].flags & WEFT_BACKEND_F_USED) ||
			  l->unsure[service_of(l, d.backend)] || opened_now(l, d.backend) != l->opened[d.backend]))
		return false;
	return read32(counter(l->maps, &d)) == l->was[i];
}

static int look_init(struct look *l, const struct maps *m)
{
	l->maps = m;
	l->nr_backends = m->capacity[PLANE_MAP_BACKENDS];
	l->nr_services = m->capacity[PLANE_MAP_SERVICES];
	l->nr = (size_t)l->nr_backends * OF_BACKEND + (size_t)l->nr_services * OF_SERVICE;
	l->was = calloc(l->nr, sizeof(*l->was));
	l->found = calloc(l->nr, sizeof(*l->found));
	l->opened = calloc(l->nr_backends, sizeof(*l->opened));
	l->sum = calloc(l->nr_services, sizeof(*l->sum));
	l->moved = calloc(l->nr_services, sizeof(*l->moved));
	l->unsure = calloc(l->nr_services, sizeof(*l->unsure));
	l->tally = calloc(l->nr_services, sizeof(*l->tally));
	return l->was && l->found && l->opened && l->sum && l->moved && l->unsure && l->tally ? 0 : -ENOMEM;
}

/* A counter that was wrong in every look so far, in the same way. */
struct suspect {
	struct drift drift;
	size_t number;
	uint32_t opened; /* when it was first seen */
};

static uint32_t suspect_opened(const struct look *l, const struct drift *d)
{
	return d->backend ? l->opened[d->backend] : l->sum[d->service];
}

static int first_suspects(const struct look *l, struct suspect **ret, size_t *ret_nr)
{
	struct suspect *s = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < l->nr; i++)
		nr += is_wrong(l, i);
	if (nr) {
		s = calloc(nr, sizeof(*s));
		if (!s)
			return -ENOMEM;
	}
	*ret_nr = 0;
	for (size_t i = 0; i < l->nr && *ret_nr < nr; i++) {
		struct suspect *at = &s[*ret_nr];

		if (!is_wrong(l, i))
			continue;
		at->drift = describe(l, i);
		at->drift.counted = l->was[i];
		at->drift.found = l->found[i];
		at->opened = suspect_opened(l, &at->drift);
		at->number = i;
		*ret_nr += 1;
	}
	*ret = s;
	return 0;
}

static size_t keep_suspects(const struct look *l, struct suspect *s, size_t nr)
{
	size_t kept = 0;

	for (size_t k = 0; k < nr; k++) {
		size_t i = s[k].number;

		if (is_wrong(l, i) && l->was[i] == s[k].drift.counted && l->found[i] == s[k].drift.found &&
		    suspect_opened(l, &s[k].drift) == s[k].opened)
			s[kept++] = s[k];
	}
	return kept;
}

int maps_audit(const struct maps *m, unsigned passes, struct audit *ret)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	_cleanup_(look_done) struct look l = { 0 };
	_cleanup_(freep) struct suspect *suspects = NULL;
	struct audit a = { 0 };
	int r;

	r = look_init(&l, m);
	if (!r)
		r = look(&l);
	if (!r)
		r = first_suspects(&l, &suspects, &a.nr_drift);
	if (r)
		return r;
	for (uint32_t i = 1; i < l.nr_backends; i++)
		a.backends += m->backends[i].flags & WEFT_BACKEND_F_USED;
	for (unsigned pass = 1; a.nr_drift && (pass < passes || pass < 2); pass++) {
		nanosleep(&pause, NULL);
		r = look(&l);
		if (r)
			return r;
		a.nr_drift = keep_suspects(&l, suspects, a.nr_drift);
	}
	a.sockets = l.sockets;
	if (a.nr_drift) {
		a.drift = calloc(a.nr_drift, sizeof(*a.drift));
		if (!a.drift)
			return -ENOMEM;
	}
	for (size_t i = 0; i < a.nr_drift; i++)
		a.drift[i] = suspects[i].drift;
	*ret = a;
	return 0;
}

int maps_repair(const struct maps *m, const struct audit *a)
{
	if (!m->writable)
		return -EPERM;
	/* Added, not stored: connections that came since are not lost. */
	for (size_t i = 0; i < a->nr_drift; i++)
		__atomic_fetch_add(counter(m, &a->drift[i]), (uint32_t)(a->drift[i].found - a->drift[i].counted),
				   __ATOMIC_RELAXED);
	return 0;
}

static const char *const words[] = {
#define X(id, name, text) [DRIFT_##id] = name,
	DRIFTS(X)
#undef X
};

const char *drift_name(enum drift_what what)
{
	return (size_t)what < sizeof(words) / sizeof(*words) ? words[what] : "unknown";
}

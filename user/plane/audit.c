/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Recount of connections. A look reads every counter, walks the sockets, and reads the counters again: an endpoint
 * whose counters moved meanwhile says nothing. What is wrong in the first look is watched in the ones that follow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "plane/maps.h"

#define PAUSE_MS 20 /* between two looks */

/* .opened grows with every connect, so {active, opened} the same before and after means that at most releases came
 * between. */
struct look {
	uint32_t *active, *opened; /* before the walk, by backend */
	uint32_t *found;	   /* sockets, by backend */
	const struct maps *maps;
	uint32_t nr;
	uint64_t sockets;
};

static void look_done(struct look *l)
{
	free(l->active);
	free(l->opened);
	free(l->found);
}

static uint32_t read32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static int look_at_flow(void *ctx, const struct weft_flow_record *record)
{
	const struct weft_flow *flow = &record->flow;
	struct look *l = ctx;

	if (flow->held != 1 || !flow->backend || flow->backend >= l->nr)
		return 0;
	if (l->maps->backends[flow->backend].gen != flow->gen)
		return 0;
	l->found[flow->backend]++;
	l->sockets++;
	return 0;
}

static int look(struct look *l)
{
	const struct weft_bstate *state = l->maps->bstate;

	memset(l->found, 0, l->nr * sizeof(*l->found));
	l->sockets = 0;
	for (uint32_t i = 1; i < l->nr; i++) {
		l->opened[i] = (uint32_t)__atomic_load_n(&state[i].opened, __ATOMIC_RELAXED);
		l->active[i] = read32(&state[i].active);
	}
	return maps_each_flow(l->maps, look_at_flow, l);
}

static bool is_wrong(const struct look *l, uint32_t i)
{
	const struct weft_bstate *s = &l->maps->bstate[i];

	return l->active[i] != l->found[i] && read32(&s->active) == l->active[i] &&
	       (uint32_t)__atomic_load_n(&s->opened, __ATOMIC_RELAXED) == l->opened[i];
}

static int look_init(struct look *l, const struct maps *m)
{
	l->maps = m;
	l->nr = m->capacity[PLANE_MAP_BACKENDS];
	l->active = calloc(l->nr, sizeof(*l->active));
	l->opened = calloc(l->nr, sizeof(*l->opened));
	l->found = calloc(l->nr, sizeof(*l->found));
	return l->active && l->opened && l->found ? 0 : -ENOMEM;
}

/* A backend that was wrong in every look so far, in the same way. */
struct suspect {
	struct drift drift;
	uint32_t opened;
};

static int first_suspects(const struct look *l, struct suspect **ret, size_t *ret_nr)
{
	struct suspect *s = NULL;
	size_t nr = 0;

	for (uint32_t i = 1; i < l->nr; i++)
		nr += is_wrong(l, i);
	if (nr) {
		s = calloc(nr, sizeof(*s));
		if (!s)
			return -ENOMEM;
	}
	*ret_nr = 0;
	for (uint32_t i = 1; i < l->nr && *ret_nr < nr; i++) {
		if (!is_wrong(l, i))
			continue;
		s[*ret_nr].drift = (struct drift){ i, l->active[i], l->found[i] };
		s[*ret_nr].opened = l->opened[i];
		*ret_nr += 1;
	}
	*ret = s;
	return 0;
}

static size_t keep_suspects(const struct look *l, struct suspect *s, size_t nr)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr; i++) {
		uint32_t id = s[i].drift.backend;

		if (is_wrong(l, id) && l->active[id] == s[i].drift.counted && l->found[id] == s[i].drift.found &&
		    l->opened[id] == s[i].opened)
			s[kept++] = s[i];
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
	for (uint32_t i = 1; i < l.nr; i++)
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
		__atomic_fetch_add(&m->bstate[a->drift[i].backend].active,
				   (uint32_t)(a->drift[i].found - a->drift[i].counted), __ATOMIC_RELAXED);
	return 0;
}

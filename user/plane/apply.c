/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A plan, carried out: services are published one by one; then addresses appear, change hands, disappear; services that
 * nothing leads to are withdrawn; and one grace period retires what left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/plan.h"

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int withdraw_removed(struct plane *p, struct plan *n, struct plane_change *change, struct plane_error *err)
{
	for (size_t i = 0; i < n->nr; i++) {
		struct step *s = &n->steps[i];

		if (s->kind != STEP_REMOVE || s->done)
			continue;
		if (holding_reserve(p, s->id, p->held[s->id].nr))
			return plane_fail(err, -ENOMEM, "no memory for the endpoints of removed services");
		withdraw(p, s->id, change);
		change->services_removed++;
		s->done = true;
	}
	return 0;
}

/* Two grace periods: what left stops being READY after the first, and is free after the second when no connection holds
 * it. */
static int collect(struct plane *p, struct plane_error *err)
{
	for (int i = 0; i < 2; i++) {
		int r = pass_grace(p);

		if (r)
			return plane_fail(err, r, "cannot wait for running programs: %s", log_strerror(r));
	}
	reclaim_drained(p);
	if (p->edges_stale)
		edges_reclaim(p);
	return 0;
}

/* No room for old and new side by side: what goes must go first. Addresses that change hands keep leading to their old
 * service meanwhile. */
static int make_room(struct plane *p, struct plan *n, struct plane_change *change, struct plane_error *err)
{
	bool moving = false;
	int r;

	r = frontends_remove(p, err);
	if (r)
		return r;
	for (const struct front *e = fronts_first(&p->fronts); e; e = fronts_next(&p->fronts, e))
		moving = moving || (e->have && e->want && e->have != e->want);
	if (!moving) {
		r = withdraw_removed(p, n, change, err);
		if (r)
			return r;
	}
	return collect(p, err);
}

static int publish_step(struct plane *p, struct plan *n, struct step *s, struct plane_change *change,
			struct plane_error *err)
{
	struct draft d;
	int r;

	r = draft_make(p, s->id, s->want, &d, err);
	if (r == -ENOSPC) {
		r = make_room(p, n, change, err);
		if (!r)
			r = draft_make(p, s->id, s->want, &d, err);
	}
	if (r)
		return r;
	publish(p, &d, change);
	s->done = true;
	if (s->kind == STEP_CHANGE)
		change->services_changed++;
	else
		change->services_added++;
	return 0;
}

static int carry_out(struct plane *p, struct plan *n, struct plane_change *change, struct plane_error *err)
{
	struct plane_error more;
	int r = 0, late;

	for (size_t i = 0; !r && i < n->nr; i++)
		if (n->steps[i].want)
			r = publish_step(p, n, &n->steps[i], change, err);
	/* One did not fit: those that were published get their addresses nevertheless, the others keep theirs. */
	if (r)
		plan_keep_rest(p, n);
	late = frontends_add(p, r ? &more : err);
	if (!late)
		late = frontends_remove(p, r ? &more : err);
	if (!late && !r)
		late = withdraw_removed(p, n, change, err);
	return r ? r : late;
}

static void stamp(struct plane *p)
{
	struct weft_config *c = p->m->config;

	__atomic_store_n(&c->applied_ns, now_ns(CLOCK_BOOTTIME), __ATOMIC_RELAXED);
	__atomic_fetch_add(&c->serial, 1, __ATOMIC_RELEASE);
}

static int apply_once(struct plane *p, const struct model *m, struct plane_change *change, bool *ret_no_ids,
		      struct plane_error *err)
{
	struct plan n = { 0 };
	int r;

	r = plan_make(p, m, &n, change, err);
	*ret_no_ids = n.no_ids;
	if (!r) {
		r = carry_out(p, &n, change, err);
		p->fronts_unsure = r != 0;
		p->zone_moved = p->zone_moved && r;
		if (n.nr)
			stamp(p);
	}
	fronts_settle(&p->fronts);
	plan_done(p, &n);
	return r;
}

/*
 * So many services are new that their ids must come from those that go: these go first. The only case in which an
 * address that passes from a removed service to a new one is no service in between; a larger limits.services avoids it.
 */
static int apply_removals(struct plane *p, const struct model *m, struct plane_change *change, struct plane_error *err)
{
	_cleanup_(model_freep) struct model *rest = model_new();
	struct plane_change removed = { 0 };
	int r = rest ? 0 : -ENOMEM;
	bool no_ids;

	for (size_t i = 0; !r && i < p->nr_order; i++) {
		const struct holding *h = &p->held[p->order[i]];
		struct service *s = h->state == HOLDING_LIVE ? model_find(m, p->m->services[p->order[i]].name) : NULL;

		if (s)
			r = model_add(rest, s);
	}
	if (r)
		return plane_fail(err, r, "no memory to compare the services");
	r = apply_once(p, rest, &removed, &no_ids, err);
	if (!r)
		r = collect(p, err);
	*change = (struct plane_change){
		.services_removed = removed.services_removed,
		.endpoints_removed = removed.endpoints_removed,
	};
	return r;
}

int plane_apply(struct plane *p, const struct model *m, struct plane_change *ret, struct plane_error *err)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	struct plane_change change = { 0 };
	bool no_ids;
	int r;

	r = apply_once(p, m, &change, &no_ids, err);
	if (r && no_ids) {
		r = apply_removals(p, m, &change, err);
		if (!r)
			r = apply_once(p, m, &change, &no_ids, err);
	}
	change.visible_ns = now_ns(CLOCK_MONOTONIC) - start;
	/* From here on endpoints of withdrawn services take nothing new. If waiting fails, plane_reclaim() tries again.
	 */
	if (change.services_removed)
		pass_grace(p);
	if (!r)
		*ret = change;
	return r;
}

void plane_set_zone(struct plane *p, const char *zone)
{
	char *copy = zone && *zone ? strdup(zone) : NULL;

	if (zone && *zone && !copy)
		return; /* the old one stays: no memory for a few bytes is no time to move load */
	if (p->zone && copy ? strcmp(p->zone, copy) : p->zone != copy)
		p->zone_moved = true;
	free(p->zone);
	p->zone = copy;
}

void plane_set_callers(struct plane *p, bool on)
{
	if (on)
		__atomic_fetch_or(&p->m->config->flags, WEFT_CONFIG_F_CALLERS, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(&p->m->config->flags, ~WEFT_CONFIG_F_CALLERS, __ATOMIC_RELEASE);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What happens after grace periods: withdrawn things are retired, and what nobody can be using any more is free again.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/state.h"
#include "weft/outlier.h"

void unsettle(struct plane *p, uint32_t service)
{
	struct holding *h = &p->held[service];

	p->resting = true;
	if (h->unsettled)
		return;
	h->unsettled = true;
	h->next_unsettled = p->unsettled;
	p->unsettled = service;
}

void clear_ready(struct plane *p, uint32_t id)
{
	struct weft_backend *b = &p->m->backends[id];

	if (b->flags & WEFT_BACKEND_F_READY)
		store16(&b->flags, b->flags & (uint16_t)~WEFT_BACKEND_F_READY);
}

/* Who left its service must not take a place among its ejected ones. */
static void end_ejections(struct plane *p, const struct holding *h)
{
	struct timespec t;

	for (uint32_t i = 0; i < h->nr_draining; i++) {
		if (!(p->m->bstate[h->draining[i].id].out & WEFT_OUT_EJECTED))
			continue;
		clock_gettime(CLOCK_MONOTONIC, &t);
		maps_uneject(p->m, h->draining[i].id, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
	}
}

/* No program holds what was withdrawn any more: its endpoints take nothing new from now on. */
static void settle(struct plane *p, uint32_t service)
{
	struct holding *h = &p->held[service];

	if (h->state == HOLDING_LEAVING) {
		store32(&p->m->services[service].spec, 0);
		h->state = HOLDING_GONE;
	}
	for (uint32_t i = 0; i < h->nr_draining; i++) {
		struct drain *d = &h->draining[i];

		if (!(p->m->backends[d->id].flags & WEFT_BACKEND_F_READY))
			continue;
		clear_ready(p, d->id);
		/* Who saw it READY a moment ago may be about to hold it: one more grace period, then .active tells. */
		d->since = p->graces;
		p->resting = true;
	}
	end_ejections(p, h);
	if (!recount(p, service))
		unsettle(p, service);
}

static void clear_spec(void *maps, uint32_t id)
{
	const struct maps *m = maps;

	__atomic_store_n(&m->specs[id].flags, 0, __ATOMIC_RELEASE);
}

int pass_grace(struct plane *p)
{
	uint32_t next;
	int r;

	r = grace_pass(&p->grace);
	if (r)
		return r;
	p->graces++;
	p->fronts_dirty = false;
	p->resting = false;
	for (uint32_t id = MOVE(p->unsettled, 0); id; id = next) {
		next = p->held[id].next_unsettled;
		p->held[id].unsettled = false;
		settle(p, id);
	}
	claims_finish(p);
	/* Only after settle(): until then a withdrawn service still points to its spec. */
	ids_wake(&p->specs, clear_spec, p->m);
	if (arena_wake(&p->arena))
		p->resting = true;
	return 0;
}

static void free_drained(struct plane *p, struct holding *h)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->nr_draining; i++) {
		const struct drain d = h->draining[i];
		struct weft_backend *b = &p->m->backends[d.id];

		if (b->flags & WEFT_BACKEND_F_READY || d.since == p->graces ||
		    __atomic_load_n(&p->m->bstate[d.id].active, __ATOMIC_ACQUIRE)) {
			h->draining[kept++] = d;
			continue;
		}
		store16(&b->flags, 0);
		ids_free(&p->backends, d.id);
		p->nr_draining--;
		p->edges_stale = true;
	}
	h->nr_draining = kept;
	if (kept)
		return;
	free(MOVE(h->draining, NULL));
	h->room_draining = 0;
}

/* Frees what has drained. Returns the number of services that are on their way out. */
unsigned reclaim_drained(struct plane *p)
{
	unsigned departing = 0;

	for (size_t i = 0; i < p->nr_order; i++) {
		struct holding *h = &p->held[p->order[i]];

		if (h->nr_draining)
			free_drained(p, h);
		if (h->state != HOLDING_LEAVING && h->state != HOLDING_GONE)
			continue;
		departing++;
		if (h->state == HOLDING_LEAVING || h->nr_draining || h->unsettled || h->wanted)
			continue;
		free(h->draining);
		memset(h, 0, sizeof(*h));
		ids_free(&p->services, p->order[i]);
		departing--;
	}
	if (p->departing)
		reclaim_order(p);
	p->departing = departing > 0;
	return departing;
}

void reclaim_order(struct plane *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->nr_order; i++)
		if (p->order[i] && p->held[p->order[i]].state != HOLDING_FREE)
			p->order[kept++] = p->order[i];
	p->nr_order = kept;
}

unsigned plane_reclaim(struct plane *p)
{
	unsigned departing = 0;

	if (p->resting)
		pass_grace(p); /* when it fails everything goes on resting */
	/* What this grace period retired rests for one more; the next call comes soon enough. */
	if (p->nr_draining || p->departing)
		departing = reclaim_drained(p);
	if (p->edges_stale)
		edges_reclaim(p);
	recount_some(p);
	return departing + p->nr_draining + p->specs.nr_resting;
}

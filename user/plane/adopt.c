/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What an agent before us left in the maps, taken over: it may have died between any two stores. Records that are USED
 * are true; what leads to nothing is taken back; what nothing leads to rests for a grace period. Whether what is there
 * is what is wanted, the first plane_apply() finds out: an endpoint that was made but not yet shown, or not shown any
 * more but not yet DRAINING, is to it an endpoint like any other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/state.h"
#include "plane/walk.h"

static void adopt_services(struct plane *p)
{
	for (uint32_t id = 1; id < p->services.capacity; id++) {
		const struct weft_service *s = &p->m->services[id];

		if (!(s->flags & WEFT_SERVICE_F_USED) && !s->spec)
			continue;
		ids_take(&p->services, id);
		p->held[id].state = s->flags & WEFT_SERVICE_F_USED ? HOLDING_LIVE : HOLDING_LEAVING;
	}
}

/* Which service the backend belongs to; NULL for one that can belong to none. */
static struct holding *owner(const struct plane *p, const struct weft_backend *b)
{
	return b->service && b->service < p->services.capacity ? &p->held[b->service] : NULL;
}

static bool is_leaving(const struct holding *h, const struct weft_backend *b)
{
	return b->flags & WEFT_BACKEND_F_DRAINING || h->state != HOLDING_LIVE;
}

static void count_backends(struct plane *p)
{
	for (uint32_t id = 1; id < p->backends.capacity; id++) {
		struct weft_backend *b = &p->m->backends[id];
		struct holding *h = owner(p, b);

		if (!(b->flags & WEFT_BACKEND_F_USED))
			continue;
		if (!h) {
			__atomic_store_n(&b->flags, 0, __ATOMIC_RELEASE);
			continue;
		}
		ids_take(&p->backends, id);
		if (h->state == HOLDING_FREE) {
			ids_take(&p->services, b->service);
			h->state = HOLDING_GONE;
		}
		if (is_leaving(h, b))
			h->room_draining++;
		else
			h->nr++;
	}
}

static int reserve_backends(struct plane *p)
{
	for (uint32_t id = 1; id < p->services.capacity; id++) {
		struct holding *h = &p->held[id];

		if (h->nr) {
			h->backends = calloc(h->nr, sizeof(*h->backends));
			if (!h->backends)
				return -ENOMEM;
			h->nr = 0;
		}
		if (h->room_draining) {
			h->draining = calloc(h->room_draining, sizeof(*h->draining));
			if (!h->draining)
				return -ENOMEM;
		}
	}
	return 0;
}

static void adopt_draining(struct plane *p, struct holding *h, uint32_t id)
{
	struct weft_backend *b = &p->m->backends[id];

	store16(&b->flags, b->flags | WEFT_BACKEND_F_DRAINING);
	h->draining[h->nr_draining++] = (struct drain){ .id = id, .since = p->graces };
	p->nr_draining++;
	unsettle(p, b->service);
}

static void fill_backends(struct plane *p)
{
	for (uint32_t id = 1; id < p->backends.capacity; id++) {
		const struct weft_backend *b = &p->m->backends[id];
		struct holding *h = owner(p, b);

		if (!(b->flags & WEFT_BACKEND_F_USED))
			continue;
		if (is_leaving(h, b)) {
			adopt_draining(p, h, id);
			continue;
		}
		h->backends[h->nr++] = id;
		p->nr_endpoints++;
	}
}

static int backend_compare(const void *a, const void *b, void *backends)
{
	const struct weft_backend *x = (const struct weft_backend *)backends + *(const uint32_t *)a;
	const struct weft_backend *y = (const struct weft_backend *)backends + *(const uint32_t *)b;
	int r = memcmp(x->addr.byte, y->addr.byte, sizeof(x->addr.byte));
	uint16_t xport = ntohs(x->port_be), yport = ntohs(y->port_be);

	return r ? r : (xport > yport) - (xport < yport);
}

static int adopt_backends(struct plane *p)
{
	int r;

	count_backends(p);
	r = reserve_backends(p);
	if (r)
		return r;
	fill_backends(p);
	for (uint32_t id = 1; id < p->services.capacity; id++) {
		struct holding *h = &p->held[id];

		if (h->nr > 1)
			qsort_r(h->backends, h->nr, sizeof(*h->backends), backend_compare, p->m->backends);
		if (h->state != HOLDING_FREE)
			unsettle(p, id); /* its counters may be off by what the agent before was about to do */
		if (h->state == HOLDING_LEAVING || h->state == HOLDING_GONE)
			p->departing = true;
	}
	return 0;
}

/* What a service publishes, when it is whole; a pointer to anything else is taken back. */
static bool check_spec(struct plane *p, uint32_t service)
{
	struct weft_service *s = &p->m->services[service];
	const struct weft_spec *spec = maps_spec(p->m, service);

	if (!s->spec)
		return false;
	if (spec && spec->flags & WEFT_SPEC_F_USED && spec->service == service)
		return true;
	__atomic_store_n(&s->spec, 0, __ATOMIC_RELEASE);
	return false;
}

static bool is_published(const struct plane *p, uint32_t id)
{
	uint32_t service = p->m->specs[id].service;

	return service && service < p->services.capacity && p->m->services[service].spec == id &&
	       p->held[service].state == HOLDING_LIVE;
}

/* Extents of all specs that are USED are apart: a spec loses the flag before its extent is given to another. */
static int adopt_specs(struct plane *p)
{
	_cleanup_(freep) struct extent *used = calloc(p->specs.capacity + 1u, sizeof(*used));
	size_t nr = 0;
	int r;

	if (!used)
		return -ENOMEM;
	for (uint32_t id = 1; id < p->services.capacity; id++)
		if (check_spec(p, id) && p->held[id].state == HOLDING_LIVE)
			p->nr_slots += spec_slots(&p->m->specs[p->m->services[id].spec]);
	for (uint32_t id = 1; id < p->specs.capacity; id++) {
		const struct weft_spec *spec = &p->m->specs[id];

		if (!(spec->flags & WEFT_SPEC_F_USED))
			continue;
		ids_take(&p->specs, id);
		if (spec_slots(spec))
			used[nr++] = spec_extent(spec);
	}
	r = arena_adopt(&p->arena, used, nr);
	for (uint32_t id = 1; !r && id < p->specs.capacity; id++) {
		const struct weft_spec *spec = &p->m->specs[id];

		if (!(spec->flags & WEFT_SPEC_F_USED) || is_published(p, id))
			continue;
		r = arena_reserve(&p->arena);
		if (r)
			break;
		arena_rest(&p->arena, spec_extent(spec).base, spec_extent(spec).nr);
		ids_rest(&p->specs, id);
	}
	return r;
}

static int note_frontend(void *ctx, const void *k, const void *value)
{
	uint32_t id = ((const struct weft_frontend *)value)->service;
	const struct weft_frontend_key *key = k;
	struct plane *p = ctx;
	int r;

	r = fronts_note(&p->fronts, key, id ? id : UINT32_MAX);
	if (!r && (key->scope || !id || id >= p->services.capacity || p->held[id].state != HOLDING_LIVE))
		r = fronts_want(&p->fronts, key, 0);
	return r;
}

static int adopt_frontends(struct plane *p, struct plane_error *err)
{
	int r;

	r = walk_hash(p->m->fd[PLANE_MAP_FRONTENDS], sizeof(struct weft_frontend_key), sizeof(struct weft_frontend),
		      note_frontend, p);
	if (r)
		return plane_fail(err, r, "cannot read map 'weft_frontends': %s", log_strerror(r));
	r = frontends_remove(p, err);
	fronts_settle(&p->fronts);
	/* The agent before may have removed elements a moment ago, and what they led to may be in use. */
	p->fronts_dirty = true;
	p->fronts_unsure = true;
	p->resting = true;
	p->edges_stale = true;
	return r;
}

static int order_compare(const void *a, const void *b, void *services)
{
	const struct weft_service *s = services;

	return strncmp(s[*(const uint32_t *)a].name, s[*(const uint32_t *)b].name, WEFT_NAME_LEN);
}

static int adopt_order(struct plane *p)
{
	size_t nr = 0;

	p->order = calloc(p->services.capacity, sizeof(*p->order));
	if (!p->order)
		return -ENOMEM;
	for (uint32_t id = 1; id < p->services.capacity; id++)
		if (p->held[id].state != HOLDING_FREE)
			p->order[nr++] = id;
	p->nr_order = nr;
	qsort_r(p->order, nr, sizeof(*p->order), order_compare, p->m->services);
	return 0;
}

int plane_adopt(struct plane *p, struct plane_error *err)
{
	int r;

	adopt_services(p);
	r = adopt_backends(p);
	if (!r)
		r = claims_note(p);
	if (!r)
		r = adopt_specs(p);
	if (!r)
		r = adopt_order(p);
	if (r)
		return plane_fail(err, r, "cannot take over the maps in %s: %s", p->dir,
				  r == -ENOMEM ? "no memory"
					       : "they contradict themselves; 'weft unload' removes them");
	return adopt_frontends(p, err);
}

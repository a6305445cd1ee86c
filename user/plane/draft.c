/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "base/cleanup.h"
#include "plane/state.h"

static int compare(const struct endpoint *e, const struct weft_backend *b)
{
	int r = memcmp(e->addr.byte, b->addr.byte, sizeof(e->addr.byte));
	uint16_t port = ntohs(b->port_be);

	return r ? r : (e->port > port) - (e->port < port);
}

static int drain_compare(const void *a, const void *b, void *backends)
{
	const struct weft_backend *x = (const struct weft_backend *)backends + ((const struct drain *)a)->id;
	const struct weft_backend *y = (const struct weft_backend *)backends + ((const struct drain *)b)->id;
	int r = memcmp(x->addr.byte, y->addr.byte, sizeof(x->addr.byte));
	uint16_t xport = ntohs(x->port_be), yport = ntohs(y->port_be);

	return r ? r : (xport > yport) - (xport < yport);
}

/* The endpoint @e among those that drain, sorted, so that it comes back with its connections; 0: not there. */
static uint32_t find_draining(const struct plane *p, const struct holding *h, const struct endpoint *e)
{
	uint32_t low = 0, high = h->nr_draining;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int r = compare(e, &p->m->backends[h->draining[middle].id]);

		if (!r)
			return h->draining[middle].id;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}

static int draft_new_backend(struct plane *p, const struct holding *h, const struct endpoint *e, struct draft *d,
			     uint32_t *ret)
{
	uint32_t id = find_draining(p, h, e);

	if (id) {
		*ret = id | DRAFT_REVIVED;
		d->nr_revived++;
		return 0;
	}
	id = ids_alloc(&p->backends);
	if (!id)
		return -ENOSPC;
	*ret = id | DRAFT_NEW;
	d->nr_new++;
	return 0;
}

/* Two sorted lists side by side: what stays keeps its id, what is new gets one, what is gone is noted. */
static int draft_backends(struct plane *p, struct draft *d, struct plane_error *err)
{
	const struct holding *h = &p->held[d->service];
	const struct service *want = d->want;
	uint32_t j = 0;
	int r, order;

	d->backends = calloc(want->nr_endpoints + 1, sizeof(*d->backends));
	d->removed = calloc((size_t)h->nr + 1, sizeof(*d->removed));
	if (!d->backends || !d->removed)
		return plane_fail(err, -ENOMEM, "no memory for the endpoints of service '%s'", want->name);
	if (h->nr_draining > 1)
		qsort_r(h->draining, h->nr_draining, sizeof(*h->draining), drain_compare, p->m->backends);
	for (size_t i = 0; i < want->nr_endpoints; i++) {
		for (order = 1; j < h->nr; j++) {
			order = compare(&want->endpoints[i], &p->m->backends[h->backends[j]]);
			if (order <= 0)
				break;
			d->removed[d->nr_removed++] = h->backends[j];
		}
		if (j < h->nr && order == 0) {
			d->backends[i] = h->backends[j++];
			continue;
		}
		r = draft_new_backend(p, h, &want->endpoints[i], d, &d->backends[i]);
		if (r)
			return plane_fail(
				err, r,
				"map 'weft_backends' is full while %u endpoints that were removed wait for their last "
				"connections; enlarge limits.endpoints (now %u)",
				p->nr_draining, p->m->capacity[PLANE_MAP_BACKENDS] - 1);
	}
	while (j < h->nr)
		d->removed[d->nr_removed++] = h->backends[j++];
	return 0;
}

/* Slots and tables, side by side in one extent. */
static int draft_extent(struct plane *p, struct draft *d, const struct shape *shape, struct plane_error *err)
{
	uint32_t *slots;
	int r;

	r = arena_alloc(&p->arena, shape->total, &d->slot_base);
	if (r)
		return plane_fail(
			err, r,
			"map 'weft_slots' has no room for the %u slots of service '%s' beside those in use; enlarge "
			"limits.slots (now %u)",
			shape->total, d->want->name, p->m->capacity[PLANE_MAP_SLOTS]);
	/* Not before: until the extent is there, there is none to give back. */
	d->shape = *shape;
	slots = p->m->slots + d->slot_base;
	r = shape_fill(p, d->want, shape, true, slots);
	if (r)
		return plane_fail(err, r, "cannot compute the slots of service '%s': %s", d->want->name,
				  r == -EINVAL
					  ? "the maglev table is smaller than the number of endpoints, or not a prime"
					  : "no memory");
	for (uint32_t i = 0; i < shape->total; i++)
		slots[i] = d->backends[slots[i]] & DRAFT_ID;
	return 0;
}

int holding_reserve(struct plane *p, uint32_t service, uint32_t nr_removed)
{
	struct holding *h = &p->held[service];
	uint32_t want = h->nr_draining + nr_removed;
	struct drain *more;

	if (arena_reserve(&p->arena))
		return -ENOMEM;
	if (want <= h->room_draining)
		return 0;
	more = reallocarray(h->draining, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	h->draining = more;
	h->room_draining = want;
	return 0;
}

static int draft_try(struct plane *p, struct draft *d, struct plane_error *err)
{
	struct shape shape;
	int r;

	r = shape_make(p, d->want, &shape);
	if (r)
		return plane_fail(err, r, "no memory for the endpoints of service '%s'", d->want->name);
	r = draft_backends(p, d, err);
	if (r)
		return r;
	if (holding_reserve(p, d->service, d->nr_removed))
		return plane_fail(err, -ENOMEM, "no memory for the removed endpoints of service '%s'", d->want->name);
	d->spec = ids_alloc(&p->specs);
	if (!d->spec)
		return plane_fail(err, -ENOSPC, "map 'weft_specs' is full; enlarge limits.specs (now %u)",
				  p->m->capacity[PLANE_MAP_SPECS] - 1);
	return draft_extent(p, d, &shape, err);
}

int draft_make(struct plane *p, uint32_t service, struct service *want, struct draft *ret, struct plane_error *err)
{
	struct draft d = { .service = service, .want = want };
	int r;

	r = draft_try(p, &d, err);
	if (r) {
		draft_undo(p, &d);
		return r;
	}
	*ret = d;
	return 0;
}

void draft_undo(struct plane *p, struct draft *d)
{
	for (size_t i = 0; d->backends && i < d->want->nr_endpoints; i++)
		if (d->backends[i] & DRAFT_NEW)
			ids_free(&p->backends, d->backends[i] & DRAFT_ID);
	if (d->spec)
		ids_free(&p->specs, d->spec);
	arena_free(&p->arena, d->slot_base, d->shape.total);
	free(MOVE(d->backends, NULL));
	free(MOVE(d->removed, NULL));
}

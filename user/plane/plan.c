/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plane/plan.h"

static int plan_add(struct plan *n, enum step_kind kind, uint32_t id, struct service *want)
{
	size_t room = n->room ? n->room * 2 : 16;
	struct step *more;

	if (n->nr == n->room) {
		more = reallocarray(n->steps, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		n->steps = more;
		n->room = room;
	}
	n->steps[n->nr++] = (struct step){ .kind = kind, .id = id, .at = n->nr_order, .want = want };
	return 0;
}

static bool plan_differs(struct plane *p, uint32_t id, const struct service *want)
{
	const struct service *applied = p->held[id].applied;

	if (applied && applied != want && !service_equal(applied, want))
		return true;
	return (!applied || p->zone_moved) && !publish_is_same(p, id, want);
}

/* A service that is there under the name of @want. */
static int plan_match(struct plane *p, struct plan *n, uint32_t id, struct service *want, struct plane_change *change)
{
	struct holding *h = &p->held[id];

	if (h->state != HOLDING_LIVE)
		return plan_add(n, STEP_REVIVE, id, want);
	if (plan_differs(p, id, want))
		return plan_add(n, STEP_CHANGE, id, want);
	if (h->applied != want) {
		service_unref(h->applied);
		h->applied = service_ref(want);
	}
	change->services_same++;
	return 0;
}

static int plan_steps(struct plane *p, const struct model *m, struct plan *n, struct plane_change *change)
{
	size_t i = 0, j = 0;
	uint32_t id;
	int r = 0, order;

	n->order = calloc(m->nr + p->nr_order + 1, sizeof(*n->order));
	if (!n->order)
		return -ENOMEM;
	while (!r && (i < m->nr || j < p->nr_order)) {
		id = j < p->nr_order ? p->order[j] : 0;
		if (i == m->nr)
			order = 1;
		else if (!id)
			order = -1;
		else if (p->held[id].applied == m->services[i])
			order = 0;
		else
			order = strcmp(m->services[i]->name, p->m->services[id].name);
		if (order < 0)
			r = plan_add(n, STEP_ADD, 0, m->services[i]);
		else if (order == 0)
			r = plan_match(p, n, id, m->services[i], change);
		else if (p->held[id].state == HOLDING_LIVE)
			r = plan_add(n, STEP_REMOVE, id, NULL);
		n->order[n->nr_order++] = order < 0 ? 0 : id;
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static uint32_t published_slots(const struct plane *p, uint32_t service)
{
	const struct weft_spec *spec = maps_spec(p->m, service);

	return spec ? (uint32_t)spec_slots(spec) : 0;
}

/* Can all of it ever be there at once? */
static int plan_check(struct plane *p, struct plan *n, size_t nr_services, struct plane_error *err)
{
	uint64_t endpoints = p->nr_endpoints, slots = p->nr_slots;
	struct shape shape;

	for (size_t i = 0; i < n->nr; i++) {
		const struct step *s = &n->steps[i];

		if (s->kind == STEP_CHANGE || s->kind == STEP_REMOVE) {
			endpoints -= p->held[s->id].nr;
			slots -= published_slots(p, s->id);
		}
		if (!s->want)
			continue;
		if (shape_make(p, s->want, &shape))
			return plane_fail(err, -ENOMEM, "no memory to look at the services");
		endpoints += s->want->nr_endpoints;
		slots += shape.total;
	}
	if (nr_services > p->services.capacity - 1)
		return plane_fail(err, -ENOSPC, "limits.services is %u, there are %zu services; nothing was changed",
				  p->services.capacity - 1, nr_services);
	if (nr_services > p->specs.capacity - 1)
		return plane_fail(err, -ENOSPC, "limits.specs is %u, there are %zu services; nothing was changed",
				  p->specs.capacity - 1, nr_services);
	if (endpoints > p->backends.capacity - 1)
		return plane_fail(err, -ENOSPC, "limits.endpoints is %u, the services need %llu; nothing was changed",
				  p->backends.capacity - 1, (unsigned long long)endpoints);
	if (slots > p->arena.size)
		return plane_fail(err, -ENOSPC, "limits.slots is %u, the services need %llu; nothing was changed",
				  p->arena.size, (unsigned long long)slots);
	return 0;
}

/* Ids for the new services, before anything is written; those that come back must not be freed meanwhile. */
static int plan_ids(struct plane *p, struct plan *n, struct plane_error *err)
{
	for (size_t i = 0; i < n->nr; i++) {
		if (n->steps[i].kind == STEP_REVIVE)
			p->held[n->steps[i].id].wanted = true;
		if (n->steps[i].kind != STEP_ADD)
			continue;
		n->steps[i].id = ids_alloc(&p->services);
		n->no_ids = !n->steps[i].id;
		if (n->no_ids)
			return plane_fail(err, -ENOSPC,
					  "map 'weft_services' is full while removed services wait for their last "
					  "connections; enlarge "
					  "limits.services (now %u)",
					  p->services.capacity - 1);
	}
	return 0;
}

static bool same_addresses(const struct service *a, const struct service *b)
{
	return a->proto == b->proto && a->nr_frontends == b->nr_frontends &&
	       !memcmp(a->frontends, b->frontends, a->nr_frontends * sizeof(*a->frontends));
}

/* What was first, what is to be afterwards: the last word on an address that changes hands is that of its new service.
 */
static int plan_addresses(struct plane *p, struct plan *n, const struct model *m)
{
	int r = 0;

	if (p->fronts_unsure)
		fronts_want_none(&p->fronts);
	for (size_t i = 0; !r && !p->fronts_unsure && i < n->nr; i++) {
		struct step *s = &n->steps[i];
		const struct service *was = s->kind == STEP_ADD || s->kind == STEP_REVIVE ? NULL
											  : p->held[s->id].applied;

		if (was && !(s->want && same_addresses(was, s->want)))
			r = frontends_plan(p, s->id, was, false);
	}
	for (size_t i = 0; !r && i < n->nr; i++)
		if (n->steps[i].want)
			r = frontends_plan(p, n->steps[i].id, n->steps[i].want, true);
	/* Compared all: services that did not change must say what is theirs, too. */
	for (size_t i = 0; !r && p->fronts_unsure && i < p->nr_order; i++) {
		const struct holding *h = &p->held[p->order[i]];

		if (h->applied && model_find(m, h->applied->name) == h->applied)
			r = frontends_plan(p, p->order[i], h->applied, true);
	}
	return r;
}

void plan_keep_rest(struct plane *p, const struct plan *n)
{
	for (size_t i = 0; i < n->nr; i++)
		p->held[n->steps[i].id].undone = !n->steps[i].done;
	frontends_keep(p);
}

int plan_make(struct plane *p, const struct model *m, struct plan *n, struct plane_change *change,
	      struct plane_error *err)
{
	int r;

	r = plan_steps(p, m, n, change);
	if (r)
		return plane_fail(err, r, "no memory to compare the services");
	r = plan_check(p, n, m->nr, err);
	if (!r)
		r = plan_ids(p, n, err);
	if (r)
		return r;
	r = plan_addresses(p, n, m);
	if (r)
		return plane_fail(err, r, "no memory for the addresses of services");
	return frontends_check(p, err);
}

void plan_done(struct plane *p, struct plan *n)
{
	for (size_t i = 0; i < n->nr; i++) {
		struct step *s = &n->steps[i];

		p->held[s->id].wanted = false;
		p->held[s->id].undone = false;
		if (s->kind != STEP_ADD || !s->id)
			continue;
		if (s->done)
			n->order[s->at] = s->id;
		else
			ids_free(&p->services, s->id);
	}
	if (n->order) {
		free(p->order);
		p->order = MOVE(n->order, NULL);
		p->nr_order = n->nr_order;
		reclaim_order(p);
	}
	free(n->steps);
}

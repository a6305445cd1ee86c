/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "invariants.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plane/tally.h"
#include "weft/level.h"

uint32_t service_id(const struct maps *m, const char *name)
{
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_SERVICES]; id++)
		if (m->services[id].flags & WEFT_SERVICE_F_USED && !strcmp(m->services[id].name, name))
			return id;
	return 0;
}

static void expect_slots(const struct maps *m, const struct weft_spec *spec, uint32_t base, uint32_t nr)
{
	ck_assert_uint_le((uint64_t)base + nr, m->capacity[PLANE_MAP_SLOTS]);
	for (uint32_t i = base; i < base + nr; i++) {
		const struct weft_backend *b;

		ck_assert_uint_ne(m->slots[i], 0);
		ck_assert_uint_lt(m->slots[i], m->capacity[PLANE_MAP_BACKENDS]);
		b = &m->backends[m->slots[i]];
		ck_assert_msg(b->flags & WEFT_BACKEND_F_USED,
			      "slot %u of service %u leads to backend %u, which is not used", i, spec->service,
			      m->slots[i]);
		ck_assert_msg(b->flags & WEFT_BACKEND_F_READY,
			      "slot %u of service %u leads to backend %u, which is not ready", i, spec->service,
			      m->slots[i]);
		ck_assert_uint_eq(b->service, spec->service);
	}
}

static void expect_level(const struct maps *m, const struct weft_spec *spec, uint32_t i)
{
	const struct weft_level *l = &spec->level[i], *after = i + 1 < spec->nr_levels ? l + 1 : NULL;
	static const struct weft_level none;

	if (i >= spec->nr_levels) {
		ck_assert_mem_eq(l, &none, sizeof(none));
		return;
	}
	ck_assert_uint_ge(l->avg_weight, 1);
	ck_assert_uint_ge(l->nr_backends, 1);
	ck_assert_uint_ge(l->nr_slots, 1);
	ck_assert_uint_le(l->cap, WEFT_WHOLE);
	/* What one level may not take, the next one of the same priority does. */
	if (l->cap < WEFT_WHOLE || l->flags & WEFT_LEVEL_F_LOCAL) {
		ck_assert_ptr_nonnull(after);
		ck_assert_uint_eq(after->priority, l->priority);
	} else if (after) {
		ck_assert_uint_gt(after->priority, l->priority);
	}
	expect_slots(m, spec, l->slot_base, l->nr_slots);
	expect_slots(m, spec, l->table_base, l->table_size);
}

static void expect_service(const struct maps *m, uint32_t id)
{
	const struct weft_spec *spec = maps_spec(m, id);

	ck_assert_uint_lt(strnlen(m->services[id].name, WEFT_NAME_LEN), WEFT_NAME_LEN);
	if (!spec)
		return;
	ck_assert_msg(spec->flags & WEFT_SPEC_F_USED, "service %u publishes spec %u, which is not used", id,
		      m->services[id].spec);
	ck_assert_uint_eq(spec->service, id);
	ck_assert_uint_le(spec->nr_levels, WEFT_LEVELS);
	for (uint32_t i = 0; i < WEFT_LEVELS; i++)
		expect_level(m, spec, i);
}

static int expect_frontend(void *ctx, const struct weft_frontend_key *key, const struct weft_frontend *value)
{
	const struct maps *m = ctx;

	ck_assert_uint_ne(value->service, 0);
	ck_assert_uint_lt(value->service, m->capacity[PLANE_MAP_SERVICES]);
	ck_assert_msg(m->services[value->service].spec, "an address leads to service %u, which publishes nothing",
		      value->service);
	return 0;
}

/* Extents of all specs in use: no slot is in two. */
static void expect_extents_apart(const struct maps *m)
{
	_cleanup_(freep) uint8_t *taken = calloc(m->capacity[PLANE_MAP_SLOTS], 1);

	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_SPECS]; id++) {
		const struct weft_spec *s = &m->specs[id];

		if (!(s->flags & WEFT_SPEC_F_USED))
			continue;
		for (uint32_t i = 0; i < spec_slots(s); i++)
			ck_assert_msg(!taken[s->level[0].slot_base + i]++, "slot %u is in two extents",
				      s->level[0].slot_base + i);
	}
}

static int backend_compare(const void *a, const void *b)
{
	const struct weft_backend *x = a, *y = b;
	int r = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	if (r)
		return r;
	if (x->port_be != y->port_be)
		return x->port_be < y->port_be ? -1 : 1;
	return (x->service > y->service) - (x->service < y->service);
}

/* An endpoint of a service has one id, whether it drains or not. */
static void expect_backends_unique(const struct maps *m)
{
	_cleanup_(freep) struct weft_backend *all = calloc(m->capacity[PLANE_MAP_BACKENDS], sizeof(*all));
	size_t nr = 0;

	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_BACKENDS]; id++) {
		if (!(m->backends[id].flags & WEFT_BACKEND_F_USED))
			continue;
		ck_assert_uint_ne(m->backends[id].service, 0);
		ck_assert_uint_lt(m->backends[id].service, m->capacity[PLANE_MAP_SERVICES]);
		all[nr++] = m->backends[id];
	}
	qsort(all, nr, sizeof(*all), backend_compare);
	for (size_t i = 1; i < nr; i++)
		ck_assert_msg(backend_compare(&all[i - 1], &all[i]), "an endpoint of service %u is there twice",
			      all[i].service);
}

/* Right only when no program, and no other agent, is just changing .out. */
void expect_counters(const struct maps *m)
{
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_SERVICES]; id++) {
		struct tally t = { .ejected = 0 };

		if (!(m->services[id].flags & WEFT_SERVICE_F_USED))
			continue;
		for (uint32_t b = 1; b < m->capacity[PLANE_MAP_BACKENDS]; b++)
			if (m->backends[b].flags & WEFT_BACKEND_F_USED && m->backends[b].service == id)
				tally_add(m, b, &t);
		ck_assert_msg(m->sstate[id].ejected == t.ejected, "service %u: %u ejected, counted as %u", id,
			      t.ejected, m->sstate[id].ejected);
		for (uint32_t i = 0; i < WEFT_LEVELS; i++)
			ck_assert_msg(m->sstate[id].unavailable[i] == t.unavailable[i],
				      "service %u, level %u: %u unavailable, counted as %u", id, i, t.unavailable[i],
				      m->sstate[id].unavailable[i]);
	}
}

void expect_sound(const struct maps *m)
{
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_SERVICES]; id++) {
		if (!(m->services[id].flags & WEFT_SERVICE_F_USED))
			continue;
		ck_assert_uint_eq(service_id(m, m->services[id].name), id);
		expect_service(m, id);
	}
	ck_assert_int_eq(maps_each_frontend(m, expect_frontend, (void *)m), 0);
	expect_extents_apart(m);
	expect_backends_unique(m);
}

/* Slots lead to endpoints of their own level. Not so between the flip and the stores after it. */
static void expect_levels(const struct maps *m, const struct weft_spec *spec)
{
	for (uint32_t i = 0; i < spec->nr_levels; i++) {
		const struct weft_level *l = &spec->level[i];

		for (uint32_t k = 0; k < l->nr_slots + l->table_size; k++)
			ck_assert_msg(m->backends[m->slots[l->slot_base + k]].level == i,
				      "slot %u of level %u of service %u leads to an endpoint of level %u", k, i,
				      spec->service, m->backends[m->slots[l->slot_base + k]].level);
	}
}

static void expect_endpoints(const struct maps *m, uint32_t id, const struct service *want)
{
	size_t nr = 0, nr_weighted = 0;

	for (size_t i = 0; i < want->nr_endpoints; i++)
		nr_weighted += want->endpoints[i].weight > 0;
	for (uint32_t b = 1; b < m->capacity[PLANE_MAP_BACKENDS]; b++) {
		const struct weft_backend *is = &m->backends[b];
		const struct endpoint *e = NULL;

		if (!(is->flags & WEFT_BACKEND_F_USED) || is->service != id)
			continue;
		nr++;
		for (size_t i = 0; i < want->nr_endpoints && !e; i++)
			if (weft_addr_equal(&want->endpoints[i].addr, &is->addr) &&
			    want->endpoints[i].port == ntohs(is->port_be))
				e = &want->endpoints[i];
		ck_assert_msg(e, "backend %u of '%s' is not wanted", b, want->name);
		ck_assert_uint_eq(is->weight, e->weight);
		ck_assert_int_eq((m->bstate[b].out & WEFT_OUT_UNREADY) != 0, e->unready);
		ck_assert_uint_eq(is->flags, WEFT_BACKEND_F_USED | (e->weight ? WEFT_BACKEND_F_READY : 0));
	}
	ck_assert_uint_eq(nr, want->nr_endpoints);
	ck_assert_uint_eq(maps_spec(m, id)->nr_backends, nr_weighted);
	ck_assert_int_eq(spec_slots(maps_spec(m, id)) > 0, nr_weighted > 0);
	ck_assert_uint_eq(maps_spec(m, id)->lb, want->lb);
}

static void expect_usage(const struct maps *m, enum plane_map id, uint64_t n)
{
	struct map_usage u;

	ck_assert_int_eq(maps_usage(m, id, &u), 0);
	ck_assert_msg(u.entries == n, "%s has %llu entries, not %llu", plane_map_name(id),
		      (unsigned long long)u.entries, (unsigned long long)n);
}

void expect_exactly(const struct maps *m, const struct model *want)
{
	size_t nr_frontends = 0;

	expect_sound(m);
	expect_counters(m);
	for (size_t i = 0; i < want->nr; i++) {
		const struct service *s = want->services[i];
		uint32_t id = service_id(m, s->name);

		ck_assert_msg(id, "service '%s' is not there", s->name);
		ck_assert_ptr_nonnull(maps_spec(m, id));
		expect_endpoints(m, id, s);
		expect_levels(m, maps_spec(m, id));
		for (size_t k = 0; k < s->nr_frontends; k++)
			ck_assert_int_eq(maps_find_frontend(m, &s->frontends[k].addr, s->frontends[k].port, s->proto),
					 (int)id);
		nr_frontends += s->nr_frontends;
	}
	expect_usage(m, PLANE_MAP_FRONTENDS, nr_frontends);
	expect_usage(m, PLANE_MAP_SERVICES, want->nr);
	expect_usage(m, PLANE_MAP_SPECS, want->nr);
	expect_usage(m, PLANE_MAP_BACKENDS, model_count_endpoints(want));
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_SERVICES]; id++)
		ck_assert(m->services[id].flags & WEFT_SERVICE_F_USED || !m->services[id].spec);
}

void reclaim_all(struct plane *p)
{
	for (int i = 0; i < 10 && plane_reclaim(p); i++)
		;
	ck_assert_uint_eq(plane_reclaim(p), 0);
}

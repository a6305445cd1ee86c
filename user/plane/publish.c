/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The stores that readers see, in the order that keeps every moment true: new endpoints READY, then spec and slots,
 * then the store to .spec, then endpoints that left lose READY. A program that read the old spec just before the flip
 * and finds nobody of it READY reads .spec again (bpf/lib/service.h). The endpoints of a service that is withdrawn stay
 * READY for a grace period: there is no other spec, and its address may have gone to another service a moment ago.
 *
 * Every order of stores here is also what an agent that dies between two of them leaves to plane_adopt(): a record is
 * written in full before the store of its USED flag.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "plane/state.h"
#include "weft/outlier.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t deadline(uint32_t drain_ms)
{
	return drain_ms ? now_ns() + drain_ms * 1000000ull : 0;
}

/* How endpoints come in: of one service, at one moment. */
struct entry {
	uint32_t service;
	bool checked;	/* it has a health check, which a new endpoint has to pass first */
	uint64_t since; /* slow start of what comes now; 0: none, since the service itself is new */
	uint64_t until; /* when connections of what is not ready are closed; 0: never */
};

static void write_backend(struct plane *p, uint32_t id, const struct entry *in, const struct endpoint *e, uint8_t level)
{
	struct weft_backend *b = &p->m->backends[id];
	struct weft_bstate *state = &p->m->bstate[id];

	store32(&b->gen, b->gen + 1);
	memset(state, 0, sizeof(*state));
	state->since_ns = in->since;
	state->out = (e->unready ? WEFT_OUT_UNREADY : 0u) | (in->checked ? WEFT_OUT_UNHEALTHY : 0u);
	b->addr = e->addr;
	b->port_be = htons(e->port);
	b->weight = e->weight;
	b->level = level;
	b->zone = lb_in_zone(e, p->zone);
	b->service = in->service;
	store16(&b->flags, WEFT_BACKEND_F_USED | (e->weight ? WEFT_BACKEND_F_READY : 0));
}

/* Those that came back drain no more. */
static void forget_revived(struct plane *p, struct holding *h)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->nr_draining; i++)
		if (p->m->backends[h->draining[i].id].flags & WEFT_BACKEND_F_DRAINING)
			h->draining[kept++] = h->draining[i];
	p->nr_draining -= h->nr_draining - kept;
	h->nr_draining = kept;
}

/* What its source and the configuration say of an endpoint that was there before; the rest of .out stays as it is. */
static void update_out(struct plane *p, uint32_t id, const struct entry *in, const struct endpoint *e)
{
	struct weft_bstate *state = &p->m->bstate[id];
	uint32_t *unavailable = maps_unavailable(p->m, id);
	uint32_t clear = (e->unready ? 0u : WEFT_OUT_UNREADY) | (in->checked ? 0u : WEFT_OUT_UNHEALTHY);
	uint32_t out = __atomic_load_n(&state->out, __ATOMIC_RELAXED);

	if (e->unready && !(out & WEFT_OUT_UNREADY)) {
		if (in->until && (!state->drain_ns || state->drain_ns > in->until))
			__atomic_store_n(&state->drain_ns, in->until, __ATOMIC_RELEASE);
		weft_out_set(state, unavailable, WEFT_OUT_UNREADY);
	}
	if (!(out & clear))
		return;
	if (out & clear & WEFT_OUT_UNREADY && !(out & WEFT_OUT_DRAINED))
		__atomic_store_n(&state->drain_ns, 0, __ATOMIC_RELEASE);
	if (!(out & ~clear))
		state->since_ns = in->since;
	weft_out_clear(state, unavailable, clear);
}

/* An endpoint that keeps its id. A weight that falls to 0 keeps its READY until after the flip. */
static void update_backend(struct plane *p, uint32_t id, const struct entry *in, const struct endpoint *e)
{
	struct weft_backend *b = &p->m->backends[id];
	struct weft_bstate *state = &p->m->bstate[id];
	uint16_t flags = b->flags & (uint16_t)~WEFT_BACKEND_F_DRAINING;

	if (e->weight)
		flags |= WEFT_BACKEND_F_READY;
	if (flags & ~b->flags & WEFT_BACKEND_F_READY)
		state->since_ns = in->since;
	if (b->flags & WEFT_BACKEND_F_DRAINING && !(state->out & WEFT_OUT_DRAINED)) /* else it is the operator's */
		__atomic_store_n(&state->drain_ns, 0, __ATOMIC_RELAXED);
	if (b->weight != e->weight)
		b->weight = e->weight;
	b->zone = lb_in_zone(e, p->zone);
	if (b->flags != flags)
		store16(&b->flags, flags);
	update_out(p, id, in, e);
}

static bool is_changed(const struct plane *p, uint32_t id, const struct endpoint *e)
{
	return p->m->backends[id].weight != e->weight || !(p->m->bstate[id].out & WEFT_OUT_UNREADY) != !e->unready;
}

/* Endpoints as they must be before the flip. */
static void write_backends(struct plane *p, struct draft *d, struct plane_change *change)
{
	const struct entry in = { .service = d->service,
				  .checked = d->want->check.type != HEALTH_NONE,
				  .since = p->held[d->service].state == HOLDING_LIVE ? now_ns() : 0,
				  .until = deadline(d->want->drain_ms) };

	for (size_t i = 0; i < d->want->nr_endpoints; i++) {
		const struct endpoint *e = &d->want->endpoints[i];
		uint32_t id = d->backends[i] & DRAFT_ID;

		if (d->backends[i] & DRAFT_REVIVED && in.checked) /* what was known of it is old */
			weft_out_set(&p->m->bstate[id], maps_unavailable(p->m, id), WEFT_OUT_UNHEALTHY);
		if (d->backends[i] & DRAFT_NEW) {
			write_backend(p, id, &in, e, p->scratch.level[i]);
		} else {
			change->endpoints_changed += !(d->backends[i] & DRAFT_REVIVED) && is_changed(p, id, e);
			update_backend(p, id, &in, e);
		}
		d->backends[i] = id;
	}
	if (d->nr_revived)
		forget_revived(p, &p->held[d->service]);
	change->endpoints_added += d->nr_new + d->nr_revived;
	change->endpoints_removed += d->nr_removed;
}

/* After the flip: endpoints go to the levels that the new spec has them in, and so does what is counted of them. */
static void move_levels(struct plane *p, const struct draft *d)
{
	struct weft_sstate *s = &p->m->sstate[d->service];

	for (size_t i = 0; i < d->want->nr_endpoints; i++) {
		struct weft_backend *b = &p->m->backends[d->backends[i]];
		uint8_t was = b->level, level = p->scratch.level[i];
		bool out;

		if (was == level || !d->want->endpoints[i].weight)
			continue;
		out = __atomic_load_n(&p->m->bstate[d->backends[i]].out, __ATOMIC_RELAXED) != 0;
		if (out)
			__atomic_fetch_add(&s->unavailable[level], 1, __ATOMIC_RELAXED);
		__atomic_store_n(&b->level, level, __ATOMIC_RELEASE);
		if (out && was < WEFT_LEVELS)
			__atomic_fetch_sub(&s->unavailable[was], 1, __ATOMIC_RELAXED);
	}
}

static void write_spec(struct plane *p, const struct draft *d, uint32_t serial)
{
	struct weft_spec *spec = &p->m->specs[d->spec];
	struct weft_spec made = spec_make(p, d->service, d->want, &d->shape, d->slot_base, serial);
	uint8_t flags = MOVE(made.flags, 0);

	*spec = made;
	__atomic_store_n(&spec->flags, flags, __ATOMIC_RELEASE);
}

/* A breaker that is switched off is closed when it is switched on again. */
static void reset_breaker(struct plane *p, const struct draft *d)
{
	struct weft_breaker *b = &p->m->sstate[d->service].breaker;

	if (d->want->breaker.percent || !b->word)
		return;
	__atomic_store_n(&b->word, 0, __ATOMIC_RELAXED);
	for (int i = 0; i < WEFT_BREAKER_BUCKETS; i++)
		__atomic_store_n(&b->bucket[i], 0, __ATOMIC_RELAXED);
}

/* A service that is not LIVE yet: an id that was free, or one whose endpoints were draining. */
static void write_service(struct plane *p, uint32_t id, const struct service *want)
{
	struct weft_service *s = &p->m->services[id];
	size_t len = strnlen(want->name, WEFT_NAME_LEN - 1);

	if (p->held[id].state == HOLDING_FREE) {
		memset(&p->m->sstate[id], 0, sizeof(p->m->sstate[id]));
		memset(s->name, 0, sizeof(s->name));
		memcpy(s->name, want->name, len);
		store32(&s->flags, 0);
	}
	/* The operator may change the others meanwhile. */
	__atomic_fetch_or(&s->flags, WEFT_SERVICE_F_USED, __ATOMIC_RELEASE);
}

static void rest_spec(struct plane *p, uint32_t id)
{
	const struct weft_spec *spec = &p->m->specs[id];

	if (!id)
		return;
	arena_rest(&p->arena, spec_extent(spec).base, spec_extent(spec).nr);
	ids_rest(&p->specs, id);
	p->resting = true;
}

/* @until: when its connections are closed; 0: never. */
static void drain(struct plane *p, uint32_t service, uint32_t id, bool stay_ready, uint64_t until)
{
	struct holding *h = &p->held[service];
	struct weft_backend *b = &p->m->backends[id];
	uint16_t flags = b->flags | WEFT_BACKEND_F_DRAINING;

	/* First, so that nobody sees it leave without its deadline. An earlier one of the operator's stays. */
	if (until && (!p->m->bstate[id].drain_ns || p->m->bstate[id].drain_ns > until))
		__atomic_store_n(&p->m->bstate[id].drain_ns, until, __ATOMIC_RELAXED);
	store16(&b->flags, stay_ready ? flags : flags & (uint16_t)~WEFT_BACKEND_F_READY);
	h->draining[h->nr_draining++] = (struct drain){ .id = id, .since = p->graces };
	p->nr_draining++;
	unsettle(p, service);
}

void publish(struct plane *p, struct draft *d, struct plane_change *change)
{
	struct holding *h = &p->held[d->service];
	struct weft_service *s = &p->m->services[d->service];
	uint32_t old = s->spec;
	bool live = h->state == HOLDING_LIVE;

	if (!live)
		write_service(p, d->service, d->want);
	write_backends(p, d, change);
	write_spec(p, d, s->serial + 1);
	s->serial++;
	store32(&s->spec, d->spec);

	move_levels(p, d);
	reset_breaker(p, d);

	if (live && old) {
		p->nr_slots -= spec_slots(&p->m->specs[old]);
		rest_spec(p, old);
	}
	for (uint32_t i = 0; i < d->nr_removed; i++)
		drain(p, d->service, d->removed[i], false, deadline(d->want->drain_ms));
	for (size_t i = 0; i < d->want->nr_endpoints; i++)
		if (!d->want->endpoints[i].weight)
			clear_ready(p, d->backends[i]);
	p->nr_slots += d->shape.total;
	p->nr_endpoints += d->want->nr_endpoints - h->nr;
	free(h->backends);
	free(MOVE(d->removed, NULL));
	h->backends = MOVE(d->backends, NULL);
	h->nr = (uint32_t)d->want->nr_endpoints;
	h->state = HOLDING_LIVE;
	service_unref(h->applied);
	h->applied = service_ref(d->want);
	recount(p, d->service);
	unsettle(p, d->service); /* to be counted again when no program is between .out and its counter */
}

/* After its addresses are gone from weft_frontends. What it had published stays until nobody can be reading it. */
void withdraw(struct plane *p, uint32_t service, struct plane_change *change)
{
	struct holding *h = &p->held[service];
	struct weft_service *s = &p->m->services[service];
	const struct weft_spec *spec = maps_spec(p->m, service);
	uint64_t until = deadline(spec ? spec->drain_ms : 0);

	__atomic_fetch_and(&s->flags, ~WEFT_SERVICE_F_USED, __ATOMIC_RELEASE);
	if (s->spec)
		p->nr_slots -= spec_slots(&p->m->specs[s->spec]);
	rest_spec(p, s->spec);
	for (uint32_t i = 0; i < h->nr; i++)
		drain(p, service, h->backends[i], true, until);
	change->endpoints_removed += h->nr;
	p->nr_endpoints -= h->nr;
	free(MOVE(h->backends, NULL));
	h->nr = 0;
	service_unref(MOVE(h->applied, NULL));
	h->state = HOLDING_LEAVING;
	p->departing = true;
	unsettle(p, service);
}

static bool same_endpoints(const struct plane *p, const struct holding *h, const struct service *want)
{
	if (h->nr != want->nr_endpoints)
		return false;
	for (uint32_t i = 0; i < h->nr; i++) {
		const struct weft_backend *b = &p->m->backends[h->backends[i]];
		const struct endpoint *e = &want->endpoints[i];
		uint32_t flags = WEFT_BACKEND_F_USED | (e->weight ? WEFT_BACKEND_F_READY : 0);
		uint32_t out = p->m->bstate[h->backends[i]].out;

		if (b->weight != e->weight || ntohs(b->port_be) != e->port || b->flags != flags ||
		    !weft_addr_equal(&b->addr, &e->addr) || b->zone != lb_in_zone(e, p->zone))
			return false;
		if (e->weight && b->level != p->scratch.level[i])
			return false;
		if (!(out & WEFT_OUT_UNREADY) != !e->unready ||
		    (out & WEFT_OUT_UNHEALTHY && want->check.type == HEALTH_NONE))
			return false;
	}
	return true;
}

/*
 * Is @want what is published? Asked once for each service after an adoption, so that a restart of the agent republishes
 * nothing. The slots are compared too: the agent before may have died between the store of a weight and the flip.
 */
bool publish_is_same(struct plane *p, uint32_t service, const struct service *want)
{
	_cleanup_(freep) uint32_t *slots = NULL;
	const struct weft_spec *spec = maps_spec(p->m, service);
	const struct holding *h = &p->held[service];
	struct weft_spec made;
	struct shape shape;
	uint32_t base, at = 0;

	if (!spec || shape_make(p, want, &shape) || !same_endpoints(p, h, want))
		return false;
	base = spec->level[0].slot_base;
	made = spec_make(p, service, want, &shape, base, spec->serial);
	if (memcmp(&made, spec, sizeof(made)))
		return false;
	slots = calloc((size_t)shape.total + 1, sizeof(*slots));
	if (!slots || shape_fill(p, want, &shape, false, slots))
		return false;
	for (unsigned k = 0; k < shape.levels.nr; k++) {
		for (uint32_t i = 0; i < shape.nr_slots[k]; i++)
			if (p->m->slots[base + at + i] != h->backends[slots[at + i]])
				return false;
		at += shape.nr_slots[k] + shape.table_size[k];
	}
	return true;
}

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

#include "base/cleanup.h"
#include "plane/state.h"

static void write_backend(struct plane *p, uint32_t id, uint32_t service, const struct endpoint *e)
{
	struct weft_backend *b = &p->m->backends[id];

	store32(&b->gen, b->gen + 1);
	memset(&p->m->bstate[id], 0, sizeof(p->m->bstate[id]));
	b->addr = e->addr;
	b->port_be = htons(e->port);
	b->weight = e->weight;
	b->service = service;
	b->level = 0;
	b->zone = 0;
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

/* An endpoint that keeps its id. A weight that falls to 0 keeps its READY until after the flip. */
static void update_backend(struct plane *p, uint32_t id, const struct endpoint *e)
{
	struct weft_backend *b = &p->m->backends[id];
	uint16_t flags = b->flags & (uint16_t)~WEFT_BACKEND_F_DRAINING;

	if (e->weight)
		flags |= WEFT_BACKEND_F_READY;
	if (b->weight != e->weight)
		b->weight = e->weight;
	if (b->flags != flags)
		store16(&b->flags, flags);
}

/* Endpoints as they must be before the flip. */
static void write_backends(struct plane *p, struct draft *d, struct plane_change *change)
{
	for (size_t i = 0; i < d->want->nr_endpoints; i++) {
		const struct endpoint *e = &d->want->endpoints[i];
		uint32_t id = d->backends[i] & DRAFT_ID;

		if (d->backends[i] & DRAFT_NEW) {
			write_backend(p, id, d->service, e);
		} else {
			change->endpoints_changed += !(d->backends[i] & DRAFT_REVIVED) &&
						     p->m->backends[id].weight != e->weight;
			update_backend(p, id, e);
		}
		d->backends[i] = id;
	}
	if (d->nr_revived)
		forget_revived(p, &p->held[d->service]);
	change->endpoints_added += d->nr_new + d->nr_revived;
	change->endpoints_removed += d->nr_removed;
}

static uint32_t average_weight(const struct service *s)
{
	uint64_t sum = 0, n = 0;

	for (size_t i = 0; i < s->nr_endpoints; i++) {
		sum += s->endpoints[i].weight;
		n += s->endpoints[i].weight > 0;
	}
	sum = n ? (sum + n / 2) / n : 1;
	return sum ? (uint32_t)sum : 1;
}

static void write_spec(struct plane *p, const struct draft *d, uint32_t serial)
{
	struct weft_spec *spec = &p->m->specs[d->spec];

	*spec = (struct weft_spec){
		.service = d->service,
		.lb = d->want->lb,
		.hash_by = d->want->hash_by,
		.affinity = d->want->affinity,
		.affinity_ms = d->want->affinity_ms,
		.nr_backends = (uint32_t)d->want->nr_endpoints,
		.nr_levels = 1,
		.serial = serial,
		.level[0] = {
			.slot_base = d->slot_base,
			.nr_slots = d->nr_slots,
			.table_base = d->table_size ? d->slot_base + d->nr_slots : 0,
			.table_size = d->table_size,
			.avg_weight = average_weight(d->want),
			.nr_backends = (uint32_t)d->want->nr_endpoints,
			.cap = 10000,
		},
	};
	__atomic_store_n(&spec->flags, WEFT_SPEC_F_USED, __ATOMIC_RELEASE);
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
	}
	store32(&s->flags, WEFT_SERVICE_F_USED);
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

static void drain(struct plane *p, uint32_t service, uint32_t id, bool stay_ready)
{
	struct holding *h = &p->held[service];
	struct weft_backend *b = &p->m->backends[id];
	uint16_t flags = b->flags | WEFT_BACKEND_F_DRAINING;

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

	if (live && old) {
		p->nr_slots -= spec_slots(&p->m->specs[old]);
		rest_spec(p, old);
	}
	for (uint32_t i = 0; i < d->nr_removed; i++)
		drain(p, d->service, d->removed[i], false);
	for (size_t i = 0; i < d->want->nr_endpoints; i++)
		if (!d->want->endpoints[i].weight)
			clear_ready(p, d->backends[i]);
	p->nr_slots += d->nr_slots + d->table_size;
	p->nr_endpoints += d->want->nr_endpoints - h->nr;
	free(h->backends);
	free(MOVE(d->removed, NULL));
	h->backends = MOVE(d->backends, NULL);
	h->nr = (uint32_t)d->want->nr_endpoints;
	h->state = HOLDING_LIVE;
	service_unref(h->applied);
	h->applied = service_ref(d->want);
}

/* After its addresses are gone from weft_frontends. What it had published stays until nobody can be reading it. */
void withdraw(struct plane *p, uint32_t service, struct plane_change *change)
{
	struct holding *h = &p->held[service];
	struct weft_service *s = &p->m->services[service];

	store32(&s->flags, s->flags & ~WEFT_SERVICE_F_USED);
	if (s->spec)
		p->nr_slots -= spec_slots(&p->m->specs[s->spec]);
	rest_spec(p, s->spec);
	for (uint32_t i = 0; i < h->nr; i++)
		drain(p, service, h->backends[i], true);
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

		if (b->weight != e->weight || ntohs(b->port_be) != e->port || b->flags != flags ||
		    !weft_addr_equal(&b->addr, &e->addr))
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
	uint32_t nr_slots, table_size;

	if (!spec || !same_endpoints(p, h, want) || draft_slots(p, want, &nr_slots, &table_size))
		return false;
	if (spec->lb != want->lb || spec->hash_by != want->hash_by || spec->affinity != want->affinity ||
	    spec->affinity_ms != want->affinity_ms || spec->nr_backends != want->nr_endpoints ||
	    spec->level[0].nr_slots != nr_slots || spec->level[0].table_size != table_size)
		return false;
	slots = calloc((size_t)nr_slots + 1, sizeof(*slots));
	if (!slots || draft_fill_slots(p, want, slots, nr_slots))
		return false;
	for (uint32_t i = 0; i < nr_slots; i++)
		if (p->m->slots[spec->level[0].slot_base + i] != h->backends[slots[i]])
			return false;
	return true;
}

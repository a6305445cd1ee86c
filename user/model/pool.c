/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/pool.h"
#include "weft/lb.h"

#define DRAWS 64 /* places that a name would like, before it takes the next free one */

/* Who has what. */
struct lease {
	char *name;
	struct weft_addr addr;
	bool known;		 /* addr is set */
	struct service *lacking; /* references: without the address, and with it */
	struct service *filled;	 /* NULL: to be made */
};

struct leases {
	struct lease *at; /* sorted by name */
	size_t nr;
};

struct pool {
	struct prefix *prefixes;
	size_t nr;
	struct leases leases;
};

/* Addresses that are taken: open addressing, half full at most. */
struct taken {
	struct weft_addr *at; /* all zero: free */
	size_t mask;
};

static void taken_done(struct taken *t)
{
	free(t->at);
}

static void leases_done(struct leases *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		free(l->at[i].name);
		service_unref(l->at[i].lacking);
		service_unref(l->at[i].filled);
	}
	free(l->at);
	*l = (struct leases){ 0 };
}

/* ---- hashes ---- */

static uint64_t hash_name(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ull;
	return h;
}

static uint64_t hash_addr(const struct weft_addr *a)
{
	uint64_t half[2];

	memcpy(half, a, sizeof(half));
	return weft_hash_mix(half[0] ^ weft_hash_mix(half[1]));
}

static struct weft_addr *slot_of(const struct taken *t, const struct weft_addr *a)
{
	size_t i = hash_addr(a) & t->mask;

	while (!weft_addr_is_any(&t->at[i]) && !weft_addr_equal(&t->at[i], a))
		i = (i + 1) & t->mask;
	return &t->at[i];
}

static bool is_taken(const struct taken *t, const struct weft_addr *a)
{
	return !weft_addr_is_any(slot_of(t, a));
}

static bool is_in(const struct pool *p, const struct weft_addr *a)
{
	for (size_t i = 0; i < p->nr; i++)
		if (prefix_has(&p->prefixes[i], a))
			return true;
	return false;
}

/* What services have of their own; room for as many again as lack one. */
static int taken_init(const struct pool *p, const struct model *m, struct taken *ret)
{
	size_t nr = 0, slots = 64;

	for (size_t i = 0; i < m->nr; i++)
		nr += m->services[i]->nr_frontends + 1;
	while (slots < nr * 2)
		slots *= 2;
	ret->at = calloc(slots, sizeof(*ret->at));
	if (!ret->at)
		return -ENOMEM;
	ret->mask = slots - 1;
	for (size_t i = 0; i < m->nr; i++) {
		const struct service *s = m->services[i];

		for (size_t k = 0; !service_lacks_address(s) && k < s->nr_frontends; k++)
			if (is_in(p, &s->frontends[k].addr))
				*slot_of(ret, &s->frontends[k].addr) = s->frontends[k].addr;
	}
	return 0;
}

/* ---- drawing ---- */

/* How many addresses of @p can be given away, and how many at its beginning cannot. 64 bits of a network are enough. */
static uint64_t usable(const struct prefix *p, uint64_t *ret_first)
{
	bool v4 = weft_addr_is_v4(&p->addr);
	unsigned host = (v4 ? 32u : 128u) - p->bits;
	uint64_t all = host >= 64 ? UINT64_MAX : 1ull << host;

	*ret_first = host > 1 ? 1 : 0; /* of two or one all are hosts (RFC 3021) */
	return host > 1 ? all - (v4 ? 2 : 1) : all;
}

static struct weft_addr nth(const struct prefix *p, uint64_t n)
{
	struct weft_addr a = p->addr;

	for (int i = 15; i >= 8; i--, n >>= 8)
		a.byte[i] |= (uint8_t)n;
	return a;
}

/* A name has its own row of places, so that of two that meet only one has to move, and not its neighbours as well. */
static int draw(const struct prefix *p, const struct taken *t, size_t nr_taken, const char *name, struct weft_addr *ret)
{
	uint64_t first, nr = usable(p, &first), h = hash_name(name), n = 0;

	for (uint64_t i = 0; i < DRAWS; i++) {
		n = weft_hash_mix(h + i * 0x9e3779b97f4a7c15ull) % nr;
		*ret = nth(p, first + n);
		if (!is_taken(t, ret))
			return 0;
	}
	for (uint64_t i = 0; i < nr && i <= nr_taken; i++) {
		*ret = nth(p, first + (n + i) % nr);
		if (!is_taken(t, ret))
			return 0;
	}
	return -ENOSPC;
}

/* Of the family of the endpoints; without any, whichever comes first. -ENOSPC, -EAFNOSUPPORT. */
static int assign(const struct pool *p, struct taken *t, size_t *nr_taken, struct lease *l)
{
	const struct service *s = l->lacking;
	int r = -EAFNOSUPPORT;

	for (size_t i = 0; r && i < p->nr; i++) {
		const struct prefix *prefix = &p->prefixes[i];

		if (s->nr_endpoints && weft_addr_is_v4(&s->endpoints[0].addr) != weft_addr_is_v4(&prefix->addr))
			continue;
		r = draw(prefix, t, *nr_taken, l->name, &l->addr);
	}
	if (r)
		return r;
	l->known = true;
	++*nr_taken;
	*slot_of(t, &l->addr) = l->addr;
	return 0;
}

/* ---- filling ---- */

static struct service *fill(const struct service *s, const struct weft_addr *addr)
{
	_cleanup_(service_unrefp) struct service *c = service_clone(s);

	if (!c)
		return NULL;
	for (size_t i = 0; i < c->nr_frontends; i++)
		c->frontends[i].addr = *addr;
	for (size_t i = 0; i < s->nr_endpoints; i++)
		if (service_add_endpoint(c, &s->endpoints[i]))
			return NULL;
	return MOVE(c, NULL);
}

/* Could it have been drawn? */
static bool gives(const struct pool *p, const struct weft_addr *a)
{
	for (size_t i = 0; i < p->nr; i++) {
		const struct prefix *x = &p->prefixes[i];
		uint64_t first, nr = usable(x, &first);
		struct weft_addr last = nth(x, nr + 1);

		if (prefix_has(x, a))
			return !first ||
			       (!weft_addr_equal(a, &x->addr) && !(weft_addr_is_v4(a) && weft_addr_equal(a, &last)));
	}
	return false;
}

/* Does @l's address still fit @s? */
static bool fits(const struct pool *p, const struct taken *t, const struct lease *l, const struct service *s)
{
	if (!l->known || !gives(p, &l->addr) || is_taken(t, &l->addr))
		return false;
	return !s->nr_endpoints || weft_addr_is_v4(&s->endpoints[0].addr) == weft_addr_is_v4(&l->addr);
}

/* Those that lack an address, with what they had before as far as that is possible. Both lists are sorted by name. */
static int list(const struct pool *p, const struct model *m, struct taken *t, size_t *nr_taken, struct leases *ret)
{
	size_t k = 0;

	ret->at = calloc(m->nr + 1, sizeof(*ret->at));
	if (!ret->at)
		return -ENOMEM;
	for (size_t i = 0; i < m->nr; i++) {
		struct service *s = m->services[i];
		const struct lease *old;
		struct lease *l;

		if (!service_lacks_address(s))
			continue;
		l = &ret->at[ret->nr++];
		l->lacking = service_ref(s);
		l->name = strdup(s->name);
		if (!l->name)
			return -ENOMEM;
		while (k < p->leases.nr && strcmp(p->leases.at[k].name, s->name) < 0)
			k++;
		old = k < p->leases.nr && !strcmp(p->leases.at[k].name, s->name) ? &p->leases.at[k] : NULL;
		if (!old || !fits(p, t, old, s))
			continue;
		l->addr = old->addr;
		l->known = true;
		l->filled = old->lacking == s && old->filled ? service_ref(old->filled) : NULL;
		*slot_of(t, &l->addr) = l->addr;
		++*nr_taken;
	}
	return 0;
}

static int build(const struct model *m, const struct leases *l, struct model **ret)
{
	_cleanup_(model_freep) struct model *out = model_new();
	size_t k = 0;
	int r = out ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < m->nr; i++) {
		struct service *s = m->services[i];

		if (k < l->nr && l->at[k].lacking == s)
			s = l->at[k++].filled;
		r = model_add(out, s);
	}
	if (!r)
		*ret = MOVE(out, NULL);
	return r;
}

int pool_fill(struct pool *p, const struct model *m, struct model **ret, const struct service **ret_service)
{
	_cleanup_(taken_done) struct taken t = { 0 };
	_cleanup_(leases_done) struct leases l = { 0 };
	size_t nr_taken = 0;
	int r;

	r = taken_init(p, m, &t);
	for (size_t i = 0; !r && i <= t.mask; i++)
		nr_taken += !weft_addr_is_any(&t.at[i]);
	if (!r)
		r = list(p, m, &t, &nr_taken, &l);
	for (size_t i = 0; !r && i < l.nr; i++) {
		struct lease *at = &l.at[i];

		if (!at->known) {
			r = assign(p, &t, &nr_taken, at);
			*ret_service = at->lacking;
		}
		if (!r && !at->filled && !(at->filled = fill(at->lacking, &at->addr)))
			r = -ENOMEM;
	}
	if (!r)
		r = build(m, &l, ret);
	if (r)
		return r;
	leases_done(&p->leases);
	p->leases = MOVE(l, (struct leases){ 0 });
	return 0;
}

/* ---- the whole ---- */

int pool_new(struct pool **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	leases_done(&p->leases);
	free(p->prefixes);
	free(p);
}

bool pool_is_empty(const struct pool *p)
{
	return !p->nr;
}

int pool_set(struct pool *p, const struct prefix *prefixes, size_t nr)
{
	struct prefix *copy = calloc(nr + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (nr)
		memcpy(copy, prefixes, nr * sizeof(*copy));
	free(p->prefixes);
	p->prefixes = copy;
	p->nr = nr;
	return 0;
}

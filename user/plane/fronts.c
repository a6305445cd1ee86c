/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plane/fronts.h"
#include "weft/lb.h"

int fronts_init(struct fronts *f, uint32_t capacity)
{
	struct fronts fresh = { 0 };
	uint64_t size = 64;

	while (size < capacity)
		size *= 2;
	fresh.heads = calloc(size, sizeof(*fresh.heads));
	if (!fresh.heads)
		return -ENOMEM;
	fresh.mask = (uint32_t)(size - 1);
	*f = fresh;
	return 0;
}

void fronts_done(struct fronts *f)
{
	free(f->at);
	free(f->heads);
	memset(f, 0, sizeof(*f));
}

static uint32_t *bucket(const struct fronts *f, const struct weft_frontend_key *key)
{
	uint64_t c[2];

	memcpy(c, key->addr.byte, sizeof(c));
	return &f->heads[weft_hash_client(c[0], c[1], (uint32_t)key->port_be << 16 | key->proto << 8 | key->scope) &
			 f->mask];
}

static int grow(struct fronts *f)
{
	uint32_t want = f->capacity ? f->capacity * 2 : 64;
	struct front *more = reallocarray(f->at, want, sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->at = more;
	f->capacity = want;
	return 0;
}

static struct front *find(const struct fronts *f, const struct weft_frontend_key *key)
{
	for (uint32_t i = *bucket(f, key); i; i = f->at[i - 1].next)
		if (!memcmp(&f->at[i - 1].key, key, sizeof(*key)))
			return &f->at[i - 1];
	return NULL;
}

/* The entry of @key, made when it is not there; NULL: no memory. */
static struct front *entry(struct fronts *f, const struct weft_frontend_key *key)
{
	uint32_t *head = bucket(f, key), i;
	struct front *e = find(f, key);

	if (e)
		return e;
	if (f->free) {
		i = f->free;
		f->free = f->at[i - 1].next;
	} else {
		if (f->nr == f->capacity && grow(f))
			return NULL;
		i = ++f->nr;
	}
	f->at[i - 1] = (struct front){ .key = *key, .next = *head };
	*head = i;
	return &f->at[i - 1];
}

static void touch(struct fronts *f, struct front *e, uint32_t want)
{
	e->want = want;
	if (e->touched)
		return;
	e->touched = true;
	e->next_touched = f->touched;
	f->touched = (uint32_t)(e - f->at) + 1;
}

int fronts_note(struct fronts *f, const struct weft_frontend_key *key, uint32_t service)
{
	struct front *e = entry(f, key);

	if (!e)
		return -ENOMEM;
	f->nr_have += !e->have;
	e->have = service;
	return 0;
}

int fronts_want(struct fronts *f, const struct weft_frontend_key *key, uint32_t service)
{
	struct front *e = entry(f, key);

	if (!e)
		return -ENOMEM;
	touch(f, e, service);
	return 0;
}

void fronts_want_none(struct fronts *f)
{
	for (uint32_t i = 0; i < f->nr; i++)
		if (f->at[i].have)
			touch(f, &f->at[i], 0);
}

static void forget(struct fronts *f, struct front *e)
{
	uint32_t i = (uint32_t)(e - f->at) + 1, *link = bucket(f, &e->key);

	while (*link != i)
		link = &f->at[*link - 1].next;
	*link = e->next;
	e->next = f->free;
	f->free = i;
}

void fronts_settle(struct fronts *f)
{
	struct front *e, *next;

	for (e = fronts_first(f); e; e = next) {
		next = fronts_next(f, e);
		e->touched = false;
		e->want = 0;
		if (!e->have)
			forget(f, e);
	}
	f->touched = 0;
}

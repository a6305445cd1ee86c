/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plane/arena.h"

static int extents_reserve(struct extents *e, size_t nr)
{
	size_t want = e->capacity ? e->capacity * 2 : 16;
	struct extent *more;

	if (nr <= e->capacity)
		return 0;
	if (want < nr)
		want = nr;
	more = reallocarray(e->at, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->at = more;
	e->capacity = want;
	return 0;
}

int arena_init(struct arena *a, uint32_t size)
{
	struct arena fresh = { .size = size, .nr_free = size };

	if (extents_reserve(&fresh.free, 1))
		return -ENOMEM;
	fresh.free.at[0] = (struct extent){ 0, size };
	fresh.free.nr = 1;
	*a = fresh;
	return 0;
}

void arena_done(struct arena *a)
{
	free(a->free.at);
	free(a->resting.at);
	memset(a, 0, sizeof(*a));
}

static int extent_compare(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return (x->base > y->base) - (x->base < y->base);
}

int arena_adopt(struct arena *a, struct extent *used, size_t nr)
{
	struct extents gaps = { 0 };
	uint64_t end = 0, nr_free = 0;

	if (nr)
		qsort(used, nr, sizeof(*used), extent_compare);
	if (extents_reserve(&gaps, nr + 1))
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		if (used[i].base < end || (uint64_t)used[i].base + used[i].nr > a->size) {
			free(gaps.at);
			return used[i].base < end ? -EEXIST : -ERANGE;
		}
		if (used[i].base > end)
			gaps.at[gaps.nr++] = (struct extent){ (uint32_t)end, used[i].base - (uint32_t)end };
		end = (uint64_t)used[i].base + used[i].nr;
	}
	if (end < a->size)
		gaps.at[gaps.nr++] = (struct extent){ (uint32_t)end, a->size - (uint32_t)end };
	for (size_t i = 0; i < gaps.nr; i++)
		nr_free += gaps.at[i].nr;
	free(a->free.at);
	a->free = gaps;
	a->resting.nr = 0;
	a->nr_resting = 0;
	a->nr_free = nr_free;
	a->cursor = 0;
	return 0;
}

int arena_alloc(struct arena *a, uint32_t nr, uint32_t *ret_base)
{
	struct extent *e;

	if (!nr) {
		*ret_base = 0;
		return 0;
	}
	if (nr > a->nr_free)
		return -ENOSPC;
	for (size_t looked = 0; looked < a->free.nr; looked++, a->cursor++) {
		if (a->cursor >= a->free.nr)
			a->cursor = 0;
		e = &a->free.at[a->cursor];
		if (e->nr < nr)
			continue;
		*ret_base = e->base;
		e->base += nr;
		e->nr -= nr;
		a->nr_free -= nr;
		return 0;
	}
	return -ENOSPC;
}

void arena_free(struct arena *a, uint32_t base, uint32_t nr)
{
	struct extent *e = &a->free.at[a->cursor];

	if (!nr)
		return;
	e->base = base;
	e->nr += nr;
	a->nr_free += nr;
}

int arena_reserve(struct arena *a)
{
	return extents_reserve(&a->resting, a->resting.nr + 1);
}

void arena_rest(struct arena *a, uint32_t base, uint32_t nr)
{
	if (!nr)
		return;
	a->resting.at[a->resting.nr++] = (struct extent){ base, nr };
	a->nr_resting += nr;
}

/* Sorts, drops the empty, joins what touches. */
static void extents_join(struct extents *e)
{
	size_t kept = 0;

	if (e->nr)
		qsort(e->at, e->nr, sizeof(*e->at), extent_compare);
	for (size_t i = 0; i < e->nr; i++) {
		if (!e->at[i].nr)
			continue;
		if (kept && e->at[kept - 1].base + e->at[kept - 1].nr == e->at[i].base)
			e->at[kept - 1].nr += e->at[i].nr;
		else
			e->at[kept++] = e->at[i];
	}
	e->nr = kept;
}

int arena_wake(struct arena *a)
{
	if (!a->resting.nr)
		return 0;
	if (extents_reserve(&a->free, a->free.nr + a->resting.nr))
		return -ENOMEM;
	memcpy(a->free.at + a->free.nr, a->resting.at, a->resting.nr * sizeof(*a->resting.at));
	a->free.nr += a->resting.nr;
	a->resting.nr = 0;
	a->nr_free += a->nr_resting;
	a->nr_resting = 0;
	extents_join(&a->free);
	a->cursor = 0;
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "plane/ids.h"

static size_t words(const struct ids *ids)
{
	return ((size_t)ids->capacity + 63) / 64;
}

int ids_init(struct ids *ids, uint32_t capacity)
{
	struct ids i = { .capacity = capacity };

	i.taken = calloc(words(&i) + 1, sizeof(*i.taken));
	i.resting = calloc(words(&i) + 1, sizeof(*i.resting));
	if (!i.taken || !i.resting) {
		ids_done(&i);
		return -ENOMEM;
	}
	/* Index 0 is never used, in any array; neither is what lies behind the last one. */
	i.taken[0] = 1;
	if (capacity % 64)
		i.taken[capacity / 64] |= ~0ull << (capacity % 64);
	i.nr_free = capacity ? capacity - 1 : 0;
	*ids = i;
	return 0;
}

void ids_done(struct ids *ids)
{
	free(ids->taken);
	free(ids->resting);
	ids->taken = NULL;
	ids->resting = NULL;
}

uint32_t ids_alloc(struct ids *ids)
{
	uint32_t bit;

	if (!ids->nr_free)
		return 0;
	while (ids->taken[ids->hint] == ~0ull)
		ids->hint++;
	bit = (uint32_t)__builtin_ctzll(~ids->taken[ids->hint]);
	ids->taken[ids->hint] |= 1ull << bit;
	ids->nr_free--;
	return ids->hint * 64 + bit;
}

int ids_take(struct ids *ids, uint32_t id)
{
	if (!id || id >= ids->capacity)
		return -ERANGE;
	if (ids->taken[id / 64] >> (id % 64) & 1)
		return -EEXIST;
	ids->taken[id / 64] |= 1ull << (id % 64);
	ids->nr_free--;
	return 0;
}

void ids_free(struct ids *ids, uint32_t id)
{
	ids->taken[id / 64] &= ~(1ull << (id % 64));
	ids->nr_free++;
	if (id / 64 < ids->hint)
		ids->hint = id / 64;
}

void ids_rest(struct ids *ids, uint32_t id)
{
	ids->resting[id / 64] |= 1ull << (id % 64);
	ids->nr_resting++;
}

void ids_wake(struct ids *ids, void (*fn)(void *ctx, uint32_t id), void *ctx)
{
	for (size_t w = 0; ids->nr_resting && w < words(ids); w++) {
		while (ids->resting[w]) {
			uint32_t id = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(ids->resting[w]);

			if (fn)
				fn(ctx, id);
			ids->resting[w] &= ids->resting[w] - 1;
			ids->nr_resting--;
			ids_free(ids, id);
		}
	}
}

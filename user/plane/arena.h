/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Extents of weft_slots: free, in use, or resting until a grace period has passed. Pure. Free extents are kept sorted
 * and joined; the search goes on where the last one ended, so that a bulk load does not look at the same small holes
 * again and again.
 */
#ifndef PLANE_ARENA_H
#define PLANE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct extent {
	uint32_t base, nr;
};

struct extents {
	struct extent *at;
	size_t nr, capacity;
};

struct arena {
	struct extents free;	/* sorted; some may be empty */
	struct extents resting; /* in the order of coming */
	size_t cursor;
	uint32_t size;
	uint64_t nr_free, nr_resting; /* slots */
};

int arena_init(struct arena *a, uint32_t size); /* all free; 0 or -ENOMEM */
void arena_done(struct arena *a);

/* Everything but @used is free from now on. Sorts @used. -EEXIST: two overlap; -ERANGE: outside; -ENOMEM. Unchanged on
 * failure. */
int arena_adopt(struct arena *a, struct extent *used, size_t nr);

int arena_alloc(struct arena *a, uint32_t nr, uint32_t *ret_base); /* 0, -ENOSPC; nothing asked for is found at 0 */
void arena_free(struct arena *a, uint32_t base, uint32_t nr); /* what was allocated last, never shown to a reader */

/* Makes sure that the next arena_rest() finds memory: called before a change that cannot be taken back. */
int arena_reserve(struct arena *a);
void arena_rest(struct arena *a, uint32_t base, uint32_t nr);
int arena_wake(struct arena *a); /* frees all that rest; -ENOMEM: they go on resting */

#endif

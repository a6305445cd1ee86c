/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ids 1 .. capacity-1 of an array map: free, in use, or resting until a grace period has passed. Pure; nothing here can
 * run out of memory. */
#ifndef PLANE_IDS_H
#define PLANE_IDS_H

#include <stddef.h>
#include <stdint.h>

struct ids {
	uint64_t *taken;   /* one bit each: in use or resting */
	uint64_t *resting; /* one bit each */
	uint32_t capacity, nr_free, nr_resting;
	uint32_t hint; /* no word of .taken before this one has a free id */
};

int ids_init(struct ids *ids, uint32_t capacity); /* 0 or -ENOMEM */
void ids_done(struct ids *ids);

uint32_t ids_alloc(struct ids *ids);	     /* the lowest that is free; 0: none */
int ids_take(struct ids *ids, uint32_t id);  /* this very one; -EEXIST, -ERANGE */
void ids_free(struct ids *ids, uint32_t id); /* at once, without a rest */
void ids_rest(struct ids *ids, uint32_t id);
/* Frees all that rest; @fn (may be NULL) is told each of them first. */
void ids_wake(struct ids *ids, void (*fn)(void *ctx, uint32_t id), void *ctx);

#endif

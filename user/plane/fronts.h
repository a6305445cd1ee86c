/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is in weft_frontends, remembered by the agent, and what should be there. A hash over an array; an apply touches
 * the addresses that it may have to change, and then looks at these only. Pure.
 */
#ifndef PLANE_FRONTS_H
#define PLANE_FRONTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/abi.h"

struct front {
	struct weft_frontend_key key;
	uint32_t have; /* service in the kernel; 0: not there */
	uint32_t want; /* service wanted, when touched; 0: none */
	uint32_t next; /* of the same bucket, or of the free list; index + 1, 0: end */
	uint32_t next_touched;
	bool touched;
};

struct fronts {
	struct front *at;
	uint32_t nr, capacity;
	uint32_t free;	 /* list of entries given back */
	uint32_t *heads; /* index + 1, by hash */
	uint32_t mask;
	uint32_t touched; /* list, index + 1 */
	uint32_t nr_have;
};

int fronts_init(struct fronts *f, uint32_t capacity); /* -ENOMEM */
void fronts_done(struct fronts *f);

/* Notes what is in the kernel. 0 or -ENOMEM. */
int fronts_note(struct fronts *f, const struct weft_frontend_key *key, uint32_t service);
/* Wants @key to lead to @service, 0: to nothing. 0 or -ENOMEM. */
int fronts_want(struct fronts *f, const struct weft_frontend_key *key, uint32_t service);
/* Wants everything gone: for a change that starts from what the kernel has, whatever that is. */
void fronts_want_none(struct fronts *f);
/* Ends a change: forgets what is neither in the kernel nor wanted, and that anything was touched. */
void fronts_settle(struct fronts *f);

static inline struct front *fronts_first(const struct fronts *f)
{
	return f->touched ? &f->at[f->touched - 1] : NULL;
}

static inline struct front *fronts_next(const struct fronts *f, const struct front *e)
{
	return e->next_touched ? &f->at[e->next_touched - 1] : NULL;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* When what is checked: a heap by time, and the arithmetic that keeps checks apart. Inside health/ only. */
#ifndef HEALTH_SCHEDULE_H
#define HEALTH_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lies inside what is scheduled. All zero: not scheduled. */
struct due {
	uint64_t ns;
	size_t at; /* in the heap, + 1; 0: not there */
};

/* All zero: empty. */
struct heap {
	struct due **due;
	size_t nr, room;
};

int heap_reserve(struct heap *h, size_t nr);		   /* 0 or -ENOMEM; after it heap_add() cannot fail */
void heap_add(struct heap *h, struct due *d, uint64_t ns); /* or moves one that is there */
void heap_remove(struct heap *h, struct due *d);	   /* not there: fine */
void heap_free(struct heap *h);

static inline struct due *heap_first(const struct heap *h)
{
	return h->nr ? h->due[0] : NULL;
}

/*
 * New targets begin this far apart on the average, but all of them within their interval: a few are checked at once,
 * ten thousand over ten seconds. Neighbours do not follow one another: a rack that is silent would fill all places.
 */
#define SPREAD_NS 1000000ull
/* When, from now, the @nth of @nr new targets begins. */
uint64_t schedule_first_ns(size_t nth, size_t nr, uint64_t interval_ns);
/* From the first check to the second: a random part of the interval, so that what came together does not stay together.
 * @random: 64 even bits. */
uint64_t schedule_second_ns(uint64_t interval_ns, uint64_t random);
/* From then on: the interval, and up to @percent of it more or less. */
uint64_t schedule_next_ns(uint64_t interval_ns, unsigned percent, uint64_t random);

#endif

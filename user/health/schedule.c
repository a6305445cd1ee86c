/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>

#include "health/schedule.h"

/* The golden ratio's fraction, of 2^64: its multiples fall evenly and far from one another. */
#define GOLDEN 0x9e3779b97f4a7c15ull

static void place(struct heap *h, size_t at, struct due *d)
{
	h->due[at] = d;
	d->at = at + 1;
}

static void sift_up(struct heap *h, size_t at, struct due *d)
{
	while (at) {
		size_t parent = (at - 1) / 2;

		if (h->due[parent]->ns <= d->ns)
			break;
		place(h, at, h->due[parent]);
		at = parent;
	}
	place(h, at, d);
}

static void sift_down(struct heap *h, size_t at, struct due *d)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < h->nr && h->due[child + 1]->ns < h->due[child]->ns)
			child++;
		if (child >= h->nr || h->due[child]->ns >= d->ns)
			break;
		place(h, at, h->due[child]);
		at = child;
	}
	place(h, at, d);
}

int heap_reserve(struct heap *h, size_t nr)
{
	struct due **more;

	if (nr <= h->room)
		return 0;
	if (nr < h->room * 2)
		nr = h->room * 2;
	more = reallocarray(h->due, nr, sizeof(*more));
	if (!more)
		return -ENOMEM;
	h->due = more;
	h->room = nr;
	return 0;
}

void heap_add(struct heap *h, struct due *d, uint64_t ns)
{
	heap_remove(h, d);
	d->ns = ns;
	sift_up(h, h->nr++, d);
}

void heap_remove(struct heap *h, struct due *d)
{
	struct due *last;
	size_t at = d->at;

	if (!at--)
		return;
	d->at = 0;
	last = h->due[--h->nr];
	if (last == d)
		return;
	if (at && h->due[(at - 1) / 2]->ns > last->ns)
		sift_up(h, at, last);
	else
		sift_down(h, at, last);
}

void heap_free(struct heap *h)
{
	free(h->due);
	*h = (struct heap){ 0 };
}

/* @random as a part of @range. */
static uint64_t part_of(uint64_t range, uint64_t random)
{
	return (uint64_t)((unsigned __int128)range * random >> 64);
}

uint64_t schedule_first_ns(size_t nth, size_t nr, uint64_t interval_ns)
{
	unsigned __int128 window = (unsigned __int128)nr * SPREAD_NS;

	return part_of(window < interval_ns ? (uint64_t)window : interval_ns, nth * GOLDEN);
}

uint64_t schedule_second_ns(uint64_t interval_ns, uint64_t random)
{
	return interval_ns / 4 + part_of(interval_ns - interval_ns / 4, random);
}

uint64_t schedule_next_ns(uint64_t interval_ns, unsigned percent, uint64_t random)
{
	uint64_t most = (uint64_t)((unsigned __int128)interval_ns * (percent > 100 ? 100 : percent) / 100);

	return interval_ns - most + part_of(2 * most, random);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Weighted slots, earliest due first: the k-th turn of an endpoint of weight w falls due at (k + phase) / w. After a
 * full round each endpoint has had exactly w turns. The phase is 1/2 (Webster's method: every prefix is as close to the
 * weights as whole turns allow), but that endpoints of one weight share the interval evenly: fifty of weight 1 beside
 * one of weight 50 must not all come in the middle of the round.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "lb/tables.h"

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* How weights become numbers of slots. */
struct scale {
	uint32_t divisor; /* of all weights; 0: all weights are 0 */
	uint64_t sum;	  /* of the weights divided by it */
	size_t spread;	  /* > 0: too many slots; what remains of max when each index has one */
	bool equal;	  /* all weights that are > 0 are the same */
};

static struct scale scale_of(const uint16_t *weights, size_t n, size_t max)
{
	struct scale s = { .equal = true };
	uint32_t first = 0;
	uint64_t sum = 0;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!weights[i])
			continue;
		if (!first)
			first = weights[i];
		if (weights[i] != first)
			s.equal = false;
		if (s.divisor != 1)
			s.divisor = gcd(s.divisor, weights[i]);
		sum += weights[i];
		used++;
	}
	if (!used)
		return s;
	s.sum = sum / s.divisor;
	if (s.sum > max)
		s.spread = max - used + 1;
	return s;
}

/* Slots of an index with weight @w > 0. Scaled down, all together are at most max and each has at least one. */
static uint32_t scale_weight(const struct scale *s, uint32_t w)
{
	uint32_t turns = w / s->divisor;

	return s->spread ? 1 + (uint32_t)((uint64_t)turns * (s->spread - 1) / s->sum) : turns;
}

static size_t count_scaled(const struct scale *s, const uint16_t *weights, size_t n)
{
	size_t sum = 0;

	if (!s->spread)
		return s->sum;
	for (size_t i = 0; i < n; i++)
		if (weights[i])
			sum += scale_weight(s, weights[i]);
	return sum;
}

size_t lb_slots_count(const uint16_t *weights, size_t n, size_t max)
{
	struct scale s = scale_of(weights, n, max);

	return s.divisor ? count_scaled(&s, weights, n) : 0;
}

/* An index and when its next turn is due, as a fraction. */
struct due {
	uint64_t time, unit; /* time / unit; one turn is unit / weight */
	uint32_t step;
	uint32_t index;
};

static bool due_before(const struct due *a, const struct due *b)
{
	uint64_t x = a->time * b->unit, y = b->time * a->unit;

	return x != y ? x < y : a->index < b->index;
}

static void heap_sink(struct due *heap, size_t n, size_t at)
{
	struct due moved = heap[at];

	for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
		if (child + 1 < n && due_before(&heap[child + 1], &heap[child]))
			child++;
		if (!due_before(&heap[child], &moved))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

/* Number @rank of the @same that have weight @w: phase (2 rank + 1) / (2 same). As same x w is at most the number of
 * slots, products of two fit easily. */
static struct due due_first(uint32_t index, uint32_t w, uint32_t rank, uint32_t same)
{
	return (struct due){
		.time = 2ull * rank + 1,
		.unit = 2ull * same * w,
		.step = 2 * same,
		.index = index,
	};
}

/* Fills @heap; the number of indices with a weight, or -ENOMEM. */
static long make_heap(const struct scale *s, const uint16_t *weights, size_t n, struct due *heap)
{
	_cleanup_(freep) uint32_t *same = NULL;
	_cleanup_(freep) uint32_t *rank = NULL;
	uint32_t w, heaviest = 0;
	long used = 0;

	for (size_t i = 0; i < n; i++)
		if (weights[i] > heaviest)
			heaviest = weights[i];
	w = scale_weight(s, heaviest);
	same = calloc((size_t)w + 1, sizeof(*same));
	rank = calloc((size_t)w + 1, sizeof(*rank));
	if (!same || !rank)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (weights[i])
			same[scale_weight(s, weights[i])]++;
	for (size_t i = 0; i < n; i++) {
		if (!weights[i])
			continue;
		w = scale_weight(s, weights[i]);
		heap[used++] = due_first((uint32_t)i, w, rank[w]++, same[w]);
	}
	return used;
}

int lb_slots_fill(const uint16_t *weights, size_t n, size_t max, uint32_t *slots, size_t nr_slots)
{
	_cleanup_(freep) struct due *heap = NULL;
	struct scale s = scale_of(weights, n, max);
	size_t at = 0;
	long used;

	if (!s.divisor)
		return 0;
	if (s.equal) {
		for (size_t i = 0; i < n && at < nr_slots; i++)
			if (weights[i])
				slots[at++] = (uint32_t)i;
		return 0;
	}
	heap = malloc(n * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	used = make_heap(&s, weights, n, heap);
	if (used < 0)
		return (int)used;
	for (long i = used / 2; i-- > 0;)
		heap_sink(heap, (size_t)used, (size_t)i);
	for (; at < nr_slots; at++) {
		slots[at] = heap[0].index;
		heap[0].time += heap[0].step;
		heap_sink(heap, (size_t)used, 0);
	}
	return 0;
}

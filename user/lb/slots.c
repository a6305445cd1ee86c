/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Weighted slots. The order is that of Webster's (Sainte-Lague's) method: the k-th turn of an endpoint of weight w
 * falls due at (2k + 1) / 2w, and the earliest is next. Every prefix of the slots is then as close to the weights as
 * whole turns allow, and after a full round each endpoint has had exactly w.
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

/* An index and when its next turn is due: turn / (2 x weight), turn odd. */
struct due {
	uint32_t turn;
	uint32_t weight;
	uint32_t index;
};

static bool due_before(const struct due *a, const struct due *b)
{
	uint64_t x = (uint64_t)a->turn * b->weight, y = (uint64_t)b->turn * a->weight;

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

int lb_slots_fill(const uint16_t *weights, size_t n, size_t max, uint32_t *slots, size_t nr_slots)
{
	_cleanup_(freep) struct due *heap = NULL;
	struct scale s = scale_of(weights, n, max);
	size_t used = 0;

	if (!s.divisor)
		return 0;
	if (s.equal) {
		for (size_t i = 0; i < n && used < nr_slots; i++)
			if (weights[i])
				slots[used++] = (uint32_t)i;
		return 0;
	}
	heap = malloc(n * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (weights[i])
			heap[used++] = (struct due){ 1, scale_weight(&s, weights[i]), (uint32_t)i };
	for (size_t i = used / 2; i-- > 0;)
		heap_sink(heap, used, i);
	for (size_t i = 0; i < nr_slots; i++) {
		slots[i] = heap[0].index;
		heap[0].turn += 2;
		heap_sink(heap, used, 0);
	}
	return 0;
}

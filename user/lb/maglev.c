/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "lb/tables.h"
#include "weft/lb.h"

#define EMPTY UINT32_MAX

int lb_is_prime(uint32_t n)
{
	if (n < 4)
		return n > 1;
	if (n % 2 == 0)
		return 0;
	for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2)
		if (n % d == 0)
			return 0;
	return 1;
}

/* Read byte by byte, so that the table of a set of endpoints is the same on every machine. */
static uint64_t read_le64(const uint8_t *p)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | p[i];
	return x;
}

uint64_t lb_endpoint_key(const void *addr16, uint16_t port)
{
	const uint8_t *p = addr16;

	return weft_hash_mix(weft_hash_mix(weft_hash_mix(read_le64(p) + 0x9e3779b97f4a7c15ull) ^ read_le64(p + 8)) +
			     port);
}

/* An endpoint's walk over the table: a permutation, since the size is prime. */
struct walk {
	uint32_t index;
	uint32_t at, skip;
	uint32_t weight;
	uint64_t due; /* takes a row in the round in which round x weight reaches this */
};

static uint32_t take_row(struct walk *w, uint32_t *table, uint32_t size)
{
	uint32_t row;

	do {
		row = w->at;
		w->at = w->at >= size - w->skip ? w->at - (size - w->skip) : w->at + w->skip;
	} while (table[row] != EMPTY);
	table[row] = w->index;
	return row;
}

static struct walk *make_walks(const uint64_t *keys, const uint16_t *weights, size_t n, uint32_t size, size_t *ret_nr)
{
	struct walk *walks = malloc(n * sizeof(*walks));
	size_t nr = 0;

	if (!walks)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!weights[i])
			continue;
		walks[nr++] = (struct walk){
			.index = (uint32_t)i,
			.at = (uint32_t)(weft_hash_mix(keys[i]) % size),
			.skip = size > 2 ? (uint32_t)(weft_hash_mix(keys[i] ^ 0xa5a5a5a5a5a5a5a5ull) % (size - 1)) + 1
					 : 1,
			.weight = weights[i],
		};
	}
	*ret_nr = nr;
	return walks;
}

int lb_maglev_fill(const uint64_t *keys, const uint16_t *weights, size_t n, uint32_t *table, uint32_t size)
{
	_cleanup_(freep) struct walk *walks = NULL;
	uint32_t max_weight = 0, filled = 0;
	size_t nr;

	for (size_t i = 0; i < n; i++)
		if (weights[i] > max_weight)
			max_weight = weights[i];
	if (!max_weight || n > size || !lb_is_prime(size))
		return -EINVAL;
	walks = make_walks(keys, weights, n, size, &nr);
	if (!walks)
		return -ENOMEM;
	for (uint32_t row = 0; row < size; row++)
		table[row] = EMPTY;
	for (uint64_t round = 1; filled < size; round++) {
		for (size_t i = 0; i < nr && filled < size; i++) {
			if (round * walks[i].weight < walks[i].due)
				continue;
			walks[i].due += max_weight;
			take_row(&walks[i], table, size);
			filled++;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Random input that can be had again: WEFT_SEED=N repeats a run; a failing assertion names the seed with CHANCE. */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct chance {
	uint64_t seed, state;
};

/* For the message of ck_assert_msg(): "what " CHANCE, CHANCE_ARG(c), ... */
#define CHANCE	      "[WEFT_SEED=%llu] "
#define CHANCE_ARG(c) ((unsigned long long)(c).seed)

static inline struct chance chance_new(void)
{
	const char *wanted = getenv("WEFT_SEED");
	struct timespec t;
	struct chance c;

	clock_gettime(CLOCK_REALTIME, &t);
	c.seed = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	c.state = c.seed;
	return c;
}

/* @n, or a tenth of it where a run is to be short (valgrind's: it is thirty times slower, and one thread at a time). */
static inline uint32_t chance_rounds(uint32_t n)
{
	return getenv("WEFT_STEPS") ? n / 10 : n;
}

/* splitmix64 */
static inline uint64_t chance_next(struct chance *c)
{
	uint64_t x = c->state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* 0..n-1; n > 0 */
static inline uint32_t chance_below(struct chance *c, uint32_t n)
{
	return (uint32_t)(chance_next(c) % n);
}

#endif

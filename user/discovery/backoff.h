/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How long to wait before the next try, and how often to read at most. Pure, but for randomness. */
#ifndef DISCOVERY_BACKOFF_H
#define DISCOVERY_BACKOFF_H

#include <stdint.h>

/* Exponential with full jitter above half: after n failures a random time between half of and all of min(first * 2^n,
 * most), so that a thousand nodes do not come back as one (AWS Architecture Blog, "Exponential backoff and jitter",
 * "equal jitter"). */
struct backoff {
	uint32_t first_ms, most_ms;
	unsigned failures;
};

uint32_t backoff_next(struct backoff *b); /* ms to wait after one more failure */
static inline void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}

/* @ms give or take a tenth. */
uint32_t jitter(uint32_t ms);

/* Tokens per second with a burst. */
struct pace {
	double per_second, burst;
	double tokens; /* begins at 0: call pace_init() */
	uint64_t at_ms;
};
void pace_init(struct pace *p, double per_second, double burst, uint64_t now_ms);
/* 0: go, one token is taken; else ms until there is one (none is taken). */
uint32_t pace_take(struct pace *p, uint64_t now_ms);

#endif

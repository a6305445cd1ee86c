/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <sys/random.h>

#include "discovery/backoff.h"

/* 0..@below - 1; @below > 0. Quality does not matter, being different on each node does. */
static uint32_t draw(uint32_t below)
{
	uint32_t x = 0;

	if (getrandom(&x, sizeof(x), GRND_NONBLOCK) != (ssize_t)sizeof(x))
		x = (uint32_t)random();
	return (uint32_t)(((uint64_t)x * below) >> 32);
}

uint32_t backoff_next(struct backoff *b)
{
	uint64_t ms = b->first_ms ? b->first_ms : 1;
	uint64_t most = b->most_ms > ms ? b->most_ms : ms;

	for (unsigned i = 0; i < b->failures && ms < most; i++)
		ms *= 2;
	if (ms > most)
		ms = most;
	b->failures++;
	return (uint32_t)(ms - ms / 2 + draw((uint32_t)(ms / 2) + 1));
}

uint32_t jitter(uint32_t ms)
{
	uint32_t tenth = ms / 10;

	return ms - tenth + draw(2 * tenth + 1);
}

void pace_init(struct pace *p, double per_second, double burst, uint64_t now_ms)
{
	*p = (struct pace){ .per_second = per_second, .burst = burst, .tokens = burst, .at_ms = now_ms };
}

uint32_t pace_take(struct pace *p, uint64_t now_ms)
{
	p->tokens += (double)(now_ms - p->at_ms) * p->per_second / 1000;
	p->at_ms = now_ms;
	if (p->tokens > p->burst)
		p->tokens = p->burst;
	if (p->tokens >= 1) {
		p->tokens -= 1;
		return 0;
	}
	return (uint32_t)((1 - p->tokens) * 1000 / p->per_second) + 1;
}

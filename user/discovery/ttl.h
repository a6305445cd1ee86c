/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How long an answer of the DNS is kept. */
#ifndef DISCOVERY_TTL_H
#define DISCOVERY_TTL_H

#include <stdbool.h>
#include <stdint.h>

#include "discovery/backoff.h"

#define TTL_MIN_MS     1000u
#define TTL_MAX_MS     300000u
#define TTL_UNKNOWN_MS 5000u /* of a negative answer that does not tell */
#define TTL_SPREAD_MS  100u  /* so that not all nodes ask in one moment */

struct ttl_bounds {
	uint32_t min_ms, max_ms;
};

/* ms until it is looked up again. */
static inline uint32_t ttl_ms(const struct ttl_bounds *b, bool known, uint32_t ttl_s)
{
	uint64_t ms = known ? (uint64_t)ttl_s * 1000 : TTL_UNKNOWN_MS;

	if (ms > b->max_ms)
		ms = b->max_ms;
	if (ms < b->min_ms)
		ms = b->min_ms;
	return (uint32_t)ms + jitter(TTL_SPREAD_MS) - (TTL_SPREAD_MS - TTL_SPREAD_MS / 10);
}

#endif

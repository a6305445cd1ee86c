/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How load is shared among the levels of a service (priorities, and within them this node's zone before the others),
 * and how gently a new endpoint begins. Envoy's formulas: the health of a level is its available share x 1.4, at most
 * 1; a level takes of what is left as much as its health says, and the next takes the rest; when the healths of all do
 * not add up to 1 they are scaled up to it. Pure functions, in 1/10000.
 */
#ifndef WEFT_LEVEL_H
#define WEFT_LEVEL_H

#include <linux/types.h>

#include "weft/lb.h"

#define WEFT_WHOLE	   10000u
#define WEFT_OVERPROVISION 140u /* percent, Envoy's overprovisioning_factor */

WEFT_PURE __u32 weft_level_health(__u32 endpoints, __u32 unavailable)
{
	__u64 available = unavailable < endpoints ? endpoints - unavailable : 0;
	__u64 health = endpoints ? available * WEFT_OVERPROVISION * (WEFT_WHOLE / 100) / endpoints : 0;

	return health > WEFT_WHOLE ? WEFT_WHOLE : (__u32)health;
}

struct weft_loads {
	__u32 health[WEFT_LEVELS];
	__u32 cap[WEFT_LEVELS];	 /* of what reaches it; less than WEFT_WHOLE: the next level is the rest of its priority
				  */
	__u32 load[WEFT_LEVELS]; /* computed; adds up to WEFT_WHOLE unless all health is 0, then all are 0 */
};

/* Fills .load from .health and .cap of all WEFT_LEVELS levels; those that are not there have health 0. */
WEFT_PURE void weft_level_loads(struct weft_loads *l)
{
	__u32 left = WEFT_WHOLE, spare = 0, total = 0;

	WEFT_ROLLED
	for (__u32 i = 0; i < WEFT_LEVELS; i++) {
		l->load[i] = 0;
		total += l->health[i];
	}
	if (!total)
		return;
	if (total > WEFT_WHOLE)
		total = WEFT_WHOLE;
	WEFT_ROLLED
	for (__u32 i = 0; i < WEFT_LEVELS; i++) {
		__u32 can = l->health[i] * WEFT_WHOLE / total;
		__u32 most = left * l->cap[i] / WEFT_WHOLE;

		l->load[i] = can < most ? can : most;
		left -= l->load[i];
		/* What the rest of a priority cannot take goes back to its capped level, before any lower priority. */
		if (i && spare) {
			spare = spare < left ? spare : left;
			l->load[i - 1] += spare;
			left -= spare;
		}
		spare = can > most ? can - most : 0;
	}
	/* What rounding left. */
	WEFT_ROLLED
	for (__u32 i = 0; i < WEFT_LEVELS; i++)
		if (l->load[i]) {
			l->load[i] += left;
			break;
		}
}

/* The level that @at (0..WEFT_WHOLE-1) falls into; the first when there is no load at all. */
WEFT_PURE __u32 weft_level_at(const struct weft_loads *l, __u32 at)
{
	__u32 sum = 0;

	WEFT_ROLLED
	for (__u32 i = 0; i < WEFT_LEVELS; i++) {
		sum += l->load[i];
		if (at < sum)
			return i;
	}
	return 0;
}

/*
 * The share of its weight that an endpoint gets @age_ms after it began, in percent: linear over the window (Envoy's
 * slow start with aggression 1), at least @least.
 */
WEFT_PURE __u32 weft_slow_start(__u64 age_ms, __u32 window_ms, __u32 least)
{
	__u64 percent = window_ms && age_ms < window_ms ? age_ms * 100 / window_ms : 100;

	return percent > least ? (__u32)percent : least;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which endpoints of a service are chosen among with the same preference. Pure. What is computed when a service is
 * published; how load then spills from level to level is headers/weft/level.h.
 */
#ifndef LB_LEVELS_H
#define LB_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/service.h"

struct lb_level {
	uint32_t nr; /* endpoints with a weight > 0; never 0 */
	uint16_t cap;
	uint8_t priority;
	bool local; /* those of this node's zone; the next level is the rest of the same priority */
};

struct lb_levels {
	unsigned nr; /* 0: no endpoint has a weight > 0 */
	struct lb_level level[WEFT_LEVELS];
};

/*
 * The levels of @s on a node of @zone (NULL: not known), preferred first; and in @of[i] the level of endpoint i. One of
 * weight 0 is in none: its @of is 0. Priorities that are one too many join the last level; zones are split for the
 * preferred priorities first, as long as there are levels.
 */
void lb_levels(const struct service *s, const char *zone, struct lb_levels *ret, uint8_t *of);

/* Is @e in @zone? An endpoint or node whose zone is not known is in none. */
bool lb_in_zone(const struct endpoint *e, const char *zone);

/*
 * Envoy's zone-aware routing: how much of the load that reaches a priority may stay in this node's zone, in 1/10000,
 * when @here of its @all endpoints are in it. So much that no zone's endpoints get more than those of another, if each
 * of the @zones zones had an equal share of the callers: the true share is not known to a node.
 */
uint16_t lb_zone_cap(uint32_t here, uint32_t all, uint32_t zones);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <string.h>

#include "lb/levels.h"
#include "weft/level.h"

#define PRIORITIES (WEFT_PRIORITY_MAX + 1)

/* More zones than that make no difference: this node's share of the callers is below a percent then. */
#define ZONES_MAX 128

/* The endpoints of one group: those of one priority, and in the last group those of all that are left. */
struct group {
	uint32_t all, here, zones;
	unsigned level; /* its first */
	bool split;
};

/* Numbers priorities in use from 0 on, without gaps. */
static unsigned number_priorities(const struct service *s, uint8_t group_of[PRIORITIES], uint8_t priority[WEFT_LEVELS])
{
	bool used[PRIORITIES] = { false };
	unsigned nr = 0;

	for (size_t i = 0; i < s->nr_endpoints; i++)
		if (s->endpoints[i].weight)
			used[s->endpoints[i].priority % PRIORITIES] = true;
	for (unsigned p = 0; p < PRIORITIES; p++) {
		if (!used[p])
			continue;
		if (nr < WEFT_LEVELS)
			priority[nr++] = (uint8_t)p;
		group_of[p] = (uint8_t)(nr - 1);
	}
	return nr;
}

static bool same_zone(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Endpoints without a zone are in one of their own. */
static void count_zones(const struct service *s, const uint8_t *group_of, unsigned group, struct group *g)
{
	const char *seen[ZONES_MAX];

	for (size_t i = 0; i < s->nr_endpoints && g->zones < ZONES_MAX; i++) {
		const struct endpoint *e = &s->endpoints[i];
		uint32_t k = 0;

		if (!e->weight || group_of[e->priority % PRIORITIES] != group)
			continue;
		while (k < g->zones && !same_zone(seen[k], e->zone))
			k++;
		if (k == g->zones)
			seen[g->zones++] = e->zone;
	}
}

static void count_groups(const struct service *s, const char *zone, const uint8_t *group_of, struct group *groups)
{
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];
		struct group *g = &groups[group_of[e->priority % PRIORITIES]];

		if (!e->weight)
			continue;
		g->all++;
		g->here += lb_in_zone(e, zone);
	}
}

/* From groups to levels: each makes one, or two when its zones are told apart and there is room for it. */
static void make_levels(const struct service *s, const uint8_t *group_of, const uint8_t *priority, unsigned nr,
			struct group *groups, struct lb_levels *ret)
{
	unsigned spare = WEFT_LEVELS - nr;

	for (unsigned i = 0; i < nr; i++) {
		struct group *g = &groups[i];

		g->level = ret->nr;
		g->split = s->zone_aware && spare && g->here && g->here < g->all && g->all >= s->zone_endpoints;
		if (g->split) {
			count_zones(s, group_of, i, g);
			ret->level[ret->nr++] = (struct lb_level){ .nr = g->here,
								   .cap = lb_zone_cap(g->here, g->all, g->zones),
								   .priority = priority[i],
								   .local = true };
			spare--;
		}
		ret->level[ret->nr++] = (struct lb_level){ .nr = g->split ? g->all - g->here : g->all,
							   .cap = WEFT_WHOLE,
							   .priority = priority[i] };
	}
}

void lb_levels(const struct service *s, const char *zone, struct lb_levels *ret, uint8_t *of)
{
	struct group groups[WEFT_LEVELS] = { { 0 } };
	uint8_t group_of[PRIORITIES] = { 0 }, priority[WEFT_LEVELS] = { 0 };
	unsigned nr = number_priorities(s, group_of, priority);

	memset(ret, 0, sizeof(*ret));
	count_groups(s, zone, group_of, groups);
	make_levels(s, group_of, priority, nr, groups, ret);
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];
		const struct group *g = &groups[group_of[e->priority % PRIORITIES]];

		of[i] = e->weight ? (uint8_t)(g->level + (g->split && !lb_in_zone(e, zone))) : 0;
	}
}

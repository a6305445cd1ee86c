/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <string.h>

#include "lb/levels.h"
#include "weft/level.h"

bool lb_in_zone(const struct endpoint *e, const char *zone)
{
	return zone && e->zone && (e->zone == zone || !strcmp(e->zone, zone));
}

/* Callers' share of this zone L = 1 / zones, its endpoints' share U = here / all: all stays here when U >= L, else
 * U / L of it. */
uint16_t lb_zone_cap(uint32_t here, uint32_t all, uint32_t zones)
{
	uint64_t cap = all ? (uint64_t)WEFT_WHOLE * here * zones / all : WEFT_WHOLE;

	return (uint16_t)(cap > WEFT_WHOLE ? WEFT_WHOLE : cap);
}

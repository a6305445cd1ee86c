/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How many endpoints of a service are out of service. Whoever changes weft_bstate.out changes the counters of
 * weft_sstate right after it; when an endpoint joins, leaves or changes its level just then, or when whoever it was is
 * killed, they are off by one. So they are counted anew after each change, and again until a count after a grace period
 * finds nothing wrong.
 */
#ifndef PLANE_TALLY_H
#define PLANE_TALLY_H

#include "plane/maps.h"

struct tally {
	uint32_t unavailable[WEFT_LEVELS]; /* READY and .out is not 0 */
	uint32_t ejected;
};

void tally_add(const struct maps *m, uint32_t backend, struct tally *t);
/* Sets the counters of @service to @t. True when all said so already. */
bool tally_store(const struct maps *m, uint32_t service, const struct tally *t);

#endif

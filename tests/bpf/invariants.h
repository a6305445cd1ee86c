/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What must be true of the maps at every moment, and what must be true when nothing is going on. */
#ifndef TESTS_INVARIANTS_H
#define TESTS_INVARIANTS_H

#include "model/model.h"
#include "plane/plane.h"

/* At every moment, also after the agent was killed: whoever follows an address finds endpoints of its service. */
void expect_sound(const struct maps *m);
/* weft_sstate.unavailable and .ejected against the endpoints; nobody may be changing them just now. */
void expect_counters(const struct maps *m);
/* After an apply of @want and enough plane_reclaim(), with no connection: exactly that is there, and nothing else. */
void expect_exactly(const struct maps *m, const struct model *want);
/* Calls plane_reclaim() until nothing rests. */
void reclaim_all(struct plane *p);

uint32_t service_id(const struct maps *m, const char *name); /* 0: not there */

#endif

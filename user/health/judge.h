/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From results to states. The first result decides at once, as Envoy does it; from then on it takes rise or fall
 * results in a row. Inside health/ only. */
#ifndef HEALTH_JUDGE_H
#define HEALTH_JUDGE_H

#include <stdbool.h>

#include "health/health.h"

struct judge {
	enum health_state state;
	bool fresh;   /* the next result decides alone */
	bool passed;  /* the last one */
	unsigned row; /* results in a row that were like the last one */
};

/* @rise and @fall of 0 count as 1. True: the endpoint went from taking connections to not taking them or back. */
bool judge_result(struct judge *j, bool passed, unsigned rise, unsigned fall);

#endif

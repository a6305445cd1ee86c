/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <limits.h>

#include "health/judge.h"

bool judge_result(struct judge *j, bool passed, unsigned rise, unsigned fall)
{
	bool was = j->state == HEALTH_S_UP;
	unsigned need = passed ? rise : fall;

	if (j->fresh || passed != j->passed)
		j->row = 0;
	if (j->row < UINT_MAX)
		j->row++;
	j->passed = passed;
	if (j->fresh || j->state == HEALTH_S_UNKNOWN || j->row >= need)
		j->state = passed ? HEALTH_S_UP : HEALTH_S_DOWN;
	j->fresh = false;
	return was != (j->state == HEALTH_S_UP);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <math.h>

#include "lb/success.h"

static bool counts(const struct lb_outcomes *e, uint32_t volume)
{
	return e->ok + e->failed && e->ok + e->failed >= volume;
}

static double rate(const struct lb_outcomes *e)
{
	return 100.0 * (double)e->ok / (double)(e->ok + e->failed);
}

struct lb_success lb_success_rate(struct lb_outcomes *e, size_t nr, uint32_t volume, uint32_t least, uint32_t factor)
{
	struct lb_success s = { 0 };
	double sum = 0, squares = 0;

	for (size_t i = 0; i < nr; i++) {
		e[i].outlier = false;
		if (!counts(&e[i], volume))
			continue;
		s.nr++;
		sum += rate(&e[i]);
	}
	if (!s.nr)
		return s;
	s.mean = sum / (double)s.nr;
	for (size_t i = 0; i < nr; i++)
		if (counts(&e[i], volume))
			squares += (rate(&e[i]) - s.mean) * (rate(&e[i]) - s.mean);
	s.stdev = sqrt(squares / (double)s.nr);
	s.threshold = s.mean - s.stdev * factor / 1000;
	if (s.nr < least)
		return s;
	for (size_t i = 0; i < nr; i++) {
		e[i].outlier = counts(&e[i], volume) && rate(&e[i]) < s.threshold;
		s.outliers += e[i].outlier;
	}
	return s;
}

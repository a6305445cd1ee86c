/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Rows of the result: tab separated, on stdout. scripts/bench turns them into pages and plots. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "stats.h"

/* "<= 400" or ">= 0.99" against @value: for information, never a reason to fail. */
static inline const char *report_verdict(const char *bar, double value)
{
	double limit;

	if (!bar[0])
		return "";
	limit = strtod(bar + 2, NULL);
	if (bar[0] == '<')
		return value <= limit ? "met" : "not met";
	return value >= limit ? "met" : "not met";
}

/* @bar: "" when there is none. */
static inline void report(const char *table, const char *row, const char *metric, const char *unit,
			  const struct series *s, const char *bar)
{
	double median, min, max;

	if (!s->nr)
		return;
	series_summary(s, &median, &min, &max);
	printf("%s\t%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%u\t%s\t%s\n", table, row, metric, unit, median, min, max, s->nr, bar,
	       report_verdict(bar, median));
	fflush(stdout);
}

static inline void report_one(const char *table, const char *row, const char *metric, const char *unit, double value,
			      const char *bar)
{
	struct series s = { .v = { value }, .nr = 1 };

	report(table, row, metric, unit, &s, bar);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The two text formats, line by line. What goes on a page is write.c's; how it is spelled is here. Inside telemetry/
 * only. */
#ifndef TELEMETRY_PROM_H
#define TELEMETRY_PROM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/types.h>

#include "telemetry/families.h"
#include "telemetry/metrics.h"

struct prom {
	FILE *out;
	enum metrics_format format;
	const struct metrics_family_row *family;
};

struct prom_label {
	const char *name; /* NULL ends the list */
	const char *value;
};

/* Starts a family: HELP, TYPE and, in OpenMetrics, UNIT. */
void prom_family(struct prom *p, enum metrics_family id);
/* One sample of a counter, a gauge or an info. @labels may be NULL. */
void prom_u64(struct prom *p, const struct prom_label *labels, uint64_t value);
void prom_seconds(struct prom *p, const struct prom_label *labels, double value);
/* One histogram from WEFT_HIST log2 buckets of microseconds; nothing is written when it is empty. */
void prom_hist(struct prom *p, const struct prom_label *labels, const __u64 *bucket, uint64_t sum_us);
/* Ends the page. 0 or negative errno when something could not be written. */
int prom_end(struct prom *p);

#endif

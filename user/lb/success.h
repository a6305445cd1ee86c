/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ejection by success rate, after Envoy's outlier detector (processSuccessRateEjections): who does far worse than the
 * others of its service. Pure. */
#ifndef LB_SUCCESS_H
#define LB_SUCCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of the connects to one endpoint in an interval. */
struct lb_outcomes {
	uint64_t ok, failed;
	bool outlier; /* out */
};

struct lb_success {
	size_t nr;	    /* endpoints with enough connects */
	double mean, stdev; /* of their success rates, in percent */
	double threshold;   /* mean - factor x stdev */
	size_t outliers;
};

/*
 * Looks at the @nr endpoints that are in service. One counts when it had at least @volume connects; when fewer than
 * @least count, nobody is an outlier. @factor: in 1/1000 of the standard deviation (that of the whole, not of a
 * sample). An outlier is below the threshold, not at it.
 */
struct lb_success lb_success_rate(struct lb_outcomes *e, size_t nr, uint32_t volume, uint32_t least, uint32_t factor);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every way in which a connection can begin and end, each with what the books must say of it afterwards. They need the
 * services of ops_services() and may run in any number of threads and processes at once.
 */
#ifndef TESTS_OPS_H
#define TESTS_OPS_H

#include "harness.h"

/* What operations add to the books. Shared between processes: atomic adds. */
struct books {
	uint64_t opened, established, closed;
	uint64_t failed[WEFT_FAIL_MAX];
	uint64_t trouble; /* operations that did not go as described; the last one is in .what */
	char what[96];
};

struct op {
	const char *name;
	unsigned share; /* of 1000 */
	void (*run)(struct books *b);
};
extern const struct op ops[];
extern const size_t nr_ops;

/* Publishes the services, starts their servers and the hole. */
void ops_services(void);
/* Compares the kernel's edges with @b, and looks that nothing is active and nothing drifts. */
void expect_books(const struct books *b);

#endif

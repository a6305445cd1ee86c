/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A server that counts the connections it has: accepted minus closed, and the most that there ever were at once. It
 * sends nothing. To a byte it answers by closing first; what the client ends, it ends likewise.
 */
#ifndef TESTS_CENSUS_H
#define TESTS_CENSUS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CENSUS_PLACES 4

/* Shared with the server's process: read with atomic loads. */
struct census {
	uint32_t open[CENSUS_PLACES], most[CENSUS_PLACES]; /* by address, in the order given */
	uint32_t all, most_all;
	/*
	 * As .most_all, but with those whose end is here already, and waits to be read. An application that takes a new
	 * connection before it looks at its old ones sees as many.
	 */
	uint32_t most_unread;
	uint64_t accepted;
	pid_t pid;
};

/* Listens on @port of @n addresses, in a process outside the test's cgroup that dies with the caller. NULL on failure.
 */
struct census *census_start(const char *const *ip, size_t n, uint16_t port);
void census_stop(struct census *c);
/* The number of connections is @n within @ms. */
int census_is(const struct census *c, uint32_t n, unsigned ms);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A network of the test's own: a namespace, its loopback, a hole that swallows packets, and a line that delays them. */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include <stdint.h>
#include <sys/types.h>

#include "server.h"

/* A new network namespace with lo up, fd77::1 to fd77::8 on it, and 1024-65535 to connect from. 0 or negative errno. */
int wire_namespace(void);
/* "net/ipv4/ip_local_port_range" and the like. 0 or negative errno. */
int wire_sysctl(const char *name, const char *value);
/* Sends to 10.66.0.0/24 leave this host and are never answered. 0 or negative errno. */
int wire_hole(void);

/* Puts the calling thread before the rest of the machine, so that latencies are the line's and not the neighbours'. */
void wire_urgent(void);

/*
 * A line to another namespace in which @l listen, on addresses in 10.67.0.0/24 other than .1; packets to @slow_ip take
 * @slow_us there, packets to the others @fast_us, and no time on the way back. Returns the process id of line and
 * servers, or -1.
 */
struct wire_line {
	const char *slow_ip;
	unsigned fast_us, slow_us;
	const struct listener *l;
	size_t nr;
};
pid_t wire_line(const struct wire_line *line);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Active health checks, tied to the data plane. Inside agent/ only. */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct agent;

/* How much of it the log was told lately. */
struct health_said {
	uint64_t since_ns;
	unsigned nr, kept_back;
	bool unmarked; /* that sockets cannot be marked */
};

/* Begins, changes and ends checks as a->model wants them, which has just been published. */
void agent_health_apply(struct agent *a);
void agent_health_done(struct agent *a);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The agent's care for network links: failover is on those that weft.yaml names, from the moment they appear. */
#ifndef AGENT_LINKS_H
#define AGENT_LINKS_H

#include <stddef.h>

#include "config/config.h"

struct agent;

/* After the plane is attached. Links get their programs while the loop runs. A failure is said, and is not the agent's
 * end: all else works without failover. */
void links_start(struct agent *a, const struct config *c);
/* After the files were read. */
void links_apply(struct agent *a, const struct config *c);
/* How many links have the programs. */
size_t links_count(const struct agent *a);
/* Stops following; programs stay. The loop has to run once more. */
void links_done(struct agent *a);

#endif

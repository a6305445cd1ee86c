/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The agent's ear for events of the kernel, and its own: each is a line of the log, and one of a list that is kept. */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H

#include <jansson.h>

#include "telemetry/metrics.h"
#include "weft/abi.h"

struct agent;

/* After the plane is attached. A failure is said, and is not the agent's end. */
void events_start(struct agent *a);
/* What the agent did itself, as if the kernel had told it. */
void events_add(struct agent *a, const struct weft_event *e);
/* {"last": N, "lost": N, "events": [...]}: those with an id over @since. NULL: no memory. */
json_t *events_json(const struct agent *a, uint64_t since);
/* How many there were, by service and cause: of a copy, free() *ret. 0 or -ENOMEM. */
int events_ejections(const struct agent *a, struct metrics_ejections **ret, size_t *ret_nr);
void events_done(struct agent *a);

#endif

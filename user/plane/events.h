/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs tell the operator's log: the reader of the ring buffer weft_events. One reader per instance. */
#ifndef PLANE_EVENTS_H
#define PLANE_EVENTS_H

#include "plane/maps.h"

struct plane_events;

typedef void plane_event_fn(void *ctx, const struct weft_event *e);

/* @m must be writable and outlive it. Needs CAP_BPF. 0 or negative errno. */
int plane_events_new(const struct maps *m, plane_event_fn *fn, void *ctx, struct plane_events **ret);
/* Readable when there is something to read. Borrowed. */
int plane_events_fd(const struct plane_events *e);
/* Calls @fn for everything that is there, in order; what came while nobody read, too. 0 or negative errno. */
int plane_events_read(struct plane_events *e);
void plane_events_free(struct plane_events *e); /* NULL is fine */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Telling the operator's log. */
#ifndef WEFT_BPF_EVENT_H
#define WEFT_BPF_EVENT_H

#include "lib/count.h"

/*
 * A record to be filled and handed to event_send(), zeroed; NULL when nobody reads, which is counted. In the ring
 * buffer itself: on the stack it would be the largest thing there.
 */
static __always_inline struct weft_event *event_new(enum weft_event_type type, __u32 service, __u64 now)
{
	struct weft_event *e = bpf_ringbuf_reserve(&weft_events, sizeof(*e), 0);

	if (!e) {
		count(WEFT_R_EVENTS_LOST);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->ns = now;
	e->type = type;
	e->service = service;
	return e;
}

static __always_inline void event_send(struct weft_event *e)
{
	bpf_ringbuf_submit(e, 0);
}

#endif

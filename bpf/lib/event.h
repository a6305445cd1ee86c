/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Telling the operator's log. */
#ifndef WEFT_BPF_EVENT_H
#define WEFT_BPF_EVENT_H

#include "lib/count.h"

/*
 * @cause, @backend, @gen, @number, @until: as in struct weft_event, 0 where they mean nothing. Filled in the ring
 * buffer itself: on the stack it would be the largest thing there. In one piece, with one check: older verifiers lose
 * track of a record that is handed around.
 */
static __always_inline void event(enum weft_event_type type, __u32 service, __u64 now, __u32 cause, __u32 backend,
				  __u32 gen, __u32 number, __u64 until)
{
	struct weft_event *e = bpf_ringbuf_reserve(&weft_events, sizeof(*e), 0);

	if (!e) {
		count(WEFT_R_EVENTS_LOST);
		return;
	}
	e->ns = now;
	e->type = type;
	e->cause = cause;
	e->service = service;
	e->backend = backend;
	e->gen = gen;
	e->number = number;
	e->until_ns = until;
	bpf_ringbuf_submit(e, 0);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Telling the operator's log. */
#ifndef WEFT_BPF_EVENT_H
#define WEFT_BPF_EVENT_H

#include "lib/count.h"

static __always_inline void event(const struct weft_event *e)
{
	if (bpf_ringbuf_output(&weft_events, (void *)e, sizeof(*e), 0))
		count(WEFT_R_EVENTS_LOST);
}

#endif

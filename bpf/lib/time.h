/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Units of time, and the latency of an endpoint, which connect reads and sockops feeds. */
#ifndef WEFT_BPF_TIME_H
#define WEFT_BPF_TIME_H

#include "weft/lb.h"

#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

/* In one load: never half of an old pair and half of a new one. */
static __always_inline struct weft_ewma ewma_read(const struct weft_ewma *at)
{
	__u64 word = *(volatile const __u64 *)at;

	return (struct weft_ewma){ .us = (__u32)word, .at_ms = (__u32)(word >> 32) };
}

static __always_inline struct weft_ewma latency_read(const struct weft_bstate *state)
{
	return ewma_read(&state->ewma);
}

#endif

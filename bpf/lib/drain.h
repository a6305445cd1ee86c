/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whether the endpoint of a connection drains, as the programs ask. */
#ifndef WEFT_BPF_DRAIN_H
#define WEFT_BPF_DRAIN_H

#include <stdbool.h>

#include "maps.h"
#include "weft/drain.h"

enum drain_state { DRAIN_NONE, DRAIN_WAITS, DRAIN_DUE };

static __always_inline enum drain_state drain_state(const struct weft_flow *flow)
{
	__u32 id = flow->backend;
	const struct weft_backend *b = bpf_map_lookup_elem(&weft_backends, &id);
	const struct weft_bstate *s = bpf_map_lookup_elem(&weft_bstate, &id);
	__u64 at;

	if (!b || !s)
		return DRAIN_NONE;
	at = weft_drain_deadline(b, s, flow->gen);
	if (!at)
		return DRAIN_NONE;
	return at <= bpf_ktime_get_ns() ? DRAIN_DUE : DRAIN_WAITS;
}

static __always_inline bool drain_vanished(const struct weft_flow *flow)
{
	__u32 id = flow->backend;
	const struct weft_backend *b = bpf_map_lookup_elem(&weft_backends, &id);
	const struct weft_bstate *s = bpf_map_lookup_elem(&weft_bstate, &id);

	return b && s && weft_drain_vanished(b, s, flow->gen, bpf_ktime_get_ns());
}

#endif

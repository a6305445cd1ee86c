/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counting: reasons, and the row of metrics that a flow belongs to. */
#ifndef WEFT_BPF_COUNT_H
#define WEFT_BPF_COUNT_H

#include <stdbool.h>

#include "maps.h"
#include "weft/lb.h"

__weak const struct weft_edge count_zero_edge = {};

static __always_inline void count(enum weft_reason reason)
{
	__u32 key = reason;
	__u64 *n = bpf_map_lookup_elem(&weft_counts, &key);

	if (n)
		*n += 1; /* per CPU; a preempted program may lose one, which a statistic can bear */
}

/* The row, made when it is not there; NULL when the table is full, which is counted. */
static __always_inline struct weft_edge *count_edge(__u64 caller, __u32 service, __u32 backend, __u32 gen)
{
	struct weft_edge_key key = { .caller = caller, .service = service, .backend = backend, .gen = gen };
	struct weft_edge *edge = bpf_map_lookup_elem(&weft_edges, &key);

	if (edge)
		return edge;
	/* Two CPUs may both come here: the second one's insertion fails with EEXIST and both find the same row. */
	bpf_map_update_elem(&weft_edges, &key, &count_zero_edge, BPF_NOEXIST);
	edge = bpf_map_lookup_elem(&weft_edges, &key);
	if (!edge)
		count(WEFT_R_EDGES_FULL);
	return edge;
}

/* The row that connect() made; NULL when the agent has removed it since, because its endpoint is gone: it must not come
 * back. */
static __always_inline struct weft_edge *count_flow_edge(const struct weft_flow *flow)
{
	struct weft_edge_key key = {
		.caller = flow->caller, .service = flow->service, .backend = flow->backend, .gen = flow->gen
	};

	return bpf_map_lookup_elem(&weft_edges, &key);
}

static __always_inline void count_hist(__u64 *buckets, __u64 *sum, __u64 us)
{
	__u32 i = weft_hist_bucket(us);

	if (i < WEFT_HIST)
		__sync_fetch_and_add(&buckets[i], 1);
	__sync_fetch_and_add(sum, us);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From a service to an endpoint. The arithmetic is in weft/lb.h; this is the walk through the maps. The spec is
 * immutable as long as this program runs, so everything read here belongs together. pick() and pick_scan() are global
 * functions: the verifier walks each once, and not once for every way that leads to it.
 */
#ifndef WEFT_BPF_PICK_H
#define WEFT_BPF_PICK_H

#include <stdbool.h>

#include "lib/time.h"
#include "maps.h"
#include "weft/lb.h"

/* Backend id at index @i of the arena, 0 when out of range. */
static __always_inline __u32 pick_slot(__u32 i)
{
	__u32 group = i / WEFT_SLOT_GROUP;
	const struct weft_slot_group *g = bpf_map_lookup_elem(&weft_slots, &group);

	return g ? g->id[i % WEFT_SLOT_GROUP] : 0;
}

/* The backend when it takes new connections for this service, else NULL. */
static __always_inline const struct weft_backend *pick_usable(__u32 id, __u32 service)
{
	const struct weft_backend *b;

	if (!id)
		return NULL;
	b = bpf_map_lookup_elem(&weft_backends, &id);
	if (!b || !(*(volatile const __u32 *)&b->flags & WEFT_BACKEND_F_READY) || b->service != service)
		return NULL;
	return b;
}

static __always_inline bool pick_candidate(__u32 id, __u32 service, bool latency, __u32 now_ms,
					   struct weft_lb_candidate *ret)
{
	const struct weft_backend *b = pick_usable(id, service);
	const struct weft_bstate *s;

	if (!b)
		return false;
	s = bpf_map_lookup_elem(&weft_bstate, &id);
	if (!s)
		return false;
	ret->active = *(volatile const __u32 *)&s->active;
	ret->weight = b->weight ? b->weight : 1;
	ret->ewma_us = 0;
	if (latency)
		ret->ewma_us = weft_ewma_now(latency_read(s), now_ms);
	return true;
}

static __always_inline __u32 pick_random(const struct weft_spec *spec)
{
	return pick_slot(spec->slot_base + weft_lb_scale(bpf_get_prandom_u32(), spec->nr_slots));
}

/* Two at random by weight; the better of the two that are usable, 0 when neither is. */
static __always_inline __u32 pick_better_of_two(const struct weft_spec *spec, bool latency, __u32 now_ms)
{
	struct weft_lb_candidate a = {}, b = {};
	__u32 first = pick_random(spec);
	__u32 second = pick_random(spec);
	bool first_ok, second_ok;

	/* Drawing the same one twice is no choice: one more draw, and then it may stay. */
	if (first == second)
		second = pick_random(spec);
	first_ok = pick_candidate(first, spec->service, latency, now_ms, &a);
	second_ok = pick_candidate(second, spec->service, latency, now_ms, &b);
	if (!first_ok || !second_ok)
		return first_ok ? first : second_ok ? second : 0;
	if (latency)
		return weft_lb_cheaper(&a, &b, spec->avg_weight) ? first : second;
	return weft_lb_fewer(&a, &b) ? first : second;
}

static __always_inline __u32 pick_next(const struct weft_spec *spec)
{
	__u32 service = spec->service;
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);
	__u32 turn = s ? __sync_fetch_and_add(&s->next, 1) : bpf_get_prandom_u32();

	return pick_slot(spec->slot_base + turn % spec->nr_slots);
}

/* The @attempt-th candidate by the service's policy; 0: none this time. spec->nr_slots > 0. */
static __always_inline __u32 pick_by_policy(const struct weft_spec *spec, __u32 hash, __u32 now_ms, __u32 attempt)
{
	switch ((enum weft_lb)spec->lb) {
	case WEFT_LB_P2C_EWMA:
		return pick_better_of_two(spec, true, now_ms);
	case WEFT_LB_LEAST_REQUEST:
		return pick_better_of_two(spec, false, now_ms);
	case WEFT_LB_ROUND_ROBIN:
		return pick_next(spec);
	case WEFT_LB_RANDOM:
		return pick_random(spec);
	case WEFT_LB_MAGLEV:
		if (!spec->table_size)
			return 0;
		return pick_slot(spec->table_base + (hash + attempt) % spec->table_size);
	case WEFT_LB_SOURCE_HASH:
		return pick_slot(spec->slot_base + (weft_lb_scale(hash, spec->nr_slots) + attempt) % spec->nr_slots);
	case WEFT_LB_MAX:
		break;
	}
	return 0;
}

/* The first usable one of at most WEFT_PICK_SCAN slots in order from @start, which may be any number; 0: none. */
__weak __noinline __u32 pick_scan(__u32 slot_base, __u32 nr_slots, __u32 service, __u32 start)
{
	for (__u32 i = 0; i < WEFT_PICK_SCAN; i++) {
		__u32 id;

		if (i >= nr_slots || !nr_slots)
			return 0;
		id = pick_slot(slot_base + (start + i) % nr_slots);
		if (pick_usable(id, service))
			return id;
	}
	return 0;
}

/* An endpoint of spec @id that takes new connections, or 0. @hash: of the caller, for the policies that hash. */
__weak __noinline __u32 pick(__u32 id, __u32 hash, __u32 now_ms)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &id);

	if (!spec || !spec->nr_slots)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 attempt = 0; attempt < WEFT_PICK_TRIES; attempt++) {
		__u32 backend = pick_by_policy(spec, hash, now_ms, attempt);

		if (pick_usable(backend, spec->service))
			return backend;
	}
	return pick_scan(spec->slot_base, spec->nr_slots, spec->service, hash ? hash : bpf_get_prandom_u32());
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From a service to an endpoint. The arithmetic is in weft/lb.h and weft/level.h; this is the walk through the maps.
 * The spec is immutable as long as this program runs, so everything read here belongs together.
 *
 * The order: a level by its share of the load; in it, candidates by the policy, then its slots in order; then the other
 * levels; and when no endpoint at all is usable, while the available share of the service is below its panic threshold,
 * those that are ejected or unhealthy. pick() and its parts are global functions: the verifier walks each once, and not
 * once for every way that leads to them.
 */
#ifndef WEFT_BPF_PICK_H
#define WEFT_BPF_PICK_H

#include <stdbool.h>

#include "lib/endpoint.h"
#include "lib/time.h"
#include "maps.h"
#include "weft/lb.h"
#include "weft/level.h"

/* Backend id at index @i of the arena, 0 when out of range. */
static __always_inline __u32 pick_slot(__u32 i)
{
	__u32 group = i / WEFT_SLOT_GROUP;
	const struct weft_slot_group *g = bpf_map_lookup_elem(&weft_slots, &group);

	return g ? g->id[i % WEFT_SLOT_GROUP] : 0;
}

/* The backend when it is of this service's published set, else NULL. */
static __always_inline const struct weft_backend *pick_ready(__u32 id, __u32 service)
{
	const struct weft_backend *b;

	if (!id)
		return NULL;
	b = bpf_map_lookup_elem(&weft_backends, &id);
	if (!b || !(*(volatile const __u16 *)&b->flags & WEFT_BACKEND_F_READY) || b->service != service)
		return NULL;
	return b;
}

/* May it be used, but for bits in @overlook of its .out? An ejection whose time is over ends here. */
static __always_inline bool pick_in_service(__u32 id, const struct weft_bstate *state, __u32 overlook)
{
	__u32 out = *(volatile const __u32 *)&state->out;

	if (!(out & ~overlook))
		return true;
	return out == WEFT_OUT_EJECTED && endpoint_returned(id);
}

/* The backend when it takes new connections for this service, else NULL. */
static __always_inline const struct weft_backend *pick_usable(__u32 id, __u32 service)
{
	const struct weft_backend *b = pick_ready(id, service);
	const struct weft_bstate *state;

	if (!b)
		return NULL;
	state = bpf_map_lookup_elem(&weft_bstate, &id);
	return state && pick_in_service(id, state, 0) ? b : NULL;
}

/* Has it a place left? Only a glance: endpoint_take() decides. */
static __always_inline bool pick_has_room(const struct weft_spec *spec, const struct weft_bstate *state)
{
	if (spec->max_endpoint_connections && *(volatile const __u32 *)&state->active >= spec->max_endpoint_connections)
		return false;
	return !spec->max_endpoint_pending || *(volatile const __u32 *)&state->pending < spec->max_endpoint_pending;
}

/* A new endpoint is passed over as often as its share of the slow start says. */
static __always_inline bool pick_warm(const struct weft_spec *spec, const struct weft_bstate *state, __u64 now)
{
	__u64 since = *(volatile const __u64 *)&state->since_ns;
	__u64 age_ms;

	if (!spec->slow_start_ms || !since)
		return true;
	age_ms = now > since ? (now - since) / NS_PER_MS : 0;
	if (age_ms >= spec->slow_start_ms)
		return true;
	return weft_lb_scale(bpf_get_prandom_u32(), 100) <
	       weft_slow_start(age_ms, spec->slow_start_ms, spec->slow_start_percent);
}

static __always_inline bool pick_candidate(const struct weft_spec *spec, __u32 id, bool latency, __u64 now,
					   struct weft_lb_candidate *ret)
{
	const struct weft_backend *b = pick_ready(id, spec->service);
	const struct weft_bstate *s;

	if (!b)
		return false;
	s = bpf_map_lookup_elem(&weft_bstate, &id);
	if (!s || !pick_in_service(id, s, 0) || !pick_has_room(spec, s) || !pick_warm(spec, s, now))
		return false;
	ret->active = *(volatile const __u32 *)&s->active;
	ret->weight = b->weight ? b->weight : 1;
	ret->ewma_us = 0;
	if (latency)
		ret->ewma_us = weft_ewma_now(latency_read(s), (__u32)(now / NS_PER_MS));
	return true;
}

/* Level @i of @spec, NULL when there is none. The check must stay next to the use: older verifiers forget it otherwise.
 */
static __always_inline const struct weft_level *pick_level_at(const struct weft_spec *spec, __u64 i)
{
	asm volatile("" : "+r"(i));
	return i < WEFT_LEVELS ? &spec->level[i] : NULL;
}

static __always_inline __u32 pick_random(const struct weft_level *l)
{
	return pick_slot(l->slot_base + weft_lb_scale(bpf_get_prandom_u32(), l->nr_slots));
}

/* Two at random by weight; the better of the two that are usable, 0 when neither is. */
__weak __noinline __u32 pick_better_of_two(__u32 spec_id, __u32 level, __u32 latency, __u64 now)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_lb_candidate a = {}, b = {};
	const struct weft_level *l;
	__u32 first, second;
	bool first_ok, second_ok;

	l = spec ? pick_level_at(spec, level) : NULL;
	if (!l)
		return 0;
	first = pick_random(l);
	second = pick_random(l);
	/* Drawing the same one twice is no choice: one more draw, and then it may stay. */
	if (first == second)
		second = pick_random(l);
	first_ok = pick_candidate(spec, first, latency, now, &a);
	second_ok = pick_candidate(spec, second, latency, now, &b);
	if (!first_ok || !second_ok)
		return first_ok ? first : second_ok ? second : 0;
	if (latency)
		return weft_lb_cheaper(&a, &b, l->avg_weight) ? first : second;
	return weft_lb_fewer(&a, &b) ? first : second;
}

static __always_inline __u32 pick_next(const struct weft_spec *spec, const struct weft_level *l)
{
	__u32 service = spec->service;
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);
	__u32 turn = s ? __sync_fetch_and_add(&s->next, 1) : bpf_get_prandom_u32();

	return pick_slot(l->slot_base + turn % l->nr_slots);
}

/* The @attempt-th candidate by the service's policy, which may be usable or not; 0: none this time. l->nr_slots > 0. */
static __always_inline __u32 pick_by_policy(const struct weft_spec *spec, const struct weft_level *l, __u32 hash,
					    __u32 attempt)
{
	switch ((enum weft_lb)spec->lb) {
	case WEFT_LB_ROUND_ROBIN:
		return pick_next(spec, l);
	case WEFT_LB_MAGLEV:
		if (!l->table_size)
			return 0;
		return pick_slot(l->table_base + (hash + attempt) % l->table_size);
	case WEFT_LB_SOURCE_HASH:
		return pick_slot(l->slot_base + (weft_lb_scale(hash, l->nr_slots) + attempt) % l->nr_slots);
	default:
		return pick_random(l);
	}
}

/*
 * The first usable one of at most WEFT_PICK_SCAN slots of a level in order from @start, which may be any number; 0:
 * none. @overlook: bits of .out that do not matter.
 */
__weak __noinline __u32 pick_scan(__u32 spec_id, __u32 level, __u32 start, __u32 overlook)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	const struct weft_level *l;

	l = spec ? pick_level_at(spec, level) : NULL;
	if (!l)
		return 0;
	for (__u32 i = 0; i < WEFT_PICK_SCAN; i++) {
		const struct weft_bstate *state;
		__u32 id;

		if (i >= l->nr_slots || !l->nr_slots)
			return 0;
		id = pick_slot(l->slot_base + (start + i) % l->nr_slots);
		if (!pick_ready(id, spec->service))
			continue;
		state = bpf_map_lookup_elem(&weft_bstate, &id);
		if (state && pick_in_service(id, state, overlook) && pick_has_room(spec, state))
			return id;
	}
	return 0;
}

/* A usable endpoint of one level, or 0. */
__weak __noinline __u32 pick_in_level(__u32 spec_id, __u32 level, __u32 hash, __u64 now)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_lb_candidate c;
	const struct weft_level *l;
	bool by_hash;

	l = spec ? pick_level_at(spec, level) : NULL;
	if (!l)
		return 0;
	if (!l->nr_slots)
		return 0;
	by_hash = spec->lb == WEFT_LB_MAGLEV || spec->lb == WEFT_LB_SOURCE_HASH;
#pragma clang loop unroll(disable)
	for (__u32 attempt = 0; attempt < WEFT_PICK_TRIES; attempt++) {
		__u32 id;

		if (spec->lb == WEFT_LB_P2C_EWMA || spec->lb == WEFT_LB_LEAST_REQUEST) {
			id = pick_better_of_two(spec_id, level, spec->lb == WEFT_LB_P2C_EWMA, now);
			if (id)
				return id;
			continue;
		}
		id = pick_by_policy(spec, l, hash, attempt);
		if (pick_candidate(spec, id, false, now, &c))
			return id;
	}
	return pick_scan(spec_id, level, by_hash ? hash : bpf_get_prandom_u32(), 0);
}

/* The level whose share of the load this connect falls into. Callers that are hashed stay in theirs. */
__weak __noinline __u32 pick_level(__u32 spec_id, __u32 hash)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_loads loads = {};
	const struct weft_sstate *s;
	__u32 service, at;

	if (!spec)
		return 0;
	service = spec->service;
	s = bpf_map_lookup_elem(&weft_sstate, &service);
	if (!s)
		return 0;
	WEFT_ROLLED
	for (__u32 i = 0; i < WEFT_LEVELS; i++) {
		if (i >= spec->nr_levels)
			break;
		loads.health[i] = weft_level_health(spec->level[i].nr_backends,
						    *(volatile const __u32 *)&s->unavailable[i]);
		loads.cap[i] = spec->level[i].cap;
	}
	weft_level_loads(&loads);
	at = hash ? (__u32)(weft_hash_mix(hash) >> 32) : bpf_get_prandom_u32();
	return weft_level_at(&loads, weft_lb_scale(at, WEFT_WHOLE));
}

/* Of all endpoints of @spec, how many there are and how many take no connections. */
struct pick_census {
	__u32 endpoints, unavailable;
};

static __always_inline struct pick_census pick_count(const struct weft_spec *spec)
{
	__u32 service = spec->service;
	const struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);
	struct pick_census c = {};

	for (__u32 i = 0; s && i < WEFT_LEVELS; i++) {
		if (i >= spec->nr_levels)
			break;
		c.endpoints += spec->level[i].nr_backends;
		c.unavailable += *(volatile const __u32 *)&s->unavailable[i];
	}
	return c;
}

/* One that is ejected or unhealthy, when so few are not that there is nothing to lose; 0: no panic, or none. */
__weak __noinline __u32 pick_panic(__u32 spec_id)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct pick_census c;
	__u64 available;
	__u32 id = 0;

	if (!spec || !spec->panic_percent)
		return 0;
	c = pick_count(spec);
	available = c.unavailable < c.endpoints ? c.endpoints - c.unavailable : 0;
	if (available * 100 >= (__u64)c.endpoints * spec->panic_percent)
		return 0;
	for (__u32 i = 0; i < WEFT_LEVELS && !id; i++) {
		if (i >= spec->nr_levels)
			break;
		id = pick_scan(spec_id, i, bpf_get_prandom_u32(), WEFT_OUT_PANIC);
	}
	if (id)
		count(WEFT_R_PANIC);
	return id;
}

/* An endpoint of spec @id that takes new connections, or 0. @hash: of the caller, for the policies that hash; else 0.
 */
__weak __noinline __u32 pick(__u32 id, __u32 hash, __u64 now)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &id);
	__u32 level = 0, backend;

	if (!spec || !spec->nr_levels)
		return 0;
	if (spec->nr_levels > 1)
		level = pick_level(id, hash);
	backend = pick_in_level(id, level, hash, now);
	if (!backend && spec->nr_levels > 1) {
		for (__u32 i = 0; i < WEFT_LEVELS && !backend; i++) {
			if (i >= spec->nr_levels)
				break;
			if (i != level)
				backend = pick_in_level(id, i, hash, now);
		}
	}
	return backend ? backend : pick_panic(id);
}

#endif

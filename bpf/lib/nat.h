/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Translations of connections that failed over: two entries each, one for each direction. They live as long as the
 * connection and TIME_WAIT after it, in a hash that refuses when it is full.
 */
#ifndef WEFT_BPF_NAT_H
#define WEFT_BPF_NAT_H

#include "lib/count.h"
#include "weft/handshake.h"

/* Writers: failover, sockops. Full: the connect that would fail over does not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEFT_DEF_NAT);
	__type(key, struct weft_nat_key);
	__type(value, struct weft_nat);
} weft_nat __weak SEC(".maps");

#define NAT_LINGER_NS 60000000000ull /* as long as the kernel keeps TIME_WAIT */
#define NAT_SHORT_NS  2000000000ull  /* of a connection that leaves nothing behind */
#define NAT_SWEEP_NS  1000000000ull  /* how often it is looked whose time is over */

#ifndef CLOCK_MONOTONIC
#define CLOCK_MONOTONIC 1
#endif

__weak const struct weft_nat nat_zero = {};

/* Counts entries in or out. The count is the gate that all packets but SYNs and the like pass first. */
static __always_inline void nat_count(int by)
{
	__u32 zero = 0;
	struct weft_config *c = bpf_map_lookup_elem(&weft_config, &zero);

	if (c)
		__sync_fetch_and_add(&c->moved, (__u32)by);
}

static __always_inline bool nat_any(void)
{
	__u32 zero = 0;
	const struct weft_config *c = bpf_map_lookup_elem(&weft_config, &zero);

	return c && *(volatile const __u32 *)&c->moved;
}

/* @flags: BPF_NOEXIST or BPF_ANY. */
static __always_inline bool nat_put(const struct weft_nat_key *key, const struct weft_nat *nat, __u64 flags)
{
	/* A first look keeps the count exact: an update in place is no new entry. Entries of one tuple have one writer.
	 */
	bool there = flags == BPF_ANY && bpf_map_lookup_elem(&weft_nat, key);

	if (bpf_map_update_elem(&weft_nat, key, nat, flags))
		return false;
	if (!there)
		nat_count(1);
	return true;
}

static __always_inline void nat_remove(const struct weft_nat_key *key)
{
	if (!bpf_map_delete_elem(&weft_nat, key))
		nat_count(-1);
}

/* The key of the answers to what @nat makes of @tuple. */
static __always_inline void nat_answer_key(const struct weft_tuple *tuple, const struct weft_nat *nat,
					   struct weft_nat_key *ret)
{
	ret->tuple.client = tuple->client;
	ret->tuple.client_port_be = nat->client_port_be;
	ret->tuple.server = nat->server;
	ret->tuple.server_port_be = nat->server_port_be;
	ret->back = 1;
}

/* Both entries of the connection that its client's socket knows as @tuple. Returns 0. */
static __noinline int nat_forget(const struct weft_tuple *tuple)
{
	struct weft_nat_key key = {}, answer = {};
	const struct weft_nat *nat;

	if (!tuple)
		return 0;
	key.tuple = *tuple;
	nat = bpf_map_lookup_elem(&weft_nat, &key);
	if (!nat)
		return 0;
	nat_answer_key(tuple, nat, &answer);
	nat_remove(&answer);
	nat_remove(&key);
	return 0;
}

struct nat_sweep {
	__u64 now;
	__u32 left; /* 1: some are not over yet */
};

static long nat_sweep_one(void *map, struct weft_nat_key *key, struct weft_nat *nat, struct nat_sweep *s)
{
	struct weft_nat_key answer = {}, own = *key;

	if (!nat->over_ns || !own.tuple.client_port_be)
		return 0;
	if (nat->over_ns > s->now) {
		s->left = 1;
		return 0;
	}
	nat_answer_key(&own.tuple, nat, &answer);
	nat_remove(&answer);
	nat_remove(&own);
	return 0;
}

static int nat_sweep(void *map, struct weft_nat_key *key, struct weft_nat *sweeper)
{
	struct nat_sweep s = { .now = bpf_ktime_get_ns() };

	/* First: whoever ends a connection from now on, of which this may see nothing, starts the timer himself. */
	*(volatile __u64 *)&sweeper->over_ns = 0;
	bpf_for_each_map_elem(&weft_nat, nat_sweep_one, &s, 0);
	if (s.left && !bpf_timer_start(&sweeper->timer, NAT_SWEEP_NS, 0))
		*(volatile __u64 *)&sweeper->over_ns = s.now + NAT_SWEEP_NS;
	return 0;
}

/*
 * Sees to it that entries that are over are removed, whether an agent runs or not. One timer for all, which is never
 * given up: the kernel often has no memory for a timer when many are wanted at once. When it has none for this one,
 * the next connection that ends asks again.
 */
static __noinline int nat_sweep_later(__u64 now)
{
	struct weft_nat_key key = {};
	struct weft_nat *sweeper = bpf_map_lookup_elem(&weft_nat, &key);
	__u64 due;

	if (!sweeper) {
		bpf_map_update_elem(&weft_nat, &key, &nat_zero, BPF_NOEXIST);
		sweeper = bpf_map_lookup_elem(&weft_nat, &key);
	}
	if (!sweeper)
		return 0;
	due = *(volatile __u64 *)&sweeper->over_ns;
	if (due && now < due + NAT_SWEEP_NS)
		return 0;
	/* It may be there already; and its program may be of an agent that was replaced. */
	bpf_timer_init(&sweeper->timer, &weft_nat, CLOCK_MONOTONIC);
	if (bpf_timer_set_callback(&sweeper->timer, nat_sweep) || bpf_timer_start(&sweeper->timer, NAT_SWEEP_NS, 0))
		return 0;
	*(volatile __u64 *)&sweeper->over_ns = now + NAT_SWEEP_NS;
	return 0;
}

/* The connection has ended; packets may still come for @ns. */
static __always_inline void nat_linger(const struct weft_tuple *tuple, __u64 ns)
{
	struct weft_nat_key key = { .tuple = *tuple };
	struct weft_nat *nat = bpf_map_lookup_elem(&weft_nat, &key);
	__u64 now = bpf_ktime_get_ns();

	if (!nat)
		return;
	nat->over_ns = now + ns;
	nat_sweep_later(now);
}

#endif

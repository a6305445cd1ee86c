/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sending a connect on to its next endpoint: choosing it, translating for it, and what the books say of it. */
#ifndef WEFT_BPF_MOVE_H
#define WEFT_BPF_MOVE_H

#include "lib/path.h"
#include "lib/retry.h"

#define PORT_LOW   1024u /* client ports of moved connections: below those that the kernel gives out by default */
#define PORT_SPAN  31744u
#define PORT_DRAWS 6
#define MOVE_LOOKS 4

/* The stack is too small for the way from a packet to the next endpoint. Hooks run with softirqs off: one user a CPU.
 */
struct failover_scratch {
	struct tried tried;
	__u32 id; /* of the endpoint to try next */
	struct weft_nat nat, back;
	struct weft_nat_key key;
	struct weft_nat_key ends; /* of the packet, as client to server */
	struct weft_tuple turned; /* the same, as server to client */
	__u32 local;		  /* the next endpoint is at an address of this host */
	struct weft_nat_key look;
	struct weft_tuple known; /* the connection as its client's socket knows it */
	struct bpf_sock_tuple sock;
	struct bpf_fib_lookup fib;
	__u32 tcp[15], old[5]; /* headers */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct failover_scratch);
} weft_scratch SEC(".maps");

/* Try @i, NULL when there is none. The verifier wants the check next to the use, where it may not be optimised away. */
static __always_inline struct weft_try *try_at(struct weft_handshake *hs, __u64 i)
{
	asm volatile("" : "+r"(i));
	return i < WEFT_TRIES ? &hs->tried[i] : NULL;
}

/* Has this host's @t->client a socket at @x->nat's port, which an answer of that endpoint would reach? */
static __always_inline bool move_port_in_use(struct __sk_buff *skb, const struct weft_tuple *t,
					     struct failover_scratch *x)
{
	struct bpf_sock_tuple *ends = &x->sock;
	__u32 len = sizeof(ends->ipv6);
	struct bpf_sock *sk;

	if (weft_addr_is_v4(&x->nat.server)) {
		len = sizeof(ends->ipv4);
		ends->ipv4.saddr = weft_addr_word(&x->nat.server, 3);
		ends->ipv4.daddr = weft_addr_word(&t->client, 3);
		ends->ipv4.sport = x->nat.server_port_be;
		ends->ipv4.dport = x->nat.client_port_be;
	} else {
		__builtin_memcpy(ends->ipv6.saddr, &x->nat.server, 16);
		__builtin_memcpy(ends->ipv6.daddr, &t->client, 16);
		ends->ipv6.sport = x->nat.server_port_be;
		ends->ipv6.dport = x->nat.client_port_be;
	}
	sk = bpf_skc_lookup_tcp(skb, ends, len, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/* Puts x->nat and x->back in, at a client port that nobody uses. 0, or -1: there is no room. */
static __noinline int move_enter(struct __sk_buff *skb, const struct weft_tuple *t, struct failover_scratch *x)
{
	struct weft_nat *nat;

	if (!t || !x)
		return -1;
	nat = &x->nat;
	__builtin_memset(&x->key, 0, sizeof(x->key));
#pragma clang loop unroll(disable)
	for (int i = 0; i < PORT_DRAWS; i++) {
		nat->client_port_be = bpf_htons((__u16)(PORT_LOW + weft_lb_scale(bpf_get_prandom_u32(), PORT_SPAN)));
		if (nat->way == WEFT_WAY_EGRESS && move_port_in_use(skb, t, x))
			continue;
		nat_answer_key(t, nat, &x->key);
		if (!nat_put(&x->key, &x->back, BPF_NOEXIST))
			continue;
		x->key.tuple = *t;
		x->key.back = 0;
		if (nat_put(&x->key, nat, BPF_ANY))
			return 0;
		nat_answer_key(t, nat, &x->key);
		nat_remove(&x->key);
		break;
	}
	count(WEFT_R_NAT_FULL);
	return -1;
}

/* Entries for both directions; x->nat is the forward one. */
static __noinline int move_translate(struct __sk_buff *skb, const struct weft_tuple *t, const struct weft_handshake *hs,
				     const struct weft_backend *b, struct failover_scratch *x)
{
	struct weft_nat *nat, *back;

	if (!t || !hs || !b || !x)
		return -1;
	nat = &x->nat;
	back = &x->back;
	__builtin_memset(nat, 0, sizeof(*nat));
	__builtin_memset(back, 0, sizeof(*back));
	nat->server = b->addr;
	nat->server_port_be = b->port_be;
	nat->ifindex = hs->ifindex;
	nat->way = hs->way;
	nat->local = (__u8)x->local;
	if (hs->way == WEFT_WAY_INGRESS)
		path_find_mac(skb, t, nat, &x->fib);
	else
		__builtin_memcpy(nat->mac, hs->mac, sizeof(nat->mac));
	back->server = t->server;
	back->server_port_be = t->server_port_be;
	back->client_port_be = t->client_port_be;
	back->ifindex = hs->ifindex;
	back->way = hs->way;
	__builtin_memcpy(back->mac, hs->mac, sizeof(back->mac));
	return move_enter(skb, t, x);
}

static __always_inline enum weft_reason move_reason(__u32 failure)
{
	return failure == WEFT_FAIL_REFUSED	? WEFT_R_MOVED_REFUSED
	       : failure == WEFT_FAIL_TIMED_OUT ? WEFT_R_MOVED_SILENT
						: WEFT_R_MOVED_UNREACHABLE;
}

/* Returns 0. */
static __noinline int move_account(const struct weft_handshake *hs, const struct weft_try *from, __u32 to, __u32 gen,
				   __u32 failure)
{
	struct weft_bstate *state;
	struct weft_edge *edge;
	__u32 old;

	if (!hs || !from)
		return 0;
	old = from->backend;
	endpoint_give_back(old, true);
	endpoint_failed(hs->service, old, from->gen, hs->caller, (enum weft_failure)failure, move_reason(failure),
			true);
	state = bpf_map_lookup_elem(&weft_bstate, &old);
	if (state)
		__sync_fetch_and_add(&state->moved, 1);
	state = bpf_map_lookup_elem(&weft_bstate, &to);
	if (state)
		__sync_fetch_and_add(&state->opened, 1);
	edge = count_edge(hs->caller, hs->service, to, gen);
	if (edge)
		__sync_fetch_and_add(&edge->opened, 1);
	return 0;
}

static __always_inline void tried_add(struct tried *t, __u32 id)
{
	__u64 i = t->nr;

	asm volatile("" : "+r"(i));
	if (i >= 2 * WEFT_TRIES)
		return;
	t->id[i] = id;
	t->nr = (__u32)i + 1;
}

enum { MOVE_DONE, MOVE_TRY_ANOTHER, MOVE_STOP, MOVE_OVER };

/* Gives the connect to endpoint @x->id, as try @hs->nr_tries, when it can be reached and has room. MOVE_*. */
static __noinline int move_to(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs,
			      const struct weft_spec *spec, struct failover_scratch *x)
{
	const struct weft_backend *b;
	struct weft_try *old, *next;
	__u32 id, was;
	int path;

	if (!t || !hs || !spec || !x)
		return MOVE_STOP;
	id = x->id;
	b = bpf_map_lookup_elem(&weft_backends, &id);
	old = try_at(hs, hs->holder);
	next = try_at(hs, hs->nr_tries);
	if (!b || !old || !next)
		return MOVE_STOP;
	was = old->backend;
	path = path_to(skb, hs, t, &b->addr);
	if (path == PATH_NONE) {
		count(WEFT_R_MOVE_NO_PATH);
		return MOVE_TRY_ANOTHER;
	}
	if (!endpoint_take(spec, id, true))
		return MOVE_TRY_ANOTHER;
	x->local = path == PATH_LOCAL;
	if (move_translate(skb, t, hs, b, x)) {
		endpoint_give_back(id, true);
		return MOVE_STOP;
	}
	next->addr = b->addr;
	next->backend = id;
	next->gen = b->gen;
	next->port_be = b->port_be;
	next->client_port_be = x->nat.client_port_be;
	next->flags = x->local ? WEFT_TRY_F_LOCAL : 0;
	hs->gen = b->gen;
	/* First, so that whoever ends it knows of this one, too. */
	*(volatile __u8 *)&hs->nr_tries += 1;
	if (__sync_val_compare_and_swap(&hs->backend, was, id) == was)
		return MOVE_DONE;
	/* The application gave up in this moment. */
	nat_forget(t);
	endpoint_give_back(id, true);
	return MOVE_OVER;
}

/*
 * Sends the connect of @t on, because the endpoint it waits for failed by @failure. The index of the next one; -1:
 * there is none; -2: somebody else is at it, or it is over.
 */
static __noinline int move_on(struct __sk_buff *skb, const struct weft_tuple *t, __u32 failure)
{
	__u32 spec_id, n, zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	const struct weft_spec *spec;
	struct weft_handshake *hs;
	const struct weft_try *old;
	int r = MOVE_STOP;

	if (!t || !x)
		return -1;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (!hs || (hs->flags & WEFT_HANDSHAKE_F_FIXED))
		return -1;
	if (__sync_val_compare_and_swap(&hs->busy, 0, 1))
		return -2;
	spec_id = service_spec(hs->service);
	spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	n = hs->nr_tries;
	old = try_at(hs, hs->holder);
	if (!spec || !old || n < 1 || n >= WEFT_TRIES || *(volatile __u32 *)&hs->settled)
		goto out;
	x->tried.nr = n;
	for (__u32 i = 0; i < WEFT_TRIES; i++)
		x->tried.id[i] = hs->tried[i].backend;
#pragma clang loop unroll(disable)
	for (int look = 0; look < MOVE_LOOKS; look++) {
		x->id = retry_pick(spec_id, &x->tried);
		if (!x->id)
			break;
		tried_add(&x->tried, x->id);
		r = move_to(skb, t, hs, spec, x);
		if (r != MOVE_TRY_ANOTHER)
			break;
	}
	if (r == MOVE_DONE) {
		move_account(hs, old, x->id, hs->gen, failure);
		hs->holder = n;
		hs->aim = (__u8)n;
	} else if (r != MOVE_OVER) {
		count(WEFT_R_MOVE_EXHAUSTED);
	}
out:
	__sync_lock_test_and_set(&hs->busy, 0);
	return r == MOVE_DONE ? (int)n : r == MOVE_OVER ? -2 : -1;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What connect and sendmsg have in common: address to service, caller, affinity, endpoint, and the errno of a refusal.
 */
#ifndef WEFT_BPF_SERVICE_H
#define WEFT_BPF_SERVICE_H

#include <linux/errno.h>

#include "lib/count.h"
#include "lib/flow.h"
#include "lib/pick.h"
#include "lib/sockaddr.h"
#include "switches.h"

/* The choice for one connect or datagram. */
struct choice {
	__u32 service;
	__u32 backend;
	__u32 gen;
	struct weft_addr addr;
	__be16 port_be;
};

/* Not one of ours: 0. */
static __always_inline __u32 service_find(const struct weft_frontend_key *key)
{
	const struct weft_frontend *f = bpf_map_lookup_elem(&weft_frontends, key);

	return f ? f->service : 0;
}

static __always_inline __u64 service_caller(void)
{
	__u32 zero = 0;
	const struct weft_config *c = bpf_map_lookup_elem(&weft_config, &zero);

	return c && (c->flags & WEFT_CONFIG_F_CALLERS) ? bpf_get_current_cgroup_id() : 0;
}

/*
 * Who calls, as hashing and affinity see it. A UDP socket that is connected already has an address that routing gave
 * it, which would make its second connect() a stranger: then the namespace speaks for it, as it did the first time.
 */
static __always_inline void service_client(struct bpf_sock_addr *ctx, __u8 by, struct weft_affinity_key *p)
{
	struct bpf_sock *sk = ctx->sk;

	p->client[0] = 0;
	p->client[1] = 0;
	p->kind = 2;
	if (by == WEFT_CLIENT_WORKLOAD) {
		p->client[0] = bpf_get_current_cgroup_id();
		return;
	}
	if (sk && sk->state != SOCK_STATE_ESTABLISHED) {
		struct weft_addr a;

		p->kind = 1;
		if (sk->family == 2 /* AF_INET */)
			weft_addr_set_v4(&a, sk->src_ip4);
		else
			weft_addr_set(&a, sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]);
		if (!weft_addr_is_any(&a)) {
			p->client[0] = (__u64)weft_addr_word(&a, 0) << 32 | weft_addr_word(&a, 1);
			p->client[1] = (__u64)weft_addr_word(&a, 2) << 32 | weft_addr_word(&a, 3);
			return;
		}
	}
	p->kind = 0;
	p->client[0] = bpf_get_netns_cookie(ctx);
}

/* The backend that affinity remembers for @key, when it may still be used; 0 else. */
static __always_inline __u32 service_remembered(const struct weft_spec *spec, const struct weft_affinity_key *key,
						__u64 now)
{
	struct weft_affinity *a = bpf_map_lookup_elem(&weft_affinity, key);
	const struct weft_backend *b;

	if (!a || now - a->used_ns > spec->affinity_ms * NS_PER_MS)
		return 0;
	b = pick_usable(a->backend, spec->service);
	if (!b || b->gen != a->gen)
		return 0;
	a->used_ns = now;
	count(WEFT_R_AFFINITY);
	return a->backend;
}

/* Subprograms from here on, for the sake of the stack. */
static __noinline __u32 service_caller_hash(struct bpf_sock_addr *ctx, __u32 by)
{
	struct weft_affinity_key client = {};

	service_client(ctx, (__u8)by, &client);
	return weft_hash_client(client.client[0], client.client[1], client.kind);
}

/* The endpoint that the caller had last, when it may still be used; 0 else. */
static __noinline __u32 service_affine(struct bpf_sock_addr *ctx, __u32 spec_id, __u64 now)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct weft_affinity_key key = {};

	if (!spec)
		return 0;
	key.service = spec->service;
	service_client(ctx, spec->affinity, &key);
	return service_remembered(spec, &key, now);
}

/* For the caller's next connect. Returns 0. */
static __noinline int service_remember(struct bpf_sock_addr *ctx, __u32 spec_id, __u32 backend, __u64 now)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	const struct weft_backend *b = bpf_map_lookup_elem(&weft_backends, &backend);
	struct weft_affinity a = { .backend = backend, .used_ns = now };
	struct weft_affinity_key key = {};

	if (!spec || !b)
		return 0;
	a.gen = b->gen;
	key.service = spec->service;
	service_client(ctx, spec->affinity, &key);
	bpf_map_update_elem(&weft_affinity, &key, &a, BPF_ANY);
	return 0;
}

/*
 * What @service publishes now, when it is no longer @before; 0 else. The agent stores the new spec first and takes
 * READY from endpoints that left second; who has seen the second store sees the first one after this barrier.
 */
static __always_inline __u32 service_newer_spec(__u32 service, __u32 before)
{
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);
	__u32 now;

	if (s)
		__sync_fetch_and_add(&s->refused, 0); /* a full barrier; BPF has no plain one on all kernels */
	now = service_spec(service);
	return now != before ? now : 0;
}

/*
 * By affinity, else by policy, with a place taken at it when @take (with @pending, of a handshake too); 0: there is
 * none.
 */
static __always_inline __u32 service_pick(struct bpf_sock_addr *ctx, const struct weft_spec *spec, __u32 spec_id,
					  __u64 now, bool take, bool pending)
{
	__u32 id, hash = 0;

	if (spec->affinity != WEFT_CLIENT_NONE) {
		id = service_affine(ctx, spec_id, now);
		if (id && (!take || endpoint_take(spec, id, pending)))
			return id;
	}
	if (spec->lb == WEFT_LB_MAGLEV || spec->lb == WEFT_LB_SOURCE_HASH)
		hash = service_caller_hash(ctx, spec->hash_by);
	id = pick(spec_id, hash, now);
	/* A place that was free when it was looked at may be taken by now. */
#pragma clang loop unroll(disable)
	for (int i = 0; take && id && i < WEFT_PICK_TRIES; i++) {
		if (endpoint_take(spec, id, pending))
			break;
		id = i + 1 < WEFT_PICK_TRIES ? pick(spec_id, hash, now) : 0;
	}
	if (id && spec->affinity != WEFT_CLIENT_NONE)
		service_remember(ctx, spec_id, id, now);
	return id;
}

enum { CHOOSE_TAKE = 1, CHOOSE_PENDING = 2 };

/* Chooses an endpoint of @service, with places taken as @how says. False: there is none. A subprogram, because
 * datagrams may draw several times. */
static __noinline bool service_choose(struct bpf_sock_addr *ctx, __u32 service, __u64 now, __u32 how,
				      struct choice *ret)
{
	__u32 spec_id = service_spec(service);
	const struct weft_backend *b;
	__u32 id = 0;

	if (!ret)
		return false;
#pragma clang loop unroll(disable)
	for (int look = 0; look < 2 && !id && spec_id; look++) {
		const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);

		/* Another service's record: ours was removed a moment ago. */
		if (!spec || spec->service != service)
			return false;
		id = service_pick(ctx, spec, spec_id, now, how & CHOOSE_TAKE, how & CHOOSE_PENDING);
		if (!id)
			spec_id = service_newer_spec(service, spec_id);
	}
	b = bpf_map_lookup_elem(&weft_backends, &id);
	if (!b || !id)
		return false;
	ret->service = service;
	ret->backend = id;
	ret->gen = b->gen;
	ret->addr = b->addr;
	ret->port_be = b->port_be;
	return true;
}

/* Why there was no endpoint. */
static __always_inline enum weft_reason service_why_none(__u32 service)
{
	__u32 spec_id = service_spec(service);
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	struct pick_census c;

	if (!spec || !(spec->max_endpoint_connections || spec->max_endpoint_pending))
		return WEFT_R_NO_BACKEND;
	c = pick_count(spec);
	return c.unavailable < c.endpoints ? WEFT_R_ENDPOINTS_FULL : WEFT_R_NO_BACKEND;
}

static __always_inline int service_refuse(__u32 service, enum weft_reason reason)
{
	struct weft_sstate *s = bpf_map_lookup_elem(&weft_sstate, &service);

	count(reason);
	if (s)
		__sync_fetch_and_add(&s->refused, 1);
	if (weft_has_retval)
		bpf_set_retval(-ECONNREFUSED);
	return REFUSE;
}

#endif

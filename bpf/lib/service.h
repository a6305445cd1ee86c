/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What connect and sendmsg have in common: address to service, caller, affinity, endpoint, and the errno of a refusal. */
#ifndef WEFT_BPF_SERVICE_H
#define WEFT_BPF_SERVICE_H

#include <linux/errno.h>
#include <linux/in.h>

#include "lib/count.h"
#include "lib/flow.h"
#include "lib/pick.h"
#include "switches.h"

#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define SOCK_STATE_ESTABLISHED 1 /* TCP_ESTABLISHED; also what a connected UDP socket is in */

enum { PROCEED = 1, REFUSE = 0 }; /* what a cgroup socket-address program returns */

/* The choice for one connect or datagram. */
struct choice {
	__u32 service;
	__u32 backend;
	__u32 gen;
	struct weft_addr addr;
	__be16 port_be;
};

/* TCP or UDP as services know it, 0 for the rest. */
static __always_inline __u8 service_proto(__u32 protocol)
{
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return IPPROTO_TCP;
	return protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
}

/* Not one of ours: 0. */
static __always_inline __u32 service_find(const struct weft_frontend_key *key)
{
	const struct weft_frontend *f = bpf_map_lookup_elem(&weft_frontends, key);

	return f ? f->service : 0;
}

static __always_inline const struct weft_spec *service_spec(__u32 service)
{
	const struct weft_service *s = bpf_map_lookup_elem(&weft_services, &service);
	__u32 spec;

	if (!s)
		return NULL;
	spec = *(volatile const __u32 *)&s->spec;
	return spec ? bpf_map_lookup_elem(&weft_specs, &spec) : NULL;
}

static __always_inline __u64 service_caller(void)
{
	__u32 zero = 0;
	const struct weft_config *c = bpf_map_lookup_elem(&weft_config, &zero);

	return c && (c->flags & WEFT_CONFIG_F_CALLERS) ? bpf_get_current_cgroup_id() : 0;
}

/*
 * Who calls, as hashing and affinity see it. A UDP socket that is connected already has an address that routing gave it, which
 * would make its second connect() a stranger: then the namespace speaks for it, as it did the first time.
 */
static __always_inline void service_client(struct bpf_sock_addr *ctx, __u8 by, struct pick *p)
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

/* The backend that affinity remembers, when it may still be used; 0 else. */
static __always_inline __u32 service_affinity_find(const struct pick *p, struct weft_affinity_key *key, __u64 now)
{
	const struct weft_spec *spec = p->spec;
	const struct weft_backend *b;
	struct weft_affinity *a;

	key->client[0] = p->client[0];
	key->client[1] = p->client[1];
	key->service = spec->service;
	key->kind = p->kind;
	a = bpf_map_lookup_elem(&weft_affinity, key);
	if (!a || now - a->used_ns > spec->affinity_ms * NS_PER_MS)
		return 0;
	b = pick_usable(a->backend, spec->service);
	if (!b || b->gen != a->gen)
		return 0;
	a->used_ns = now;
	return a->backend;
}

/* Chooses an endpoint of @service. False: there is none. */
static __always_inline bool service_choose(struct bpf_sock_addr *ctx, __u32 service, __u64 now, struct choice *ret)
{
	const struct weft_spec *spec = service_spec(service);
	struct weft_affinity_key key = {};
	struct pick p = { .spec = spec, .now_ms = (__u32)(now / NS_PER_MS) };
	const struct weft_backend *b;
	__u32 id = 0;

	/* A record that changes hands while we look at it: the frontend was removed a moment ago. */
	if (!spec || spec->service != service)
		return false;
	if (spec->affinity != WEFT_CLIENT_NONE) {
		service_client(ctx, spec->affinity, &p);
		id = service_affinity_find(&p, &key, now);
		if (id)
			count(WEFT_R_AFFINITY);
	}
	if (!id) {
		if (spec->lb == WEFT_LB_MAGLEV || spec->lb == WEFT_LB_SOURCE_HASH)
			service_client(ctx, spec->hash_by, &p);
		id = pick(&p);
		b = bpf_map_lookup_elem(&weft_backends, &id);
		if (!id || !b)
			return false;
		if (spec->affinity != WEFT_CLIENT_NONE) {
			struct weft_affinity a = { .backend = id, .gen = b->gen, .used_ns = now };

			bpf_map_update_elem(&weft_affinity, &key, &a, BPF_ANY);
		}
	} else {
		b = bpf_map_lookup_elem(&weft_backends, &id);
		if (!b)
			return false;
	}
	ret->service = service;
	ret->backend = id;
	ret->gen = b->gen;
	ret->addr = b->addr;
	ret->port_be = b->port_be;
	return true;
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

/* Context fields hold the port in the low 16 bits, in network order. */
static __always_inline void key_set_v4(struct weft_frontend_key *key, struct bpf_sock_addr *ctx, __u8 proto)
{
	weft_addr_set_v4(&key->addr, ctx->user_ip4);
	key->port_be = (__be16)ctx->user_port;
	key->proto = proto;
	key->scope = 0;
}

static __always_inline void key_set_v6(struct weft_frontend_key *key, struct bpf_sock_addr *ctx, __u8 proto)
{
	weft_addr_set(&key->addr, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
	key->port_be = (__be16)ctx->user_port;
	key->proto = proto;
	key->scope = 0;
}

static __always_inline void ctx_set_v4(struct bpf_sock_addr *ctx, const struct weft_addr *a, __be16 port_be)
{
	ctx->user_ip4 = weft_addr_word(a, 3);
	ctx->user_port = port_be;
}

static __always_inline void ctx_set_v6(struct bpf_sock_addr *ctx, const struct weft_addr *a, __be16 port_be)
{
	ctx->user_ip6[0] = weft_addr_word(a, 0);
	ctx->user_ip6[1] = weft_addr_word(a, 1);
	ctx->user_ip6[2] = weft_addr_word(a, 2);
	ctx->user_ip6[3] = weft_addr_word(a, 3);
	ctx->user_port = port_be;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Unconnected UDP: cgroup/sendmsg4 and sendmsg6 replace the destination of a datagram, recvmsg4 and recvmsg6 (see
 * peername.bpf.c) give the answer its service address back. A socket keeps to one endpoint per service, as a flow
 * through a NAT would, until that endpoint stops taking new connections. Nothing is counted as active: an unconnected
 * socket has no end of a conversation.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/admit.h"
#include "lib/service.h"

#define DATAGRAM_REDRAWS 3

/* Does another service of this socket already use this endpoint? Then an answer could not be told apart. */
__weak __noinline int datagram_shared(const struct weft_peers *peers, const struct choice *to)
{
	if (!peers || !to)
		return 0;
	for (int i = 0; i < WEFT_PEERS; i++) {
		const struct weft_peer *p = &peers->peer[i];

		if (p->service && p->service != to->service && p->port_be == to->port_be &&
		    weft_addr_equal(&p->addr, &to->addr))
			return 1;
	}
	return 0;
}

/* The entry of this service address, else a free one, else the one whose turn it is to be replaced. */
__weak __noinline int datagram_entry(const struct weft_peers *peers, const struct weft_frontend_key *key)
{
	int free = -1;

	if (!peers || !key)
		return 0;
	for (int i = 0; i < WEFT_PEERS; i++) {
		const struct weft_peer *p = &peers->peer[i];

		if (p->service && p->vip_port_be == key->port_be && weft_addr_equal(&p->vip, &key->addr))
			return i;
		if (!p->service && free < 0)
			free = i;
	}
	return free >= 0 ? free : (int)(peers->next % WEFT_PEERS);
}

/* Is this, not a service address, that of an endpoint which the socket talks to? */
__weak __noinline int datagram_known(const struct weft_peers *peers, const struct weft_frontend_key *key)
{
	if (!peers || !key)
		return 0;
	for (int i = 0; i < WEFT_PEERS; i++) {
		const struct weft_peer *p = &peers->peer[i];

		if (p->service && p->port_be == key->port_be && weft_addr_equal(&p->addr, &key->addr))
			return 1;
	}
	return 0;
}

/*
 * A datagram to an endpoint's own address, from a socket that also reaches it through a service: remembered, so that
 * the answer keeps the address that was written to.
 */
static __always_inline void datagram_direct(struct bpf_sock_addr *ctx, const struct weft_frontend_key *key)
{
	struct weft_peers *peers = bpf_sk_storage_get(&weft_peers, ctx->sk, NULL, 0);
	struct weft_peer *peer;
	__u32 i;

	if (!peers || !datagram_known(peers, key))
		return;
	i = (__u32)datagram_entry(peers, key);
	if (i >= WEFT_PEERS)
		return;
	peer = &peers->peer[i];
	peer->vip = key->addr;
	peer->vip_port_be = key->port_be;
	peer->addr = key->addr;
	peer->port_be = key->port_be;
	peer->service = WEFT_PEER_DIRECT;
	peer->backend = 0;
	peer->gen = 0;
	peer->sent_ns = bpf_ktime_get_ns();
}

static __always_inline bool datagram_choose(struct bpf_sock_addr *ctx, __u32 service, __u64 now,
					    const struct weft_peers *peers, struct choice *to)
{
	if (!service_choose(ctx, service, now, 0, to))
		return false;
#pragma clang loop unroll(disable)
	for (int i = 0; i < DATAGRAM_REDRAWS && datagram_shared(peers, to); i++)
		if (!service_choose(ctx, service, now, 0, to))
			return false;
	return true;
}

enum { UNRELATED, ITS_SERVICE, ITS_ENDPOINT };

/*
 * A socket that connect() had given an endpoint. Connected still, and this is the very service: the same endpoint,
 * since it hears no other. Or the endpoint's own address: the kernel says so for every send() on a socket connected to
 * a v4-mapped address. Dissolved by connect(AF_UNSPEC), which no hook sees: it lets go now.
 */
static __always_inline int datagram_connected(struct bpf_sock_addr *ctx, const struct weft_frontend_key *key,
					      struct choice *to)
{
	struct weft_flow *flow = bpf_sk_storage_get(&weft_flows, ctx->sk, NULL, 0);
	const struct weft_backend *b;
	__u32 id;

	if (!flow || !flow->held)
		return UNRELATED;
	if (ctx->sk->state != SOCK_STATE_ESTABLISHED) {
		flow_leave(flow);
		return UNRELATED;
	}
	id = flow->backend;
	b = bpf_map_lookup_elem(&weft_backends, &id);
	if (!b || b->gen != flow->gen)
		return UNRELATED;
	if (b->port_be == key->port_be && weft_addr_equal(&b->addr, &key->addr))
		return ITS_ENDPOINT;
	if (flow->vip_port_be != key->port_be || !weft_addr_equal(&flow->vip, &key->addr))
		return UNRELATED;
	to->addr = b->addr;
	to->port_be = b->port_be;
	return ITS_SERVICE;
}

static __always_inline void datagram_remember(struct weft_peer *peer, const struct weft_frontend_key *key,
					      const struct choice *to, __u64 now)
{
	peer->vip = key->addr;
	peer->vip_port_be = key->port_be;
	peer->addr = to->addr;
	peer->port_be = to->port_be;
	peer->backend = to->backend;
	peer->gen = to->gen;
	peer->sent_ns = now;
	peer->service = to->service;
}

/* 1: replaced; 0: refused; -1: not ours. */
static __always_inline int datagram_service(struct bpf_sock_addr *ctx, const struct weft_frontend_key *key,
					    struct choice *to)
{
	int connected = datagram_connected(ctx, key, to);
	__u32 service = connected == ITS_ENDPOINT ? 0 : service_find(key);
	const struct weft_backend *b;
	struct weft_peers *peers;
	struct weft_peer *peer;
	struct weft_edge *edge;
	__u32 i, reason;
	__u64 now;

	if (connected == ITS_ENDPOINT)
		return -1;
	if (connected == ITS_SERVICE && service) {
		count(WEFT_R_STICKY);
		return 1;
	}
	if (!service) {
		datagram_direct(ctx, key);
		count(WEFT_R_NO_SERVICE);
		return -1;
	}
	peers = bpf_sk_storage_get(&weft_peers, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!peers)
		return service_refuse(service, WEFT_R_NO_STORAGE);
	now = bpf_ktime_get_ns();
	i = (__u32)datagram_entry(peers, key);
	if (i >= WEFT_PEERS)
		return service_refuse(service, WEFT_R_NO_STORAGE);
	peer = &peers->peer[i];
	if (peer->service == service && peer->vip_port_be == key->port_be && weft_addr_equal(&peer->vip, &key->addr)) {
		b = pick_usable(peer->backend, service);
		if (b && b->gen == peer->gen) {
			peer->sent_ns = now;
			to->addr = peer->addr;
			to->port_be = peer->port_be;
			count(WEFT_R_STICKY);
			return 1;
		}
		count(WEFT_R_STALE);
	} else if (peer->service && !(peer->vip_port_be == key->port_be && weft_addr_equal(&peer->vip, &key->addr))) {
		peers->next = i + 1;
		count(WEFT_R_PEERS_REPLACED);
	}
	peer->service = 0;
	reason = admit_datagram(service, now);
	if (reason)
		return service_refuse(service, reason);
	if (!datagram_choose(ctx, service, now, peers, to))
		return service_refuse(service, WEFT_R_NO_BACKEND);
	datagram_remember(peer, key, to, now);
	edge = count_edge(service_caller(), service, to->backend, to->gen);
	if (edge)
		__sync_fetch_and_add(&edge->opened, 1);
	count(WEFT_R_FORWARDED);
	return 1;
}

SEC("cgroup/sendmsg4")
int weft_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct weft_frontend_key key;
	struct choice to;
	int r;

	key_set_v4(&key, ctx, IPPROTO_UDP);
	r = datagram_service(ctx, &key, &to);
	if (r > 0)
		ctx_set_v4(ctx, &to.addr, to.port_be);
	return r ? PROCEED : REFUSE;
}

SEC("cgroup/sendmsg6")
int weft_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct weft_frontend_key key;
	struct choice to;
	int r;

	key_set_v6(&key, ctx, IPPROTO_UDP);
	r = datagram_service(ctx, &key, &to);
	if (r > 0)
		ctx_set_v6(ctx, &to.addr, to.port_be);
	return r ? PROCEED : REFUSE;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

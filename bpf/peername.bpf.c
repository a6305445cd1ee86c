/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The application sees the address it asked for: getpeername(), and the source of received datagrams. The address that
 * the kernel is about to report must be that of the endpoint we chose; any other is the truth already and stays as it
 * is.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/sockaddr.h"
#include "maps.h"

/* @seen: what the kernel would report. True: *ret holds the service address. */
static __always_inline bool peer_of_flow(struct bpf_sock_addr *ctx, const struct weft_frontend_key *seen,
					 struct weft_frontend_key *ret)
{
	const struct weft_flow *flow = bpf_sk_storage_get(&weft_flows, ctx->sk, NULL, 0);

	if (!flow || (!flow->held && flow->state != WEFT_FLOW_ALIAS))
		return false;
	if (flow->dest_port_be != seen->port_be || !weft_addr_equal(&flow->dest, &seen->addr))
		return false;
	ret->addr = flow->vip;
	ret->port_be = flow->vip_port_be;
	return true;
}

/* Of several services behind the same endpoint, the one that was written to last. */
__weak __noinline int peer_latest(const struct weft_peers *peers, const struct weft_frontend_key *seen)
{
	__u64 latest = 0;
	int found = -1;

	if (!peers || !seen)
		return -1;
	for (int i = 0; i < WEFT_PEERS; i++) {
		const struct weft_peer *p = &peers->peer[i];

		if (p->service && p->port_be == seen->port_be && weft_addr_equal(&p->addr, &seen->addr) &&
		    p->sent_ns >= latest) {
			latest = p->sent_ns;
			found = i;
		}
	}
	return found;
}

static __always_inline bool peer_of_datagram(struct bpf_sock_addr *ctx, const struct weft_frontend_key *seen,
					     struct weft_frontend_key *ret)
{
	const struct weft_peers *peers;
	__u32 i;

	if (ctx->sk->state == SOCK_STATE_ESTABLISHED)
		return peer_of_flow(ctx, seen, ret);
	peers = bpf_sk_storage_get(&weft_peers, ctx->sk, NULL, 0);
	if (!peers)
		return false;
	i = (__u32)peer_latest(peers, seen);
	if (i >= WEFT_PEERS)
		return false;
	ret->addr = peers->peer[i].vip;
	ret->port_be = peers->peer[i].vip_port_be;
	return true;
}

SEC("cgroup/getpeername4")
int weft_getpeer4(struct bpf_sock_addr *ctx)
{
	struct weft_frontend_key seen, vip;

	key_set_v4(&seen, ctx, 0);
	if (peer_of_flow(ctx, &seen, &vip))
		ctx_set_v4(ctx, &vip.addr, vip.port_be);
	return PROCEED;
}

SEC("cgroup/getpeername6")
int weft_getpeer6(struct bpf_sock_addr *ctx)
{
	struct weft_frontend_key seen, vip;

	key_set_v6(&seen, ctx, 0);
	if (peer_of_flow(ctx, &seen, &vip))
		ctx_set_v6(ctx, &vip.addr, vip.port_be);
	return PROCEED;
}

SEC("cgroup/recvmsg4")
int weft_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct weft_frontend_key seen, vip;

	key_set_v4(&seen, ctx, 0);
	if (peer_of_datagram(ctx, &seen, &vip))
		ctx_set_v4(ctx, &vip.addr, vip.port_be);
	return PROCEED;
}

SEC("cgroup/recvmsg6")
int weft_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct weft_frontend_key seen, vip;

	key_set_v6(&seen, ctx, 0);
	if (peer_of_datagram(ctx, &seen, &vip))
		ctx_set_v6(ctx, &vip.addr, vip.port_be);
	return PROCEED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The context of the socket-address hooks: reading the address it holds, and replacing it. */
#ifndef WEFT_BPF_SOCKADDR_H
#define WEFT_BPF_SOCKADDR_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "weft/abi.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define SOCK_STATE_ESTABLISHED 1 /* TCP_ESTABLISHED; also what a connected UDP socket is in */

enum { PROCEED = 1, REFUSE = 0 }; /* what a cgroup socket-address program returns */

/* TCP or UDP as services know it, 0 for the rest. */
static __always_inline __u8 service_proto(__u32 protocol)
{
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return IPPROTO_TCP;
	return protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
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

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a packet is, and how it gets to an endpoint that its client did not send it to. */
#ifndef WEFT_BPF_PATH_H
#define WEFT_BPF_PATH_H

#include "lib/handshake.h"
#include "lib/packet.h"

#define NEXT	 -1 /* TCX_NEXT, TC_ACT_UNSPEC: whoever comes next at this hook decides */
#define DROP	 2  /* TC_ACT_SHOT */
#define LOOPBACK 1  /* ifindex of lo in every namespace */

/* In skb->tc_index: translated, and sent on to the ingress of another link, where it comes by again. */
#define TRANSLATED 0x7766

enum hook { INGRESS, EGRESS };

/* Where the packet is. One word for the way through functions. */
#define HOOK(l2, egress) ((l2) << 1 | (egress))
#define HOOK_L2(h)	 ((h) >> 1)
#define HOOK_EGRESS(h)	 ((h)&1)

/* Is this where packets of such a flow come from its client, or with @answers, from its endpoint? */
static __always_inline bool hook_is(const struct __sk_buff *skb, __u32 hook, __u8 way, __u32 ifindex, bool answers)
{
	if (way == WEFT_WAY_EGRESS)
		return HOOK_EGRESS(hook) != answers;
	return way == WEFT_WAY_INGRESS && HOOK_EGRESS(hook) == answers && skb->ifindex == ifindex;
}

/* Looks @to up as the host would for a packet of @from that came in by @link. BPF_FIB_LKUP_RET_* or negative. */
static __noinline long path_lookup(struct __sk_buff *skb, __u32 link, struct bpf_fib_lookup *fib,
				   const struct weft_addr *from, const struct weft_addr *to)
{
	if (!fib || !from || !to)
		return -1;
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = link;
	fib->l4_protocol = IPPROTO_TCP;
	if (weft_addr_is_v4(to)) {
		fib->family = HANDSHAKE_AF_INET;
		fib->ipv4_src = weft_addr_word(from, 3);
		fib->ipv4_dst = weft_addr_word(to, 3);
	} else {
		fib->family = 10;
		__builtin_memcpy(fib->ipv6_src, from, 16);
		__builtin_memcpy(fib->ipv6_dst, to, 16);
	}
	return bpf_fib_lookup(skb, fib, sizeof(*fib), 0);
}

enum { PATH_NONE, PATH_OUT, PATH_LOCAL };

/* How packets of this client would reach @to. */
static __noinline int path_to(struct __sk_buff *skb, const struct weft_handshake *hs, const struct weft_tuple *t,
			      const struct weft_addr *to)
{
	struct bpf_fib_lookup fib;
	bool on_lo;

	if (!hs || !t || !to || weft_addr_is_v4(to) != weft_addr_is_v4(&t->server))
		return PATH_NONE;
	if (hs->way == WEFT_WAY_INGRESS)
		return handshake_is_loopback(to) || weft_addr_equal(to, &t->client) ? PATH_NONE : PATH_OUT;
	on_lo = hs->ifindex == LOOPBACK;
	if (handshake_is_loopback(to))
		return on_lo && handshake_is_loopback(&t->client) ? PATH_LOCAL : PATH_NONE;
	if (weft_addr_equal(to, &t->client) || (on_lo && weft_addr_equal(to, &t->server)))
		return PATH_LOCAL;
	switch (path_lookup(skb, hs->ifindex, &fib, &t->client, to)) {
	case BPF_FIB_LKUP_RET_NOT_FWDED:
		return PATH_LOCAL;
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return PATH_NONE;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		/* A host that does not forward is told nothing: then it is where the first one is. */
		return on_lo ? PATH_NONE : PATH_OUT;
	default:
		return handshake_is_loopback(&t->client) ? PATH_NONE : PATH_OUT;
	}
}

/*
 * For pods on a bridge: the address that the client must send to, so that its packets do not go on to the endpoint that
 * failed. That of the next one when it hangs on the same bridge, else that of the host, which routes them.
 */
static __noinline int path_find_mac(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_nat *nat,
				    struct bpf_fib_lookup *fib)
{
	__u32 link;

	if (!t || !nat || !fib)
		return 0;
	if (path_lookup(skb, nat->ifindex, fib, &t->server, &t->client) != BPF_FIB_LKUP_RET_SUCCESS)
		return 0;
	link = fib->ifindex;
	__builtin_memcpy(nat->mac, fib->smac, 6);
	/* Through the host, conntrack would see half of a connection whose other half goes over the bridge. */
	if (path_lookup(skb, nat->ifindex, fib, &t->client, &nat->server) == BPF_FIB_LKUP_RET_SUCCESS &&
	    fib->ifindex == link)
		__builtin_memcpy(nat->mac, fib->dmac, 6);
	return 0;
}

/* Into the host by another link. Our program there lets the packet pass. */
static __noinline int into_link(struct __sk_buff *skb, __u32 ifindex, const __u8 *mac, __u32 hook)
{
	if (!mac || (HOOK_L2(hook) && bpf_skb_store_bytes(skb, 0, mac, 6, 0)))
		return DROP;
	skb->tc_index = TRANSLATED;
	return (int)bpf_redirect(ifindex, BPF_F_INGRESS);
}

/*
 * To @nat's endpoint, since the packet was on the way to another one. Seen from the link that the flow belongs to: the
 * packet may be on a port of it, of which routing knows nothing.
 */
static __noinline int route_to(struct __sk_buff *skb, const struct weft_tuple *t, const struct weft_nat *nat,
			       __u32 hook)
{
	__u8 lo_mac[6] = {};
	struct bpf_fib_lookup fib;
	__u32 out;
	long r;

	if (!t || !nat)
		return DROP;
	if (nat->local)
		return skb->ifindex == LOOPBACK ? NEXT : into_link(skb, LOOPBACK, lo_mac, hook);
	out = nat->ifindex;
	r = path_lookup(skb, out, &fib, &t->client, &nat->server);
	/* A host that does not forward is told nothing: then it goes out by the link that it was on. */
	if (r == BPF_FIB_LKUP_RET_SUCCESS || r == BPF_FIB_LKUP_RET_NO_NEIGH)
		out = fib.ifindex;
	if (!HOOK_L2(hook) && out == skb->ifindex)
		return HOOK_EGRESS(hook) ? NEXT : (int)bpf_redirect(out, 0);
	return (int)bpf_redirect_neigh(out, NULL, 0, 0);
}

#endif

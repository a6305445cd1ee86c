/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Packets of connections that moved, made into what the other side expects. */
#ifndef WEFT_BPF_REWRITE_H
#define WEFT_BPF_REWRITE_H

#include "lib/path.h"

/* From the client: to the endpoint that it moved to. @t is what the packet bears. */
static __noinline int forward(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *t,
			      const struct weft_nat *nat, __u32 hook)
{
	if (!p || !t || !nat)
		return NEXT;
	if (packet_set_addr(skb, p, &t->server, &nat->server, 1) ||
	    packet_set_port(skb, p, t->server_port_be, nat->server_port_be, 1) ||
	    packet_set_port(skb, p, t->client_port_be, nat->client_port_be, 0)) {
		count(WEFT_R_MOVE_FAILED);
		return DROP;
	}
	if (nat->way == WEFT_WAY_EGRESS)
		return route_to(skb, t, nat, hook);
	if (HOOK_L2(hook) && (nat->mac[0] | nat->mac[1] | nat->mac[2] | nat->mac[3] | nat->mac[4] | nat->mac[5]))
		bpf_skb_store_bytes(skb, 0, nat->mac, 6, 0);
	return NEXT;
}

/* To the client: as from the endpoint that it thinks it is talking to. @a: the ends, the packet's source as server. */
static __noinline int backward(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *a,
			       const struct weft_nat *nat, __u32 hook)
{
	if (!p || !a || !nat)
		return NEXT;
	if (packet_set_addr(skb, p, &a->server, &nat->server, 0) ||
	    packet_set_port(skb, p, a->server_port_be, nat->server_port_be, 0) ||
	    packet_set_port(skb, p, a->client_port_be, nat->client_port_be, 1)) {
		count(WEFT_R_MOVE_FAILED);
		return DROP;
	}
	/* The host wants to hear its first endpoint where it sends to it, and its own addresses nowhere but on lo. */
	if (nat->way == WEFT_WAY_EGRESS && skb->ifindex != nat->ifindex && HOOK_L2(hook))
		return into_link(skb, nat->ifindex, nat->mac, hook);
	return NEXT;
}

/*
 * Writes the SYN that was kept over a refusal of @t's server, addressed as @nat says. The packet must be a bare RST:
 * its checksum is carried over by difference, and so stays right whether hardware is to complete it or not.
 */
static __noinline int morph(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *from,
			    const struct weft_handshake *hs, const struct weft_nat *nat)
{
	__u32 len, check_at, zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	__u32 *tcp, *old;
	__u64 tcp_len;
	__be16 check;
	__s64 diff;

	if (!p || !from || !hs || !nat || !x)
		return -1;
	tcp = x->tcp;
	old = x->old;
	check_at = p->l4 + TCP_CHECK_OFF;
	len = hs->syn_len;
	tcp_len = len - (p->v6 ? IPV6_LEN : IPV4_LEN);
	if (len > WEFT_SYN_MAX || tcp_len < sizeof(x->old) || tcp_len > sizeof(x->tcp) || (tcp_len & 3) ||
	    skb->len != p->l4 + sizeof(x->old) || bpf_skb_load_bytes(skb, p->l4, old, sizeof(x->old)))
		return -1;
	check = (__be16)(old[4] & 0xffff);
	old[4] &= bpf_htonl(0x0000ffff);
	if (p->v6)
		__builtin_memcpy(tcp, hs->syn + IPV6_LEN, sizeof(x->tcp));
	else
		__builtin_memcpy(tcp, hs->syn + IPV4_LEN, sizeof(x->tcp));
	tcp[0] = bpf_htonl((__u32)bpf_ntohs(nat->client_port_be) << 16 | bpf_ntohs(nat->server_port_be));
	tcp[4] &= bpf_htonl(0x0000ffff);
	asm volatile("" : "+r"(tcp_len));
	if (tcp_len < sizeof(x->old) || tcp_len > sizeof(x->tcp))
		return -1;
	diff = bpf_csum_diff(old, sizeof(x->old), tcp, (__u32)tcp_len, 0);
	if (diff < 0 || bpf_skb_change_tail(skb, p->l3 + len, 0))
		return -1;
	*(__be16 *)&tcp[4] = check;
	asm volatile("" : "+r"(tcp_len));
	if (tcp_len < sizeof(x->old) || tcp_len > sizeof(x->tcp))
		return -1;
	if (bpf_skb_store_bytes(skb, p->l4, tcp, (__u32)tcp_len, 0) ||
	    bpf_l4_csum_replace(skb, check_at, 0, (__u64)diff, 0) ||
	    bpf_l4_csum_replace(skb, check_at, bpf_htons(sizeof(x->old)), bpf_htons((__u16)tcp_len),
				BPF_F_PSEUDO_HDR | 2))
		return -1;
	/* The pseudo header has the same sum whichever of its two addresses comes first. */
	if (p->v6) {
		diff = bpf_csum_diff((__be32 *)&from->server, 16, (__be32 *)&nat->server, 16, 0);
		if (diff < 0 || bpf_l4_csum_replace(skb, check_at, 0, (__u64)diff, BPF_F_PSEUDO_HDR) ||
		    bpf_skb_store_bytes(skb, p->l3, hs->syn, IPV6_LEN, 0))
			return -1;
		return bpf_skb_store_bytes(skb, p->l3 + IPV6_DST_OFF, &nat->server, 16, 0) ? -1 : 0;
	} else {
		__be32 to = weft_addr_word(&nat->server, 3);
		__be32 was;

		__builtin_memcpy(&was, hs->syn + IPV4_DST_OFF, sizeof(was));
		if (bpf_l4_csum_replace(skb, check_at, weft_addr_word(&from->server, 3), to, BPF_F_PSEUDO_HDR | 4) ||
		    bpf_skb_store_bytes(skb, p->l3, hs->syn, IPV4_LEN, 0) ||
		    bpf_l3_csum_replace(skb, p->l3 + IPV4_CHECK_OFF, was, to, 4))
			return -1;
		return bpf_skb_store_bytes(skb, p->l3 + IPV4_DST_OFF, &to, sizeof(to), 0) ? -1 : 0;
	}
}

/* Lets the SYN that a refusal has become go: to the listener that lo would deliver to, or out, or into the host. */
static __noinline int morph_send(struct __sk_buff *skb, const struct weft_tuple *t, const struct weft_nat *nat,
				 __u32 hook)
{
	__u8 mac[12];

	if (!t || !nat)
		return DROP;
	if (nat->way == WEFT_WAY_EGRESS)
		return route_to(skb, t, nat, hook);
	if (HOOK_L2(hook)) {
		/* As the client would have sent it: back to whom the refusal came from, or to who routes for it. */
		if (bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)) || bpf_skb_store_bytes(skb, 6, mac, 6, 0) ||
		    bpf_skb_store_bytes(skb, 0, nat->mac[0] | nat->mac[5] ? nat->mac : mac + 6, 6, 0))
			return DROP;
	}
	return (int)bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/* Makes the packet that an error quotes the one that the client's socket sent. */
static __noinline int icmp_translate(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *a,
				     const struct weft_nat *nat)
{
	__u32 check, l3, l4;

	if (!p || !a || !nat)
		return NEXT;
	check = p->l4 + 2;
	l3 = p->l4 + 8;
	l4 = l3 + (p->v6 ? IPV6_LEN : IPV4_LEN);
	if (p->v6) {
		__s64 diff = bpf_csum_diff((__be32 *)&a->server, 16, (__be32 *)&nat->server, 16, 0);

		if (diff < 0 || bpf_l4_csum_replace(skb, check, 0, (__u64)diff, 0) ||
		    bpf_skb_store_bytes(skb, l3 + IPV6_DST_OFF, &nat->server, 16, 0))
			return NEXT;
	} else {
		__be32 from = weft_addr_word(&a->server, 3), to = weft_addr_word(&nat->server, 3);

		/* The quoted header's checksum takes up what its address adds: ICMP's stays. */
		if (bpf_l3_csum_replace(skb, l3 + IPV4_CHECK_OFF, from, to, 4) ||
		    bpf_skb_store_bytes(skb, l3 + IPV4_DST_OFF, &to, sizeof(to), 0))
			return NEXT;
	}
	if (a->client_port_be != nat->client_port_be) {
		bpf_l4_csum_replace(skb, check, a->client_port_be, nat->client_port_be, 2);
		bpf_skb_store_bytes(skb, l4, &nat->client_port_be, 2, 0);
	}
	if (a->server_port_be != nat->server_port_be) {
		bpf_l4_csum_replace(skb, check, a->server_port_be, nat->server_port_be, 2);
		bpf_skb_store_bytes(skb, l4 + 2, &nat->server_port_be, 2, 0);
	}
	count(WEFT_R_ICMP_TRANSLATED);
	/* When this is a port of the flow's link (a bridge's, a bond's), the error comes by again. */
	if (skb->ifindex != nat->ifindex)
		skb->tc_index = TRANSLATED;
	return NEXT;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A packet at a link's hook: finding its ends, and writing others in their place, with checksums that stay right. */
#ifndef WEFT_BPF_PACKET_H
#define WEFT_BPF_PACKET_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "weft/handshake.h"

#define TCP_CHECK_OFF  16
#define IPV4_CHECK_OFF 10
#define IPV4_SRC_OFF   12
#define IPV4_DST_OFF   16
#define IPV6_SRC_OFF   8
#define IPV6_DST_OFF   24
#define IPV4_LEN       20u
#define IPV6_LEN       40u
#define TCP_FLAG_FIN   0x01
#define TCP_FLAG_SYN   0x02
#define TCP_FLAG_RST   0x04
#define TCP_FLAG_ACK   0x10
#define IPV4_FRAGMENT  0x3fff /* more to come, or not the first */

/* What the first glance tells. Offsets are from the start of the packet, its link header included. */
struct packet {
	__u32 l3, l4;
	__u32 v6;
	__u8 proto; /* IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6 */
	__u8 flags; /* TCP's; ICMP: type */
	__u16 pad;
};

/* The headers of a packet need not lie in its first part; @tcp and @icmp: bytes up to the end of either. */
static __always_inline void packet_pull(struct __sk_buff *skb, __u32 tcp, __u32 icmp)
{
	if ((void *)(long)skb->data + tcp > (void *)(long)skb->data_end && bpf_skb_pull_data(skb, tcp))
		bpf_skb_pull_data(skb, icmp);
}

/* False: nothing that concerns us. @l2: length of the link header. */
static __always_inline bool packet_glance(struct __sk_buff *skb, __u32 l2, struct packet *p)
{
	void *data, *end;

	p->l3 = l2;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip;

		packet_pull(skb, l2 + IPV4_LEN + sizeof(struct tcphdr), l2 + IPV4_LEN + 8);
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		ip = data + l2;
		if ((void *)(ip + 1) > end || ip->ihl != 5 || (ip->frag_off & bpf_htons(IPV4_FRAGMENT)))
			return false;
		p->v6 = 0;
		p->proto = ip->protocol;
		p->l4 = l2 + IPV4_LEN;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip;

		packet_pull(skb, l2 + IPV6_LEN + sizeof(struct tcphdr), l2 + IPV6_LEN + 8);
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		ip = data + l2;
		if ((void *)(ip + 1) > end)
			return false;
		p->v6 = 1;
		p->proto = ip->nexthdr;
		p->l4 = l2 + IPV6_LEN;
	} else {
		return false;
	}
	if (p->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = data + p->l4;

		if ((void *)(tcp + 1) > end)
			return false;
		p->flags = *((__u8 *)tcp + 13);
		return true;
	}
	if (p->proto == (p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		__u8 *icmp = data + p->l4;

		if (icmp + 8 > (__u8 *)end)
			return false;
		p->flags = icmp[0];
		return true;
	}
	return false;
}

/* Source and destination of the IP header at @l3, ports at @l4. 0 or negative errno. */
static __noinline int packet_ends(struct __sk_buff *skb, __u32 l3, __u32 l4, __u32 v6, struct weft_tuple *ret)
{
	__be32 a[2];
	__be16 ports[2];

	if (!ret)
		return -1;
	if (bpf_skb_load_bytes(skb, l4, ports, sizeof(ports)))
		return -1;
	ret->client_port_be = ports[0];
	ret->server_port_be = ports[1];
	if (v6) {
		if (bpf_skb_load_bytes(skb, l3 + IPV6_SRC_OFF, &ret->client, sizeof(ret->client)))
			return -1;
		return bpf_skb_load_bytes(skb, l3 + IPV6_DST_OFF, &ret->server, sizeof(ret->server));
	}
	if (bpf_skb_load_bytes(skb, l3 + IPV4_SRC_OFF, a, sizeof(a)))
		return -1;
	weft_addr_set_v4(&ret->client, a[0]);
	weft_addr_set_v4(&ret->server, a[1]);
	return 0;
}

/* The two ends the other way round. */
static __always_inline void packet_turn(const struct weft_tuple *t, struct weft_tuple *ret)
{
	ret->client = t->server;
	ret->server = t->client;
	ret->client_port_be = t->server_port_be;
	ret->server_port_be = t->client_port_be;
}

/* Replaces an address, @dst or source. The checksum of TCP covers it, as part of its pseudo header. */
static __noinline int packet_set_addr(struct __sk_buff *skb, const struct packet *p, const struct weft_addr *from,
				      const struct weft_addr *to, __u32 dst)
{
	__u32 check = p->l4 + TCP_CHECK_OFF;
	__u32 at;
	__s64 diff;

	if (p->v6) {
		at = p->l3 + (dst ? IPV6_DST_OFF : IPV6_SRC_OFF);
		diff = bpf_csum_diff((__be32 *)from, 16, (__be32 *)to, 16, 0);
		if (diff < 0 || bpf_l4_csum_replace(skb, check, 0, (__u64)diff, BPF_F_PSEUDO_HDR))
			return -1;
		return bpf_skb_store_bytes(skb, at, to, 16, 0);
	}
	at = p->l3 + (dst ? IPV4_DST_OFF : IPV4_SRC_OFF);
	if (bpf_l4_csum_replace(skb, check, weft_addr_word(from, 3), weft_addr_word(to, 3), BPF_F_PSEUDO_HDR | 4) ||
	    bpf_l3_csum_replace(skb, p->l3 + IPV4_CHECK_OFF, weft_addr_word(from, 3), weft_addr_word(to, 3), 4))
		return -1;
	return bpf_skb_store_bytes(skb, at, (void *)to + 12, 4, 0);
}

static __always_inline int packet_set_port(struct __sk_buff *skb, const struct packet *p, __be16 from, __be16 to,
					   __u32 dst)
{
	if (from == to)
		return 0;
	if (bpf_l4_csum_replace(skb, p->l4 + TCP_CHECK_OFF, from, to, 2))
		return -1;
	return bpf_skb_store_bytes(skb, p->l4 + (dst ? 2 : 0), &to, sizeof(to), 0);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Failover inside connect(), on the links of the agent's network namespace. A SYN that is refused becomes the next SYN;
 * one that is lost goes to the next endpoint when TCP sends it again. The first answer wins. The application's TCP
 * never hears of it: it goes on talking to the endpoint it first tried, and the packets are translated.
 *
 * The hook that saw the SYN first does all translation for its connection, the other hook of that link the way back:
 * for processes of this namespace the link's egress (and answers may come in by any link), for pods the ingress of the
 * host's end of their veth. Connections that did not fail over pay for a look at TCP's flags and at one counter.
 */
#include "lib/handshake.h"
#include "lib/packet.h"
#include "lib/retry.h"

#define NEXT	   -1	 /* TCX_NEXT, TC_ACT_UNSPEC: whoever comes next at this hook decides */
#define DROP	   2	 /* TC_ACT_SHOT */
#define IS_THE_END 100	 /* no verdict: the refusal goes to the client */
#define LOOPBACK   1	 /* ifindex of lo in every namespace */
#define PORT_LOW   1024u /* client ports of moved connections: below those that the kernel gives out by default */
#define PORT_SPAN  31744u
#define PORT_DRAWS 6

/* In skb->tc_index: translated, and sent on to the ingress of another link, where it comes by again. */
#define TRANSLATED 0x7766

enum hook { INGRESS, EGRESS };

/* The stack is too small for the way from a packet to the next endpoint. Hooks run with softirqs off: one user a CPU.
 */
struct failover_scratch {
	struct tried tried;
	__u32 pad;
	struct weft_nat nat, back;
	struct weft_nat_key key;
	struct weft_nat_key ends; /* of the packet, as client to server */
	struct weft_tuple turned; /* the same, as server to client */
	__u32 local;		  /* the next endpoint is at an address of this host */
	struct weft_nat_key look;
	struct weft_tuple known; /* the connection as its client's socket knows it */
	__u32 pad3;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct failover_scratch);
} weft_scratch SEC(".maps");

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

/* Try @i, NULL when there is none. The verifier wants the check next to the use, where it may not be optimised away. */
static __always_inline struct weft_try *try_at(struct weft_handshake *hs, __u64 i)
{
	asm volatile("" : "+r"(i));
	return i < WEFT_TRIES ? &hs->tried[i] : NULL;
}

/* ---- choosing the next endpoint ---- */

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
static __noinline int path_find_mac(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_nat *nat)
{
	struct bpf_fib_lookup fib;
	__u32 link;

	if (!t || !nat)
		return 0;
	if (path_lookup(skb, nat->ifindex, &fib, &t->server, &t->client) != BPF_FIB_LKUP_RET_SUCCESS)
		return 0;
	link = fib.ifindex;
	__builtin_memcpy(nat->mac, fib.smac, 6);
	/* Through the host, conntrack would see half of a connection whose other half goes over the bridge. */
	if (path_lookup(skb, nat->ifindex, &fib, &t->client, &nat->server) == BPF_FIB_LKUP_RET_SUCCESS &&
	    fib.ifindex == link)
		__builtin_memcpy(nat->mac, fib.dmac, 6);
	return 0;
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
	__builtin_memset(&x->key, 0, sizeof(x->key));
	nat->server = b->addr;
	nat->server_port_be = b->port_be;
	nat->ifindex = hs->ifindex;
	nat->way = hs->way;
	nat->local = (__u8)x->local;
	if (hs->way == WEFT_WAY_INGRESS)
		path_find_mac(skb, t, nat);
	else
		__builtin_memcpy(nat->mac, hs->mac, sizeof(nat->mac));
	back->server = t->server;
	back->server_port_be = t->server_port_be;
	back->client_port_be = t->client_port_be;
	back->ifindex = hs->ifindex;
	back->way = hs->way;
	__builtin_memcpy(back->mac, hs->mac, sizeof(back->mac));
#pragma clang loop unroll(disable)
	for (int i = 0; i < PORT_DRAWS; i++) {
		nat->client_port_be = bpf_htons((__u16)(PORT_LOW + weft_lb_scale(bpf_get_prandom_u32(), PORT_SPAN)));
		nat_answer_key(t, nat, &x->key);
		if (!nat_put(&x->key, back, BPF_NOEXIST))
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

static __always_inline enum weft_reason move_reason(__u32 failure)
{
	return failure == WEFT_FAIL_REFUSED	? WEFT_R_MOVED_REFUSED
	       : failure == WEFT_FAIL_TIMED_OUT ? WEFT_R_MOVED_SILENT
						: WEFT_R_MOVED_UNREACHABLE;
}

static __always_inline void move_account(const struct weft_handshake *hs, const struct weft_try *from, __u32 to,
					 __u32 gen, __u32 failure)
{
	__u32 old = from->backend;
	struct weft_bstate *state;
	struct weft_edge *edge;

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

/*
 * Sends the connect of @t on, because the endpoint it waits for failed by @failure. The index of the next one; -1:
 * there is none; -2: somebody else is at it, or it is over.
 */
static __noinline int move_on(struct __sk_buff *skb, const struct weft_tuple *t, __u32 failure)
{
	struct weft_handshake *hs;
	const struct weft_spec *spec;
	__u32 spec_id, from, n, zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	int r = -1;

	if (!t || !x)
		return -1;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (!hs || (hs->flags & WEFT_HANDSHAKE_F_FIXED))
		return -1;
	if (__sync_val_compare_and_swap(&hs->busy, 0, 1))
		return -2;
	spec_id = service_spec(hs->service);
	spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	from = hs->holder;
	n = hs->nr_tries;
	if (!spec || n < 1 || n >= WEFT_TRIES || from >= WEFT_TRIES || *(volatile __u32 *)&hs->settled)
		goto out;
	x->tried.nr = n;
	for (__u32 i = 0; i < WEFT_TRIES; i++)
		x->tried.id[i] = hs->tried[i].backend;
#pragma clang loop unroll(disable)
	for (int look = 0; look < 4; look++) {
		__u32 id = retry_pick(spec_id, &x->tried);
		const struct weft_backend *b = bpf_map_lookup_elem(&weft_backends, &id);
		struct weft_try *old = try_at(hs, from), *next = try_at(hs, n);
		__u32 was;
		int path;

		if (!id || !b || !old || !next)
			break;
		was = old->backend;
		tried_add(&x->tried, id);
		path = path_to(skb, hs, t, &b->addr);
		if (path == PATH_NONE) {
			count(WEFT_R_MOVE_NO_PATH);
			continue;
		}
		if (!endpoint_take(spec, id, true))
			continue;
		x->local = path == PATH_LOCAL;
		if (move_translate(skb, t, hs, b, x)) {
			endpoint_give_back(id, true);
			break;
		}
		next->addr = b->addr;
		next->backend = id;
		next->gen = b->gen;
		next->port_be = b->port_be;
		next->client_port_be = x->nat.client_port_be;
		next->flags = x->local ? WEFT_TRY_F_LOCAL : 0;
		hs->gen = b->gen;
		if (__sync_val_compare_and_swap(&hs->backend, was, id) != was) {
			/* The application gave up in this moment. */
			nat_forget(t);
			endpoint_give_back(id, true);
			r = -2;
			break;
		}
		move_account(hs, old, id, b->gen, failure);
		hs->nr_tries = (__u8)(n + 1);
		hs->holder = n;
		hs->aim = (__u8)n;
		r = (int)n;
		break;
	}
	if (r == -1)
		count(WEFT_R_MOVE_EXHAUSTED);
out:
	__sync_lock_test_and_set(&hs->busy, 0);
	return r;
}

/* ---- packets of connections that moved ---- */

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

/* ---- a SYN ---- */

static __always_inline void syn_keep(struct __sk_buff *skb, const struct packet *p, __u32 hook,
				     struct weft_handshake *hs)
{
	__u32 ip_len = p->v6 ? IPV6_LEN : IPV4_LEN;
	__u32 len = skb->len - p->l3;
	__u64 bounded;
	__u8 doff = 0;

	bpf_skb_load_bytes(skb, p->l4 + 12, &doff, 1);
	bpf_skb_load_bytes(skb, p->l4 + 4, &hs->isn_be, 4);
	hs->ifindex = skb->ifindex;
	hs->syn_len = len;
	/* With data (Fast Open) or more than we can keep. Older verifiers want the bounds just before the use. */
	if (ip_len + (__u32)(doff >> 4) * 4 != len)
		hs->flags |= WEFT_HANDSHAKE_F_FIXED;
	bounded = len;
	asm volatile("" : "+r"(bounded));
	if (bounded < IPV4_LEN + 20 || bounded > WEFT_SYN_MAX)
		hs->flags |= WEFT_HANDSHAKE_F_FIXED;
	else if (bpf_skb_load_bytes(skb, p->l3, hs->syn, (__u32)bounded))
		hs->flags |= WEFT_HANDSHAKE_F_FIXED;
	if (HOOK_L2(hook) && HOOK_EGRESS(hook))
		bpf_skb_load_bytes(skb, 6, hs->mac, 6);
	*(volatile __u8 *)&hs->way = HOOK_EGRESS(hook) ? WEFT_WAY_EGRESS : WEFT_WAY_INGRESS;
}

/* Sends what comes from the client to try @k from now on. */
static __noinline int aim_at(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs, __u32 k)
{
	struct weft_nat_key key = {};
	struct weft_nat nat = {};
	const struct weft_try *to;

	if (!t || !hs)
		return 0;
	to = try_at(hs, k);
	if (!to)
		return 0;
	key.tuple = *t;
	if (!k) {
		nat_remove(&key); /* the first needs no translation */
		return 0;
	}
	nat.server = to->addr;
	nat.server_port_be = to->port_be;
	nat.client_port_be = to->client_port_be;
	nat.ifindex = hs->ifindex;
	nat.way = hs->way;
	nat.local = !!(to->flags & WEFT_TRY_F_LOCAL);
	if (hs->way == WEFT_WAY_INGRESS)
		path_find_mac(skb, t, &nat);
	else
		__builtin_memcpy(nat.mac, hs->mac, sizeof(nat.mac));
	nat_put(&key, &nat, BPF_ANY);
	return 0;
}

/* No other endpoint is left: round the silent ones again, since a SYN to one that is well may have been lost. */
static __always_inline void aim_round(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs)
{
	__u32 n = hs->nr_tries, at = hs->aim;

	for (__u32 i = 1; i < WEFT_TRIES; i++) {
		__u32 k = at + i;
		const struct weft_try *to;

		if (k >= n)
			k -= n;
		to = try_at(hs, k);
		if (i >= n || !to)
			return;
		if (to->flags & WEFT_TRY_F_REFUSED)
			continue;
		hs->aim = (__u8)k;
		aim_at(skb, t, hs, k);
		return;
	}
}

static __noinline int on_syn(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *t, __u32 hook)
{
	struct weft_handshake *hs;
	struct weft_nat_key key = {};
	const struct weft_nat *nat;
	__be32 seq = 0;

	if (!p || !t)
		return NEXT;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (!hs)
		return NEXT;
	if (hs->way == WEFT_WAY_NONE) {
		syn_keep(skb, p, hook, hs);
		return NEXT;
	}
	/* That very link: a bridge's port, or what else is below it, sees each SYN too, once more. */
	if (!hook_is(skb, hook, hs->way, hs->ifindex, false) || skb->ifindex != hs->ifindex)
		return NEXT;
	bpf_skb_load_bytes(skb, p->l4 + 4, &seq, sizeof(seq));
	if (seq != hs->isn_be || (hs->flags & WEFT_HANDSHAKE_F_FIXED))
		return NEXT;
	if (hs->flags & WEFT_HANDSHAKE_F_CHOSEN)
		hs->flags &= ~WEFT_HANDSHAKE_F_CHOSEN;
	else if (!*(volatile __u32 *)&hs->settled && move_on(skb, t, WEFT_FAIL_TIMED_OUT) == -1)
		aim_round(skb, t, hs);
	key.tuple = *t;
	nat = bpf_map_lookup_elem(&weft_nat, &key);
	if (!nat)
		return NEXT;
	return forward(skb, p, t, nat, hook);
}

/* ---- answers ---- */

/*
 * Writes the SYN that was kept over a refusal of @t's server, addressed as @nat says. The packet must be a bare RST:
 * its checksum is carried over by difference, and so stays right whether hardware is to complete it or not.
 */
static __noinline int morph(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *from,
			    const struct weft_handshake *hs, const struct weft_nat *nat)
{
	__u32 tcp[15] = {}, old[5] = {};
	__u32 len, check_at;
	__u64 tcp_len;
	__be16 check;
	__s64 diff;

	if (!p || !from || !hs || !nat)
		return -1;
	check_at = p->l4 + TCP_CHECK_OFF;
	len = hs->syn_len;
	tcp_len = len - (p->v6 ? IPV6_LEN : IPV4_LEN);
	if (len > WEFT_SYN_MAX || tcp_len < sizeof(old) || tcp_len > sizeof(tcp) || (tcp_len & 3) ||
	    skb->len != p->l4 + sizeof(old) || bpf_skb_load_bytes(skb, p->l4, old, sizeof(old)))
		return -1;
	check = (__be16)(old[4] & 0xffff);
	old[4] &= bpf_htonl(0x0000ffff);
	if (p->v6)
		__builtin_memcpy(tcp, hs->syn + IPV6_LEN, sizeof(tcp));
	else
		__builtin_memcpy(tcp, hs->syn + IPV4_LEN, sizeof(tcp));
	tcp[0] = bpf_htonl((__u32)bpf_ntohs(nat->client_port_be) << 16 | bpf_ntohs(nat->server_port_be));
	tcp[4] &= bpf_htonl(0x0000ffff);
	asm volatile("" : "+r"(tcp_len));
	if (tcp_len < sizeof(old) || tcp_len > sizeof(tcp))
		return -1;
	diff = bpf_csum_diff(old, sizeof(old), tcp, (__u32)tcp_len, 0);
	if (diff < 0 || bpf_skb_change_tail(skb, p->l3 + len, 0))
		return -1;
	*(__be16 *)&tcp[4] = check;
	asm volatile("" : "+r"(tcp_len));
	if (tcp_len < sizeof(old) || tcp_len > sizeof(tcp))
		return -1;
	if (bpf_skb_store_bytes(skb, p->l4, tcp, (__u32)tcp_len, 0) ||
	    bpf_l4_csum_replace(skb, check_at, 0, (__u64)diff, 0) ||
	    bpf_l4_csum_replace(skb, check_at, bpf_htons(sizeof(old)), bpf_htons((__u16)tcp_len), BPF_F_PSEUDO_HDR | 2))
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

/* Which of its tries answers by the ends @a; WEFT_TRIES: none. */
static __always_inline __u32 try_of(const struct weft_handshake *hs, const struct weft_tuple *a)
{
	for (__u32 i = 0; i < WEFT_TRIES; i++)
		if (i < hs->nr_tries && hs->tried[i].client_port_be == a->client_port_be &&
		    hs->tried[i].port_be == a->server_port_be && weft_addr_equal(&hs->tried[i].addr, &a->server))
			return i;
	return WEFT_TRIES;
}

/* A refusal under @a; its client knows the connection as @t. A verdict, or IS_THE_END: let the client have it. */
static __noinline int on_refused(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *t,
				 const struct weft_tuple *a, __u32 hook)
{
	struct weft_nat_key key = {};
	struct weft_handshake *hs;
	const struct weft_nat *nat;
	struct weft_try *who;
	__be32 ack = 0;
	__u32 k;
	int r;

	if (!p || !t || !a)
		return IS_THE_END;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (!hs)
		return IS_THE_END;
	k = try_of(hs, a);
	who = try_at(hs, k);
	bpf_skb_load_bytes(skb, p->l4 + 8, &ack, sizeof(ack));
	if (!who || bpf_ntohl(ack) != bpf_ntohl(hs->isn_be) + 1)
		return IS_THE_END;
	who->flags |= WEFT_TRY_F_REFUSED;
	if (k != hs->aim)
		return DROP; /* we are waiting for another one by now */
	r = move_on(skb, t, WEFT_FAIL_REFUSED);
	if (r == -1)
		return IS_THE_END;
	if (r < 0)
		return DROP;
	key.tuple = *t;
	nat = bpf_map_lookup_elem(&weft_nat, &key);
	if (!nat)
		return DROP;
	if (!morph(skb, p, a, hs, nat))
		return morph_send(skb, t, nat, hook);
	/* TCP will send the SYN again by itself, to the one that was chosen. */
	count(WEFT_R_MOVE_FAILED);
	hs->flags |= WEFT_HANDSHAKE_F_CHOSEN;
	return DROP;
}

/* Try @k has answered the SYN. True: first, and so the connection is its. */
static __noinline int on_accepted(struct __sk_buff *skb, const struct weft_tuple *t, const struct weft_tuple *a)
{
	const struct weft_try *who, *holder;
	struct weft_handshake *hs;
	__u32 k, was, id, old;

	if (!t || !a)
		return 1;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (!hs)
		return 1;
	k = try_of(hs, a);
	who = try_at(hs, k);
	holder = try_at(hs, hs->holder);
	if (!who || !holder)
		return 1;
	was = __sync_val_compare_and_swap(&hs->settled, 0, k + 1);
	if (was)
		return was == k + 1;
	if (hs->aim != k) {
		hs->aim = (__u8)k;
		aim_at(skb, t, hs, k);
	}
	if (who == holder)
		return 1;
	/* An earlier one after all: the place goes back to it, above its limit when need be. */
	id = who->backend;
	old = holder->backend;
	if (endpoint_take_place(id, 0, 0, 1)) {
		hs->gen = who->gen;
		if (__sync_val_compare_and_swap(&hs->backend, old, id) == old)
			endpoint_give_back(old, true);
		else
			endpoint_give_back(id, true);
	}
	return 1;
}

/* @a: the ends of a packet that goes to a client, as client and server. */
static __noinline int on_answer(struct __sk_buff *skb, const struct packet *p, const struct weft_tuple *a, __u32 hook)
{
	__u32 zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	const struct weft_handshake *hs;
	const struct weft_nat *nat;
	struct weft_tuple *t;
	int r;

	if (!p || !a || !x)
		return NEXT;
	t = &x->known;
	*t = *a;
	x->look.tuple = *a;
	x->look.back = 1;
	nat = bpf_map_lookup_elem(&weft_nat, &x->look);
	if (nat) {
		if (!hook_is(skb, hook, nat->way, nat->ifindex, true))
			return NEXT;
		t->server = nat->server;
		t->server_port_be = nat->server_port_be;
		t->client_port_be = nat->client_port_be;
	}
	if (!(p->flags & (TCP_FLAG_SYN | TCP_FLAG_RST)))
		return nat ? backward(skb, p, a, nat, hook) : NEXT;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (hs && hook_is(skb, hook, hs->way, hs->ifindex, true)) {
		if (p->flags & TCP_FLAG_RST) {
			if (*(volatile __u32 *)&hs->settled)
				return nat ? backward(skb, p, a, nat, hook) : NEXT;
			r = on_refused(skb, p, t, a, hook);
			if (r != IS_THE_END)
				return r;
			return nat ? backward(skb, p, a, nat, hook) : NEXT;
		}
		if (!on_accepted(skb, t, a)) {
			count(WEFT_R_LATE_ANSWER);
			return DROP;
		}
		return nat ? backward(skb, p, a, nat, hook) : NEXT;
	}
	if (nat)
		return backward(skb, p, a, nat, hook);
	/* The first endpoint, after the connection has gone to another one. */
	x->look.back = 0;
	nat = bpf_map_lookup_elem(&weft_nat, &x->look);
	if (nat && hook_is(skb, hook, nat->way, nat->ifindex, true)) {
		count(WEFT_R_LATE_ANSWER);
		return DROP;
	}
	return NEXT;
}

/* ---- TCP ---- */

static __always_inline int on_tcp(struct __sk_buff *skb, const struct packet *p, __u32 hook)
{
	__u32 zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	const struct weft_nat *nat;

	if (!p || !x || packet_ends(skb, p->l3, p->l4, p->v6, &x->ends.tuple))
		return NEXT;
	x->ends.back = 0;
	if ((p->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN)
		return on_syn(skb, p, &x->ends.tuple, hook);
	nat = bpf_map_lookup_elem(&weft_nat, &x->ends);
	if (nat && hook_is(skb, hook, nat->way, nat->ifindex, false))
		return forward(skb, p, &x->ends.tuple, nat, hook);
	packet_turn(&x->ends.tuple, &x->turned);
	return on_answer(skb, p, &x->turned, hook);
}

/* ---- ICMP errors ---- */

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

static __noinline int on_icmp(struct __sk_buff *skb, const struct packet *p, __u32 hook, __u32 unreachable)
{
	struct weft_nat_key key = { .back = 1 };
	const struct weft_nat *nat;
	struct weft_handshake *hs;
	struct weft_tuple t;
	__u32 l3, k;
	__u8 proto = 0;

	if (!p)
		return NEXT;
	l3 = p->l4 + 8;
	if (bpf_skb_load_bytes(skb, l3 + (p->v6 ? 6 : 9), &proto, 1) || proto != IPPROTO_TCP ||
	    packet_ends(skb, l3, l3 + (p->v6 ? IPV6_LEN : IPV4_LEN), p->v6, &key.tuple))
		return NEXT;
	t = key.tuple;
	nat = bpf_map_lookup_elem(&weft_nat, &key);
	if (nat) {
		if (!hook_is(skb, hook, nat->way, nat->ifindex, true))
			return NEXT;
		t.server = nat->server;
		t.server_port_be = nat->server_port_be;
		t.client_port_be = nat->client_port_be;
	}
	hs = unreachable ? bpf_map_lookup_elem(&weft_handshakes, &t) : NULL;
	if (hs && !*(volatile __u32 *)&hs->settled && hook_is(skb, hook, hs->way, hs->ifindex, true)) {
		struct weft_try *who;

		k = try_of(hs, &key.tuple);
		who = try_at(hs, k);
		if (who) {
			who->flags |= WEFT_TRY_F_REFUSED;
			if (k != hs->aim)
				return DROP;
			/* There is no room in it for a SYN: the next one that TCP sends goes there. */
			if (move_on(skb, &t, WEFT_FAIL_UNREACHABLE) != -1) {
				hs->flags |= WEFT_HANDSHAKE_F_CHOSEN;
				return DROP;
			}
		}
	}
	return nat ? icmp_translate(skb, p, &key.tuple, nat) : NEXT;
}

/* ---- the hooks ---- */

static __always_inline int failover(struct __sk_buff *skb, __u32 hook)
{
	struct packet p = {};

	if (!packet_glance(skb, HOOK_L2(hook), &p))
		return NEXT;
	if (!HOOK_EGRESS(hook) && skb->tc_index == TRANSLATED)
		return NEXT;
	if (p.proto == IPPROTO_TCP) {
		if (!(p.flags & TCP_FLAG_RST) && (p.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) != TCP_FLAG_SYN &&
		    !nat_any())
			return NEXT;
		return on_tcp(skb, &p, hook);
	}
	if (p.v6 ? p.flags >= 1 && p.flags <= 3 : p.flags == 3 || p.flags == 11 || p.flags == 12) {
		__u8 code = 0;

		bpf_skb_load_bytes(skb, p.l4 + 1, &code, 1);
		return on_icmp(skb, &p, hook, p.v6 ? p.flags == 1 : p.flags == 3 && code != 4);
	}
	return NEXT;
}

SEC("tc")
int weft_tc_ingress(struct __sk_buff *skb)
{
	return failover(skb, HOOK(ETH_HLEN, INGRESS));
}

SEC("tc")
int weft_tc_egress(struct __sk_buff *skb)
{
	return failover(skb, HOOK(ETH_HLEN, EGRESS));
}

SEC("tc")
int weft_tc_ingress_l3(struct __sk_buff *skb)
{
	return failover(skb, HOOK(0, INGRESS));
}

SEC("tc")
int weft_tc_egress_l3(struct __sk_buff *skb)
{
	return failover(skb, HOOK(0, EGRESS));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

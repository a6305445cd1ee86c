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
#include "lib/move.h"
#include "lib/rewrite.h"

#define PATIENCE_NS 1000000000ull
#define IS_THE_END  100 /* no verdict: the refusal goes to the client */

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
	__u32 zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	const struct weft_try *to;
	struct weft_nat *nat;

	if (!t || !hs || !x)
		return 0;
	nat = &x->nat;
	to = try_at(hs, k);
	if (!to)
		return 0;
	x->key.tuple = *t;
	x->key.back = 0;
	if (!k) {
		nat_remove(&x->key); /* the first needs no translation */
		return 0;
	}
	__builtin_memset(nat, 0, sizeof(*nat));
	nat->server = to->addr;
	nat->server_port_be = to->port_be;
	nat->client_port_be = to->client_port_be;
	nat->ifindex = hs->ifindex;
	nat->way = hs->way;
	nat->local = !!(to->flags & WEFT_TRY_F_LOCAL);
	if (hs->way == WEFT_WAY_INGRESS)
		path_find_mac(skb, t, nat, &x->fib);
	else
		__builtin_memcpy(nat->mac, hs->mac, sizeof(nat->mac));
	nat_put(&x->key, nat, BPF_ANY);
	/* The application gave up in this moment, and has cleared away already. */
	if (!__sync_fetch_and_add(&hs->backend, 0) && !*(volatile __u32 *)&hs->settled)
		nat_remove(&x->key);
	return 0;
}

/*
 * No other endpoint is left: round the silent ones again, since a SYN to one that is well may have been lost, or its
 * answer be late. After as long as TCP waits for one by itself, those that refused are asked again, too: if they still
 * do, that is the end. False: nobody is left to be asked.
 */
static __noinline int aim_round(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs)
{
	__u32 n, at;
	bool late;

	if (!t || !hs)
		return 0;
	n = hs->nr_tries;
	at = hs->aim;
	late = bpf_ktime_get_ns() - hs->start_ns > PATIENCE_NS;

	for (__u32 i = 1; i <= WEFT_TRIES; i++) {
		__u32 k = at + i;
		const struct weft_try *to;

		if (k >= n)
			k -= n;
		to = try_at(hs, k);
		if (i > n || !to)
			return 0;
		if ((to->flags & WEFT_TRY_F_REFUSED) && !late)
			continue;
		hs->aim = (__u8)k;
		aim_at(skb, t, hs, k);
		return 1;
	}
	return 0;
}

/* The last one that was asked said no. True: TCP shall go on sending its SYN, to those that said nothing. */
static __always_inline bool aim_hopes(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs)
{
	if (bpf_ktime_get_ns() - hs->start_ns > PATIENCE_NS || !aim_round(skb, t, hs))
		return false;
	hs->flags |= WEFT_HANDSHAKE_F_CHOSEN;
	return true;
}

/*
 * Makes good what a move did that was under way when an answer came: packets and place go to the one that answered.
 * Whoever comes last of the answer and the move, or both, do it.
 */
static __noinline int settle(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs)
{
	const struct weft_try *who, *holder;
	__u32 k, id, old;

	if (!t || !hs || !*(volatile __u32 *)&hs->settled)
		return 0;
	k = *(volatile __u32 *)&hs->settled - 1;
	if (*(volatile __u8 *)&hs->aim != k) {
		hs->aim = (__u8)k;
		aim_at(skb, t, hs, k);
	}
	who = try_at(hs, k);
	holder = try_at(hs, hs->holder);
	if (!who || !holder || who == holder)
		return 0;
	/* An earlier one after all: the place goes back to it, above its limit when need be. */
	id = who->backend;
	old = holder->backend;
	if (!endpoint_take_place(id, 0, 0, 1))
		return 0;
	hs->gen = who->gen;
	if (__sync_val_compare_and_swap(&hs->backend, old, id) == old) {
		hs->holder = k;
		endpoint_give_back(old, true);
	} else {
		endpoint_give_back(id, true);
	}
	return 0;
}

/* As move_on(). */
static __always_inline int on_failure(struct __sk_buff *skb, const struct weft_tuple *t, struct weft_handshake *hs,
				      __u32 failure)
{
	int r = move_on(skb, t, failure);

	settle(skb, t, hs);
	return r;
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
	else if (!*(volatile __u32 *)&hs->settled && on_failure(skb, t, hs, WEFT_FAIL_TIMED_OUT) == -1)
		aim_round(skb, t, hs);
	key.tuple = *t;
	nat = bpf_map_lookup_elem(&weft_nat, &key);
	if (!nat)
		return NEXT;
	return forward(skb, p, t, nat, hook);
}

/* ---- answers ---- */

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
	__u32 zero = 0;
	struct failover_scratch *x = bpf_map_lookup_elem(&weft_scratch, &zero);
	struct weft_handshake *hs;
	const struct weft_nat *nat;
	struct weft_try *who;
	__be32 ack = 0;
	__u32 k;
	int r;

	if (!p || !t || !a || !x)
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
	r = on_failure(skb, t, hs, WEFT_FAIL_REFUSED);
	if (r == -1)
		return aim_hopes(skb, t, hs) ? DROP : IS_THE_END;
	if (r < 0 || *(volatile __u32 *)&hs->settled)
		return DROP;
	x->key.tuple = *t;
	x->key.back = 0;
	nat = bpf_map_lookup_elem(&weft_nat, &x->key);
	if (!nat)
		return DROP;
	if (!morph(skb, p, a, hs, nat))
		return morph_send(skb, t, nat, hook);
	/* TCP will send the SYN again by itself, to the one that was chosen. */
	count(WEFT_R_MOVE_FAILED);
	hs->flags |= WEFT_HANDSHAKE_F_CHOSEN;
	return DROP;
}

/* Has the SYN been answered by @a? False: by another one before. */
static __noinline int on_accepted(struct __sk_buff *skb, const struct weft_tuple *t, const struct weft_tuple *a)
{
	struct weft_handshake *hs;
	__u32 k, was;

	if (!t || !a)
		return 1;
	hs = bpf_map_lookup_elem(&weft_handshakes, t);
	if (!hs)
		return 1;
	k = try_of(hs, a);
	if (!try_at(hs, k))
		return 1;
	was = __sync_val_compare_and_swap(&hs->settled, 0, k + 1);
	if (was)
		return was == k + 1;
	if (!__sync_fetch_and_add(&hs->busy, 0))
		settle(skb, t, hs);
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
			if (on_failure(skb, &t, hs, WEFT_FAIL_UNREACHABLE) != -1) {
				hs->flags |= WEFT_HANDSHAKE_F_CHOSEN;
				return DROP;
			}
			if (aim_hopes(skb, &t, hs))
				return DROP;
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

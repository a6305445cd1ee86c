/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ends what is left on an endpoint that drains, in two ways.
 *
 * The iterators over TCP and UDP sockets close, at the deadline, with bpf_sock_destroy() (6.5). They see the network
 * namespace of who reads them, so user space reads them in each.
 *
 * Before the deadline the same iterator arms the sockets, so that nobody needs to be there then: a keepalive every
 * second. And while any deadline is set, a program at the incoming packets of the cgroup stops those for sockets that
 * are past theirs. An idle socket's keepalives then stay without answer; one that sends has to retransmit, where
 * sockops shortens its patience (TCP_USER_TIMEOUT). TCP itself ends both within some seconds.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>

#include "lib/drain.h"
#include "lib/flow.h"
#include "lib/tcp.h"
#include "switches.h"

#define SOL_SOCKET    1
#define SOL_TCP	      6
#define SO_KEEPALIVE  9
#define TCP_KEEPIDLE  4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT   6

#define TCP_ESTABLISHED 1
#define TCP_FLAGS_AT	13
#define TCP_FLAG_RST	4

/* Weak: where it is missing the loader leaves the iterators out, and user space closes with SOCK_DESTROY. */
extern int bpf_sock_destroy(struct sock_common *sk) __ksym __weak;

static __always_inline void drain_tell(struct seq_file *seq, __u32 did)
{
	bpf_seq_write(seq, &did, sizeof(did));
}

static __always_inline int drain_set(struct tcp_sock *tp, int level, int name, int value)
{
	return bpf_setsockopt(tp, level, name, &value, sizeof(value));
}

/* The application's own keepalive stays on, but for its times, which are the kernel's defaults afterwards. */
static __always_inline void drain_keepalive(struct tcp_sock *tp, int idle, int every, int count, int on)
{
	drain_set(tp, SOL_TCP, TCP_KEEPCNT, count);
	drain_set(tp, SOL_TCP, TCP_KEEPINTVL, every);
	drain_set(tp, SOL_TCP, TCP_KEEPIDLE, idle);
	drain_set(tp, SOL_SOCKET, SO_KEEPALIVE, on);
}

static __always_inline void drain_arm(struct seq_file *seq, struct tcp_sock *tp, struct weft_flow *flow)
{
	int on = 0;

	bpf_getsockopt(tp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	__sync_fetch_and_or(&flow->flags, on ? WEFT_FLOW_F_ARMED | WEFT_FLOW_F_KEPT : WEFT_FLOW_F_ARMED);
	drain_keepalive(tp, WEFT_DRAIN_KEEP_IDLE, WEFT_DRAIN_KEEP_EVERY, WEFT_DRAIN_KEEP_COUNT, 1);
	drain_tell(seq, WEFT_DRAIN_ARMED);
}

static __always_inline void drain_disarm(struct seq_file *seq, struct tcp_sock *tp, struct weft_flow *flow)
{
	__u32 was = __sync_fetch_and_and(&flow->flags, ~(WEFT_FLOW_F_ARMED | WEFT_FLOW_F_KEPT));

	drain_keepalive(tp, 7200, 75, 9, (was & WEFT_FLOW_F_KEPT) != 0);
	drain_tell(seq, WEFT_DRAIN_DISARMED);
}

SEC("iter/tcp")
int weft_drain_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct seq_file *seq = ctx->meta->seq;
	struct weft_flow *flow;
	struct tcp_sock *tp;

	if (!sk)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	flow = bpf_sk_storage_get(&weft_flows, tp, NULL, 0);
	/* A connect that is under way is not cut off: it comes to stand, and is closed at the next look. */
	if (!flow || !flow->held || flow->state != WEFT_FLOW_ESTABLISHED)
		return 0;
	switch (drain_state(flow)) {
	case DRAIN_DUE:
		/* sockops counts it. */
		drain_tell(seq, bpf_sock_destroy(sk) ? WEFT_DRAIN_FAILED : WEFT_DRAIN_CLOSED);
		break;
	case DRAIN_WAITS:
		if (!(flow->flags & WEFT_FLOW_F_ARMED))
			drain_arm(seq, tp, flow);
		break;
	case DRAIN_NONE:
		if (flow->flags & WEFT_FLOW_F_ARMED)
			drain_disarm(seq, tp, flow);
		break;
	}
	return 0;
}

SEC("iter/udp")
int weft_drain_udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *sk = ctx->udp_sk;
	struct weft_flow *flow;

	if (!sk)
		return 0;
	flow = bpf_sk_storage_get(&weft_flows, sk, NULL, 0);
	if (!flow || !flow->held || !drain_vanished(flow))
		return 0;
	if (bpf_sock_destroy((struct sock_common *)sk)) {
		drain_tell(ctx->meta->seq, WEFT_DRAIN_FAILED);
		return 0;
	}
	flow_leave(flow);
	count(WEFT_R_VANISHED_CLOSED);
	drain_tell(ctx->meta->seq, WEFT_DRAIN_RELEASED);
	return 0;
}

/* Nothing comes in any more but a reset. What goes out may: TCP only counts on answers to what was sent. */
static __always_inline bool drain_is_reset(struct __sk_buff *skb)
{
	__u32 at = 40;
	__u8 byte = 0;

	if (bpf_skb_load_bytes(skb, 0, &byte, 1))
		return false;
	if (byte >> 4 == 4)
		at = (byte & 15) * 4;
	if (bpf_skb_load_bytes(skb, at + TCP_FLAGS_AT, &byte, 1))
		return false;
	return byte & TCP_FLAG_RST;
}

SEC("cgroup_skb/ingress")
int weft_drain_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct weft_flow *flow;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_TCP)
		return 1;
	flow = bpf_sk_storage_get(&weft_flows, sk, NULL, 0);
	if (!flow || !flow->held || flow->state != WEFT_FLOW_ESTABLISHED || drain_state(flow) != DRAIN_DUE)
		return 1;
	return drain_is_reset(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

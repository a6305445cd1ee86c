/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Timing of a handshake: how long a SYN waits for its answer before it goes to the next endpoint, and when connect()
 * gives up.
 *
 * The first is the kernel's retransmission timer, which sockops sets in ticks for sockets that may fail over: four
 * times what a handshake with that endpoint takes, or with any of its service; 20 ms when nothing is known. Too short
 * costs a wasted SYN, not a failure: the first answer wins, however late.
 *
 * The second is TCP_USER_TIMEOUT, to which the kernel clamps the retransmission timer, so that it fires just then; the
 * number of retransmissions is high enough until then, and 1 from then on. The kernel adds tcp_syn_linear_timeouts (4)
 * to it, which by then are a tick apart: connect() ends some 20 ms after the deadline.
 */
#ifndef WEFT_BPF_SYNRTO_H
#define WEFT_BPF_SYNRTO_H

#include "lib/flow.h"
#include "lib/tcp.h"
#include "switches.h"

#ifndef SOL_TCP
#define SOL_TCP 6
#endif
#ifndef TCP_SYNCNT
#define TCP_SYNCNT 7
#endif
#ifndef TCP_USER_TIMEOUT
#define TCP_USER_TIMEOUT 18
#endif

#define SYN_RTO_MIN_MS	   20u
#define SYN_RTO_MAX_MS	   1000u
#define SYN_RTO_KERNEL_MS  1000u /* TCP_TIMEOUT_INIT */
#define SYN_RTO_HANDSHAKES 4u
#define SYN_COUNT_MAX	   127 /* MAX_TCP_SYNCNT */

/* How long a SYN to the flow's endpoint waits before it is sent again. */
static __always_inline __u32 handshake_rto_ms(const struct weft_flow *flow)
{
	__u32 now_ms = (__u32)(bpf_ktime_get_ns() / NS_PER_MS);
	const struct weft_bstate *state = bpf_map_lookup_elem(&weft_bstate, &flow->backend);
	const struct weft_sstate *service = bpf_map_lookup_elem(&weft_sstate, &flow->service);
	__u32 us = state ? weft_ewma_now(latency_read(state), now_ms) : 0;
	__u64 ms;

	if (!us && service)
		us = weft_ewma_now(ewma_read(&service->handshake), now_ms);
	ms = (__u64)us * SYN_RTO_HANDSHAKES / 1000;
	if (ms < SYN_RTO_MIN_MS)
		return SYN_RTO_MIN_MS;
	return ms > SYN_RTO_MAX_MS ? SYN_RTO_MAX_MS : (__u32)ms;
}

/* TIMEOUT_INIT. @spec may be NULL. */
static __always_inline void handshake_rto_init(struct bpf_sock_ops *ctx, const struct weft_flow *flow,
					       const struct weft_spec *spec)
{
	__u32 ticks;

	if (!spec || !weft_hz || !(flow->flags & WEFT_FLOW_F_HANDSHAKE))
		return;
	ticks = handshake_rto_ms(flow) * weft_hz / 1000;
	ctx->reply = ticks ? ticks : 1;
}

/*
 * TCP_CONNECT: no more than the service's time for connect(), and no less because the timer is short. What the
 * application asked for itself stays as it is.
 */
static __always_inline void handshake_deadline_begin(struct bpf_sock_ops *ctx, struct weft_flow *flow,
						     const struct weft_spec *spec)
{
	int timeout = (int)spec->connect_timeout_ms, count = SYN_COUNT_MAX, was = 0;
	struct tcp_sock *tp = weft_has_skerr && ctx->sk ? bpf_skc_to_tcp_sock(ctx->sk) : NULL;

	if (!timeout || (tp && tp->inet_conn.icsk_syn_retries))
		return;
	if (bpf_getsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &was, sizeof(was)) || was)
		return;
	if (bpf_getsockopt(ctx, SOL_TCP, TCP_SYNCNT, &was, sizeof(was)))
		return;
	if (bpf_setsockopt(ctx, SOL_TCP, TCP_SYNCNT, &count, sizeof(count)))
		return;
	bpf_setsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	flow->deadline_ms = (__u32)timeout;
	flow->syn_count = (__u8)was;
}

/* RTO in SYN_SENT. Before the retransmission that the timer is about to send. */
static __always_inline void handshake_deadline_check(struct bpf_sock_ops *ctx, const struct weft_flow *flow)
{
	int count = 1;

	/* Half a tick of slack: the timer may fire a little before its time. */
	if (!flow->deadline_ms || bpf_ktime_get_ns() + 2 * NS_PER_MS < flow->start_ns + flow->deadline_ms * NS_PER_MS)
		return;
	bpf_setsockopt(ctx, SOL_TCP, TCP_SYNCNT, &count, sizeof(count));
}

/* ESTABLISHED: as it was. */
static __always_inline void handshake_deadline_end(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
	int none = 0, count = flow->syn_count;

	if (!flow->deadline_ms)
		return;
	flow->deadline_ms = 0;
	bpf_setsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &none, sizeof(none));
	if (count)
		bpf_setsockopt(ctx, SOL_TCP, TCP_SYNCNT, &count, sizeof(count));
}

#endif

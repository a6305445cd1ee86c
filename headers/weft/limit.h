/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Limits that hold exactly, however many CPUs connect at once: pure functions over words that others change too. The
 * very source that runs in the kernel is what unit tests prove.
 */
#ifndef WEFT_LIMIT_H
#define WEFT_LIMIT_H

#include <linux/types.h>

#include "weft/lb.h"

/*
 * Each failed compare-and-exchange means that another CPU got through: the tries are spent only by as many others. Then
 * one more way decides that never takes a place beyond the limit, though it may refuse while another one does the same.
 */
#define WEFT_LIMIT_TRIES 16

/* Takes one of @limit places (0: no limit, counted all the same). 1: taken; 0: all are taken. */
WEFT_PURE int weft_limit_take(__u32 *taken, __u32 limit)
{
	if (!limit) {
		__sync_fetch_and_add(taken, 1);
		return 1;
	}
	for (int i = 0; i < WEFT_LIMIT_TRIES; i++) {
		__u32 now = *(volatile __u32 *)taken;

		if (now >= limit)
			return 0;
		if (__sync_val_compare_and_swap(taken, now, now + 1) == now)
			return 1;
	}
	if (__sync_fetch_and_add(taken, 1) < limit)
		return 1;
	__sync_fetch_and_sub(taken, 1);
	return 0;
}

WEFT_PURE void weft_limit_give_back(__u32 *taken)
{
	__sync_fetch_and_sub(taken, 1);
}

/*
 * A program reads the clock once, and may be interrupted before it gets to the bucket: so much older than that of the
 * others may its time be.
 */
#define WEFT_RATE_STALE_NS 4000000000ull

/*
 * Token bucket as the generic cell rate algorithm in its virtual scheduling form (ITU-T I.371, annex A): *at is when
 * the next connect would come if all came evenly; one that comes earlier than that by more than @burst_ns is one too
 * many. A bucket of B tokens refilled every @interval_ns has burst (B - 1) * interval. One word, so exact on all CPUs.
 * A bucket that is further ahead than this rule can bring it was filled under another, slower one: it counts as just
 * emptied, lest a service whose limit was raised had to wait for the old one to run out.
 * 1: conforms, the token is spent; 0: not, nothing is changed.
 */
WEFT_PURE int weft_rate_take(__u64 *at, __u64 interval_ns, __u64 burst_ns, __u64 now_ns)
{
	if (!interval_ns)
		return 1;
	for (int i = 0; i < WEFT_LIMIT_TRIES; i++) {
		__u64 due = *(volatile __u64 *)at;
		__u64 ahead = due > now_ns ? due - now_ns : 0;
		__u64 next;

		if (ahead > burst_ns) {
			__u64 over = ahead - burst_ns;

			if (over <= interval_ns || over - interval_ns <= WEFT_RATE_STALE_NS)
				return 0;
			ahead = burst_ns;
		}
		next = now_ns + ahead + interval_ns;
		if (next < interval_ns)
			next = ~0ull; /* for ever: only rules that nobody writes come here */
		if (__sync_val_compare_and_swap(at, due, next) == due)
			return 1;
	}
	return 0; /* so many others got through in this instant that one refusal more is no loss */
}

/* Tokens that are there at @now_ns, for `weft explain`; @interval_ns > 0. */
WEFT_PURE __u64 weft_rate_tokens(__u64 at, __u64 interval_ns, __u64 burst_ns, __u64 now_ns)
{
	__u64 ahead = at > now_ns ? at - now_ns : 0;

	if (!interval_ns)
		return 0;
	if (ahead > burst_ns) {
		__u64 over = ahead - burst_ns;

		return over > interval_ns && over - interval_ns > WEFT_RATE_STALE_NS; /* the one that sets it right */
	}
	return (burst_ns - ahead) / interval_ns + 1;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ejection of an endpoint that keeps failing, after Envoy's outlier detector, with two differences: it happens where
 * the failure is seen and not at the next sweep; and an endpoint that came back is ejected again by its first failure,
 * until it has had a success (as Ribbon and Linkerd do). Pure functions over struct weft_bstate and struct weft_sstate:
 * the very source that runs in the kernel and in the agent is what unit tests prove.
 */
#ifndef WEFT_OUTLIER_H
#define WEFT_OUTLIER_H

#include <linux/types.h>

#include "weft/lb.h"
#include "weft/limit.h"

struct weft_outlier_rule {
	__u32 failures; /* in a row; 0: off */
	__u32 base_ms;
	__u32 max_ms;
	__u32 percent;
	__u32 interval_ms;
	__u32 endpoints; /* of the service, healthy or not */
};

/* Sets bits of .out; the one that makes it non-zero counts the endpoint as unavailable. 1: a bit was new. */
WEFT_PURE int weft_out_set(struct weft_bstate *b, __u32 *unavailable, __u32 bits)
{
	__u32 was = __sync_fetch_and_or(&b->out, bits);

	if (!was && bits && unavailable)
		__sync_fetch_and_add(unavailable, 1);
	return (was & bits) != bits;
}

/* Clears bits; the one that makes it zero counts the endpoint as available. 1: a bit was set. */
WEFT_PURE int weft_out_clear(struct weft_bstate *b, __u32 *unavailable, __u32 bits)
{
	__u32 was = __sync_fetch_and_and(&b->out, ~bits);

	if ((was & bits) && !(was & ~bits) && unavailable)
		__sync_fetch_and_sub(unavailable, 1);
	return (was & bits) != 0;
}

/* How many of @endpoints may be ejected at once: one always, as long as the percentage is not 0. */
WEFT_PURE __u32 weft_outlier_cap(__u32 endpoints, __u32 percent)
{
	__u64 n = (__u64)endpoints * percent / 100;

	return percent && !n ? 1 : (__u32)n;
}

/* The multiplier for an ejection now: one more than the last, less one for each whole interval spent in service since.
 */
WEFT_PURE __u32 weft_outlier_multiplier(__u32 ejections, __u64 returned_ns, __u32 interval_ms, __u64 now_ns)
{
	__u64 healthy = returned_ns && now_ns > returned_ns && interval_ms
				? (now_ns - returned_ns) / ((__u64)interval_ms * 1000000)
				: 0;

	if (healthy >= ejections)
		return 1;
	return ejections - (__u32)healthy < 0xffffffffu ? ejections - (__u32)healthy + 1 : 0xffffffffu;
}

/* Base time x multiplier, capped at the maximum (or at the base time, when that is larger). */
WEFT_PURE __u64 weft_outlier_time_ns(const struct weft_outlier_rule *rule, __u32 multiplier)
{
	__u64 most = rule->max_ms > rule->base_ms ? rule->max_ms : rule->base_ms;
	__u64 ms = (__u64)rule->base_ms * multiplier;

	return (ms > most ? most : ms) * 1000000;
}

enum weft_outlier_answer { WEFT_OUTLIER_STAYS, WEFT_OUTLIER_EJECTED, WEFT_OUTLIER_OVERFLOW };

/*
 * .ejected_until_ns is 0, or even, or, while one CPU or the agent takes the endpoint out or back, odd: nobody else may
 * touch it then. Who took the claim finishes within microseconds, unless it is an agent that was killed: what is still
 * claimed so long after the time of the ejection may be taken over.
 */
#define WEFT_OUTLIER_CLAIM	 1ull
#define WEFT_OUTLIER_FORSAKEN_NS 1000000000ull

WEFT_PURE int weft_outlier_forsaken(__u64 until, __u64 clock_ns)
{
	return (until & WEFT_OUTLIER_CLAIM) && clock_ns > until && clock_ns - until > WEFT_OUTLIER_FORSAKEN_NS;
}

/*
 * Takes an ejection back when its time is over at @now_ns; @clock_ns is the real time (they differ when an ejection is
 * taken back early, with @now_ns ~0). 1: for the one caller that did it. s->ejected goes with the bit of .out, so that
 * it stays right even when two did this at once because the first was thought to be dead.
 */
WEFT_PURE int weft_outlier_return(struct weft_bstate *b, struct weft_sstate *s, __u32 *unavailable, __u64 now_ns,
				  __u64 clock_ns)
{
	__u64 until = *(volatile __u64 *)&b->ejected_until_ns, mine;
	int was_out;

	if (!until || (until & WEFT_OUTLIER_CLAIM ? !weft_outlier_forsaken(until, clock_ns) : until > now_ns))
		return 0;
	/* Another word than the one that was found, also when that one was claimed. */
	mine = until & WEFT_OUTLIER_CLAIM ? clock_ns | WEFT_OUTLIER_CLAIM : until | WEFT_OUTLIER_CLAIM;
	if (__sync_val_compare_and_swap(&b->ejected_until_ns, until, mine) != until)
		return 0;
	*(volatile __u64 *)&b->returned_ns = clock_ns;
	was_out = weft_out_clear(b, unavailable, WEFT_OUT_EJECTED);
	if (was_out)
		weft_limit_give_back(&s->ejected);
	__sync_val_compare_and_swap(&b->ejected_until_ns, mine, 0);
	return was_out;
}

/*
 * Ejects, unless it is ejected already or too many are. Of several CPUs exactly one does. @unavailable: the counter of
 * the endpoint's level, NULL when it is not in service.
 */
WEFT_PURE enum weft_outlier_answer weft_outlier_eject(struct weft_bstate *b, struct weft_sstate *s, __u32 *unavailable,
						      const struct weft_outlier_rule *rule, __u32 cause, __u64 now_ns)
{
	__u32 cap = weft_outlier_cap(rule->endpoints, rule->percent);
	__u64 was = *(volatile __u64 *)&b->ejected_until_ns, until;
	__u32 multiplier;

	if (!cap || (was && !weft_outlier_forsaken(was, now_ns)))
		return WEFT_OUTLIER_STAYS;
	if (was)
		weft_outlier_return(b, s, unavailable, now_ns, now_ns);
	multiplier = weft_outlier_multiplier(b->ejections, b->returned_ns, rule->interval_ms, now_ns);
	until = (now_ns + weft_outlier_time_ns(rule, multiplier)) & ~WEFT_OUTLIER_CLAIM;
	if (__sync_val_compare_and_swap(&b->ejected_until_ns, 0, until | WEFT_OUTLIER_CLAIM) != 0)
		return WEFT_OUTLIER_STAYS;
	if (!weft_limit_take(&s->ejected, cap)) {
		__sync_val_compare_and_swap(&b->ejected_until_ns, until | WEFT_OUTLIER_CLAIM, 0);
		return WEFT_OUTLIER_OVERFLOW;
	}
	*(volatile __u32 *)&b->ejections = multiplier;
	*(volatile __u32 *)&b->eject_cause = cause;
	__sync_fetch_and_add(&b->ejected, 1);
	weft_out_set(b, unavailable, WEFT_OUT_EJECTED);
	__sync_val_compare_and_swap(&b->ejected_until_ns, until | WEFT_OUTLIER_CLAIM, until);
	return WEFT_OUTLIER_EJECTED;
}

/* A failure of the endpoint. What failed before an ejection still counts after it, until there is a success. */
WEFT_PURE enum weft_outlier_answer weft_outlier_failure(struct weft_bstate *b, struct weft_sstate *s,
							__u32 *unavailable, const struct weft_outlier_rule *rule,
							__u32 cause, __u64 now_ns)
{
	__u32 row = __sync_fetch_and_add(&b->failures_in_row, 1) + 1;

	*(volatile __u64 *)&b->last_failure_ns = now_ns;
	if (!rule->failures || row < rule->failures)
		return WEFT_OUTLIER_STAYS;
	return weft_outlier_eject(b, s, unavailable, rule, cause, now_ns);
}

/* A success: what went before is forgiven. */
WEFT_PURE void weft_outlier_success(struct weft_bstate *b)
{
	if (*(volatile __u32 *)&b->failures_in_row)
		*(volatile __u32 *)&b->failures_in_row = 0;
}

#endif

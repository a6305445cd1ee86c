/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The error-rate circuit breaker of a service, after Netflix Hystrix: closed; open when the window holds at least
 * .breaker_volume outcomes and .breaker_percent of them failed; after the sleep window half-open, with a single trial
 * whose outcome closes or reopens it. Pure functions over struct weft_breaker: the very source that runs in the kernel
 * is what unit tests prove. All changes are compare-and-exchange of one word, so that among many CPUs exactly one
 * opens, exactly one tries, exactly one closes.
 */
#ifndef WEFT_BREAKER_H
#define WEFT_BREAKER_H

#include <linux/types.h>

#include "weft/lb.h"

enum weft_breaker_state { WEFT_BREAKER_CLOSED, WEFT_BREAKER_OPEN, WEFT_BREAKER_HALF_OPEN };

/* What the caller needs of struct weft_spec. */
struct weft_breaker_rule {
	__u32 percent; /* 0: off */
	__u32 volume;
	__u32 sleep_ms;
};

/* A trial that ends without an outcome (its socket died unseen) must not keep the breaker half-open for ever. */
#define WEFT_BREAKER_TRIAL_MAX_MS 60000ull

/* .word: since when in ms, shifted over the state. */
WEFT_PURE __u64 weft_breaker_word(enum weft_breaker_state state, __u64 since_ms)
{
	return since_ms << 2 | state;
}

WEFT_PURE enum weft_breaker_state weft_breaker_state_of(__u64 word)
{
	return (enum weft_breaker_state)(word & 3);
}

WEFT_PURE __u64 weft_breaker_since_ms(__u64 word)
{
	return word >> 2;
}

/*
 * A bucket in one word: second (24 bits) | failures (20) | successes (20). Bucket i is for seconds of which the
 * remainder by WEFT_BREAKER_BUCKETS is i; one whose second is not the wanted one is old and counts as empty, and
 * whoever finds it so replaces it. Counts stop near their maximum, with room for all CPUs that add at the same time.
 * Since 2^24 is no multiple of the number of buckets, a bucket that nothing touched looks current again only after 5 x
 * 2^24 s, 2.6 years.
 */
#define WEFT_BUCKET_SECONDS 0xffffffu
#define WEFT_BUCKET_MAX	    0xfffffull
#define WEFT_BUCKET_FULL    (WEFT_BUCKET_MAX - 0x4000)

WEFT_PURE __u64 weft_bucket_ok(__u64 b)
{
	return b & WEFT_BUCKET_MAX;
}

WEFT_PURE __u64 weft_bucket_failed(__u64 b)
{
	return b >> 20 & WEFT_BUCKET_MAX;
}

WEFT_PURE int weft_bucket_is_of(__u64 b, __u32 second)
{
	return (__u32)(b >> 40) == (second & WEFT_BUCKET_SECONDS);
}

/*
 * One more outcome of @second. Nothing is lost however many CPUs do this at once: only the first of a second exchanges
 * the word, and who loses to it adds.
 */
WEFT_PURE void weft_bucket_count(__u64 *bucket, __u32 second, int failed)
{
	const __u64 one = failed ? 1ull << 20 : 1;

	for (int i = 0; i < 4; i++) {
		__u64 v = *(volatile __u64 *)bucket;

		if (weft_bucket_is_of(v, second)) {
			if ((failed ? weft_bucket_failed(v) : weft_bucket_ok(v)) < WEFT_BUCKET_FULL)
				__sync_fetch_and_add(bucket, one);
			return;
		}
		if (__sync_val_compare_and_swap(bucket, v, (__u64)(second & WEFT_BUCKET_SECONDS) << 40 | one) == v)
			return;
	}
}

struct weft_window {
	__u64 ok, failed;
};

/* What the last WEFT_BREAKER_BUCKETS seconds, the one of @now_ms included, have seen. */
WEFT_PURE struct weft_window weft_breaker_window(const struct weft_breaker *b, __u64 now_ms)
{
	__u32 second = (__u32)(now_ms / 1000), newest = second % WEFT_BREAKER_BUCKETS;
	struct weft_window w = { 0, 0 };

	for (__u32 i = 0; i < WEFT_BREAKER_BUCKETS; i++) {
		__u64 v = *(const volatile __u64 *)&b->bucket[i];
		__u32 age = i <= newest ? newest - i : newest + WEFT_BREAKER_BUCKETS - i;

		if (weft_bucket_is_of(v, second - age)) {
			w.ok += weft_bucket_ok(v);
			w.failed += weft_bucket_failed(v);
		}
	}
	return w;
}

/* 0..100, rounded down as Hystrix does. */
WEFT_PURE __u32 weft_window_percent(struct weft_window w)
{
	__u64 all = w.ok + w.failed;

	return all ? (__u32)(w.failed * 100 / all) : 0;
}

enum weft_breaker_answer {
	WEFT_BREAKER_REFUSE, /* open, or another one is trying */
	WEFT_BREAKER_GO,
	WEFT_BREAKER_TRY, /* go, and report with @trial set: the breaker has just become half-open */
};

/* Would weft_breaker_enter() refuse? Without changing anything. */
WEFT_PURE int weft_breaker_refuses(const struct weft_breaker *b, const struct weft_breaker_rule *rule, __u64 now_ms)
{
	__u64 word = *(const volatile __u64 *)&b->word;
	__u64 since = weft_breaker_since_ms(word);
	/* The caller's clock may have been read a little before the change. */
	__u64 age = now_ms > since ? now_ms - since : 0;

	switch (weft_breaker_state_of(word)) {
	case WEFT_BREAKER_CLOSED:
		return 0;
	case WEFT_BREAKER_OPEN:
		return age < rule->sleep_ms;
	default:
		return age < WEFT_BREAKER_TRIAL_MAX_MS;
	}
}

/* A connect wants to go out. After WEFT_BREAKER_TRY exactly one weft_breaker_report() with @trial must follow. */
WEFT_PURE enum weft_breaker_answer weft_breaker_enter(struct weft_breaker *b, const struct weft_breaker_rule *rule,
						      __u64 now_ms)
{
	__u64 word = *(volatile __u64 *)&b->word;

	if (!rule->percent || weft_breaker_state_of(word) == WEFT_BREAKER_CLOSED)
		return WEFT_BREAKER_GO;
	if (weft_breaker_refuses(b, rule, now_ms))
		return WEFT_BREAKER_REFUSE;
	/* Of all that come now one wins. A lost trial is replaced likewise. */
	if (__sync_val_compare_and_swap(&b->word, word, weft_breaker_word(WEFT_BREAKER_HALF_OPEN, now_ms)) != word)
		return WEFT_BREAKER_REFUSE;
	return WEFT_BREAKER_TRY;
}

/* The trial was given up before it went out (a limit refused it): open as before, and due at once. */
WEFT_PURE void weft_breaker_untry(struct weft_breaker *b, const struct weft_breaker_rule *rule, __u64 now_ms)
{
	__u64 word = *(volatile __u64 *)&b->word;
	__u64 since = now_ms > rule->sleep_ms ? now_ms - rule->sleep_ms : 0;

	if (weft_breaker_state_of(word) == WEFT_BREAKER_HALF_OPEN)
		__sync_val_compare_and_swap(&b->word, word, weft_breaker_word(WEFT_BREAKER_OPEN, since));
}

enum weft_breaker_change { WEFT_BREAKER_SAME, WEFT_BREAKER_OPENED, WEFT_BREAKER_REOPENED, WEFT_BREAKER_RECOVERED };

/*
 * The outcome of a connect. Tells the one caller that changed the state of it. Whether to open is looked at when a
 * failure comes: a success makes nothing worse. Outcomes of connects that went out before the breaker opened decide
 * nothing; a trial that took so long that another one was let out decides for it.
 */
WEFT_PURE enum weft_breaker_change weft_breaker_report(struct weft_breaker *b, const struct weft_breaker_rule *rule,
						       int failed, int trial, __u64 now_ms)
{
	__u64 word = *(volatile __u64 *)&b->word;
	__u32 second = (__u32)(now_ms / 1000);
	__u64 at = second % WEFT_BREAKER_BUCKETS;
	struct weft_window w;
	__u64 *bucket;

	if (!rule->percent)
		return WEFT_BREAKER_SAME;
	if (trial) {
		if (weft_breaker_state_of(word) != WEFT_BREAKER_HALF_OPEN)
			return WEFT_BREAKER_SAME;
		if (failed) {
			if (__sync_val_compare_and_swap(&b->word, word, weft_breaker_word(WEFT_BREAKER_OPEN, now_ms)) !=
			    word)
				return WEFT_BREAKER_SAME;
			return WEFT_BREAKER_REOPENED;
		}
		/* What made it open must not open it again. */
		for (__u32 i = 0; i < WEFT_BREAKER_BUCKETS; i++)
			*(volatile __u64 *)&b->bucket[i] = 0;
		if (__sync_val_compare_and_swap(&b->word, word, weft_breaker_word(WEFT_BREAKER_CLOSED, now_ms)) != word)
			return WEFT_BREAKER_SAME;
		return WEFT_BREAKER_RECOVERED;
	}
	/* The kernel's verifier does not know what a remainder is, and the compiler must not know that this holds. */
	__asm__ volatile("" : "+r"(at));
	if (at >= WEFT_BREAKER_BUCKETS)
		return WEFT_BREAKER_SAME;
	bucket = &b->bucket[at];
	weft_bucket_count(bucket, second, failed);
	if (!failed || weft_breaker_state_of(word) != WEFT_BREAKER_CLOSED)
		return WEFT_BREAKER_SAME;
	w = weft_breaker_window(b, now_ms);
	if (w.ok + w.failed < rule->volume || weft_window_percent(w) < rule->percent)
		return WEFT_BREAKER_SAME;
	if (__sync_val_compare_and_swap(&b->word, word, weft_breaker_word(WEFT_BREAKER_OPEN, now_ms)) != word)
		return WEFT_BREAKER_SAME;
	__sync_fetch_and_add(&b->opened, 1);
	return WEFT_BREAKER_OPENED;
}

#endif

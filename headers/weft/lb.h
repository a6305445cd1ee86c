/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The arithmetic of choosing an endpoint: pure functions, without maps and without a clock, so that the very source
 * that runs in the kernel is what unit tests prove and what `weft explain` prints.
 */
#ifndef WEFT_LB_H
#define WEFT_LB_H

#include <linux/types.h>

#include "weft/abi.h"

#define WEFT_PURE static inline __attribute__((always_inline))

/* Before a loop that the BPF compiler must not unroll: the copies would spill more than a BPF stack holds. */
#ifdef __clang__
#define WEFT_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define WEFT_ROLLED
#endif

/* splitmix64's finalizer (Steele et al., OOPSLA 2014): every input bit reaches every output bit. */
WEFT_PURE __u64 weft_hash_mix(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Hash of a caller, see struct weft_affinity_key. */
WEFT_PURE __u32 weft_hash_client(__u64 c0, __u64 c1, __u32 kind)
{
	return (__u32)(weft_hash_mix(weft_hash_mix(c0 + 0x9e3779b97f4a7c15ull * (kind + 1)) ^ c1) >> 32);
}

/* A 32-bit hash or random number onto 0..n-1 without division (Lemire 2016); n > 0. */
WEFT_PURE __u32 weft_lb_scale(__u32 hash, __u32 n)
{
	return (__u32)(((__u64)hash * n) >> 32);
}

/* Latency forgets half of itself in this time when nothing feeds it (Finagle's peak EWMA has tau = 10 s, the same). */
#define WEFT_EWMA_HALF_MS 6931u

/*
 * @us after @age_ms without a sample. Between the halvings 2^-x = 1 - 0.6934 x + 0.1934 x^2 (x in 1/65536): exact at
 * both ends, within 1.1 % between them, and with the true slope at 0, which is all that counts when samples come often.
 */
WEFT_PURE __u32 weft_ewma_decay(__u32 us, __u32 age_ms)
{
	__u32 halvings = age_ms / WEFT_EWMA_HALF_MS;
	__u64 x = (__u64)(age_ms % WEFT_EWMA_HALF_MS) * 65536 / WEFT_EWMA_HALF_MS;

	if (halvings > 31)
		return 0;
	us >>= halvings;
	return us - (__u32)((us * (45440 * x - 12672 * x * x / 65536)) >> 32);
}

/* What @e is worth at @now_ms; at least 1 once it was measured, since 0 means "never measured". */
WEFT_PURE __u32 weft_ewma_now(struct weft_ewma e, __u32 now_ms)
{
	__u32 us = weft_ewma_decay(e.us, now_ms - e.at_ms);

	return e.us && !us ? 1 : us;
}

/*
 * Feeds a sample. Peak-sensitive as Finagle's: a worse sample counts at once and in full. A better one counts by the
 * time that went by since the last, e' = e w + sample (1 - w) with w from the decay, and by a quarter at least:
 * otherwise a single hiccup of this very node would keep an endpoint out for many seconds, however well it answers
 * meanwhile.
 */
WEFT_PURE struct weft_ewma weft_ewma_feed(struct weft_ewma e, __u32 sample_us, __u32 now_ms)
{
	__u32 us = weft_ewma_now(e, now_ms);
	struct weft_ewma next = { .us = sample_us ? sample_us : 1, .at_ms = now_ms };
	__u32 by_count;

	if (next.us >= us)
		return next;
	by_count = us - (us - next.us + 3) / 4;
	/* us <= e.us always: the difference is the share that was forgotten. */
	next.us = us + (__u32)(((__u64)next.us * (e.us - us)) / e.us);
	if (by_count < next.us)
		next.us = by_count;
	return next;
}

/* What the policies that compare look at. */
struct weft_lb_candidate {
	__u32 active;
	__u32 weight;  /* > 0 */
	__u32 ewma_us; /* as of now; 0: never measured */
};

/* Does @a have no more connections for its weight than @b? (nginx, "random two least_conn".) */
WEFT_PURE int weft_lb_fewer(const struct weft_lb_candidate *a, const struct weft_lb_candidate *b)
{
	return (__u64)a->active * b->weight <= (__u64)b->active * a->weight;
}

/*
 * Cost of one more connection: latency x (1 + active / relative weight), in 1/16 us. Idle endpoints are compared by
 * latency alone: their weight has already had its say when the two candidates were drawn.
 */
WEFT_PURE __u64 weft_lb_cost(const struct weft_lb_candidate *c, __u32 avg_weight)
{
	__u64 load = 16 +
		     (__u64)(c->active > 0xfffff ? 0xfffff : c->active) * avg_weight * 16 / (c->weight ? c->weight : 1);

	return (__u64)c->ewma_us * load;
}

/*
 * Latencies that say the same: within a factor of two, after 0.1 ms was added to both. A handshake on one node takes 20
 * us or 90 us as the scheduler pleases; preferring the lucky one would send nearly everything there.
 */
#define WEFT_EWMA_FLOOR_US 100u
WEFT_PURE int weft_lb_similar(__u32 a_us, __u32 b_us)
{
	__u64 a = (__u64)a_us + WEFT_EWMA_FLOOR_US;
	__u64 b = (__u64)b_us + WEFT_EWMA_FLOOR_US;

	return a < 2 * b && b < 2 * a;
}

/*
 * Power of two choices on the cost; among endpoints of similar latency, on connections. An endpoint that was never
 * measured and carries nothing is tried at once; while it carries its first connections and no handshake has come back,
 * connections decide.
 */
WEFT_PURE int weft_lb_cheaper(const struct weft_lb_candidate *a, const struct weft_lb_candidate *b, __u32 avg_weight)
{
	if (!a->ewma_us && !a->active)
		return 1;
	if (!b->ewma_us && !b->active)
		return 0;
	if (!a->ewma_us || !b->ewma_us || weft_lb_similar(a->ewma_us, b->ewma_us))
		return weft_lb_fewer(a, b);
	return weft_lb_cost(a, avg_weight) <= weft_lb_cost(b, avg_weight);
}

/* Bucket of a log2 histogram: 0 for 0 and 1 us, i for values below 2^(i+1) us, the last for all the rest. */
WEFT_PURE __u32 weft_hist_bucket(__u64 us)
{
	__u32 i = 0;

	if (us >> 32)
		return WEFT_HIST - 1;
	if (us >> 16) {
		us >>= 16;
		i += 16;
	}
	if (us >> 8) {
		us >>= 8;
		i += 8;
	}
	if (us >> 4) {
		us >>= 4;
		i += 4;
	}
	if (us >> 2) {
		us >>= 2;
		i += 2;
	}
	if (us >> 1)
		i += 1;
	return i < WEFT_HIST ? i : WEFT_HIST - 1;
}

#endif

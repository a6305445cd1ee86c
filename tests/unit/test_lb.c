/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The arithmetic of choosing an endpoint, the same source that runs in the kernel: headers/weft/lb.h. */
#include <math.h>
#include <stdint.h>

#include "unit.h"
#include "weft/lb.h"

START_TEST(mix_is_the_published_one)
{
	/* splitmix64's published sequence for seed 0: state advances by the golden ratio, output is its finalizer. */
	ck_assert_uint_eq(weft_hash_mix(0x9e3779b97f4a7c15ull), 0xe220a8397b1dcdafull);
	ck_assert_uint_eq(weft_hash_mix(0x9e3779b97f4a7c15ull * 2), 0x6e789e6aa1b965f4ull);
	ck_assert_uint_eq(weft_hash_mix(0), 0);
}
END_TEST

START_TEST(every_bit_of_a_client_reaches_the_hash)
{
	for (int bit = 0; bit < 128; bit++) {
		unsigned flips = 0;

		for (uint64_t i = 1; i <= 64; i++) {
			uint64_t c0 = i * 0x123456789ull, c1 = i * 0x987654321ull;
			uint32_t a = weft_hash_client(c0, c1, 1);
			uint32_t b = bit < 64 ? weft_hash_client(c0 ^ 1ull << bit, c1, 1)
					      : weft_hash_client(c0, c1 ^ 1ull << (bit - 64), 1);

			flips += (unsigned)__builtin_popcount(a ^ b);
		}
		/* Half of 32 bits in 64 trials: 1024, sigma 22.6; five of them. */
		ck_assert_msg(flips > 911 && flips < 1137, "bit %d: %u", bit, flips);
	}
}
END_TEST

START_TEST(kinds_of_clients_are_told_apart)
{
	ck_assert_uint_ne(weft_hash_client(7, 0, 0), weft_hash_client(7, 0, 1));
	ck_assert_uint_ne(weft_hash_client(7, 0, 1), weft_hash_client(7, 0, 2));
}
END_TEST

START_TEST(scale_is_even_and_in_range)
{
	static const uint32_t sizes[] = { 1, 2, 3, 7, 100, 65537 };

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint32_t n = sizes[k];

		ck_assert_uint_eq(weft_lb_scale(0, n), 0);
		ck_assert_uint_eq(weft_lb_scale(UINT32_MAX, n), n - 1);
	}
	for (uint32_t n = 2; n < 50; n++) {
		unsigned got[50] = {};
		double x = 0;

		for (unsigned i = 0; i < 10000; i++)
			got[weft_lb_scale((uint32_t)(weft_hash_mix(i * 31ull + n) >> 32), n)]++;
		for (uint32_t i = 0; i < n; i++)
			x += pow(got[i] - 10000.0 / n, 2) / (10000.0 / n);
		/* Chi square of n - 1 degrees of freedom: mean n - 1, sigma sqrt(2 (n - 1)). The input is fixed: no
		 * chance in it. */
		ck_assert_msg(x < (n - 1) + 5 * sqrt(2.0 * (n - 1)), "n %u: %.1f", n, x);
	}
}
END_TEST

START_TEST(sequential_addresses_spread)
{
	unsigned on[10] = {};

	for (uint32_t i = 0; i < 100000; i++) {
		struct weft_addr a;

		weft_addr_set_v4(&a, __builtin_bswap32(0x0a000000u + i));
		on[weft_lb_scale(weft_hash_client((uint64_t)weft_addr_word(&a, 0) << 32 | weft_addr_word(&a, 1),
						  (uint64_t)weft_addr_word(&a, 2) << 32 | weft_addr_word(&a, 3), 1),
				 10)]++;
	}
	for (int i = 0; i < 10; i++)
		ck_assert_msg(on[i] > 9600 && on[i] < 10400, "%u on %d", on[i], i);
}
END_TEST

START_TEST(decay_halves_and_stays_near_the_exponential)
{
	const uint32_t us = 1000000;

	ck_assert_uint_eq(weft_ewma_decay(us, 0), us);
	ck_assert_uint_eq(weft_ewma_decay(us, WEFT_EWMA_HALF_MS), us / 2);
	ck_assert_uint_eq(weft_ewma_decay(us, 2 * WEFT_EWMA_HALF_MS), us / 4);
	ck_assert_uint_eq(weft_ewma_decay(us, 32 * WEFT_EWMA_HALF_MS), 0);
	ck_assert_uint_eq(weft_ewma_decay(UINT32_MAX, UINT32_MAX), 0);
	for (uint32_t ms = 0; ms < 10 * WEFT_EWMA_HALF_MS; ms += 97) {
		double exact = us * pow(0.5, (double)ms / WEFT_EWMA_HALF_MS);
		double off = weft_ewma_decay(us, ms) / exact - 1;

		/* The bound that the header states, and whole microseconds. */
		ck_assert_msg(off > -0.0115 && off < 0.002, "%u ms: %.4f", ms, off);
		ck_assert_uint_le(weft_ewma_decay(us, ms + 1), weft_ewma_decay(us, ms));
	}
}
END_TEST

START_TEST(a_measured_endpoint_never_looks_unmeasured)
{
	struct weft_ewma e = { .us = 3, .at_ms = 1000 };

	ck_assert_uint_eq(weft_ewma_now(e, 1000 + 40 * WEFT_EWMA_HALF_MS), 1);
	e.us = 0;
	ck_assert_uint_eq(weft_ewma_now(e, 5000), 0);
	/* A handshake of less than a microsecond counts as one. */
	ck_assert_uint_eq(weft_ewma_feed(e, 0, 5000).us, 1);
}
END_TEST

START_TEST(the_clock_may_wrap)
{
	struct weft_ewma e = { .us = 1000, .at_ms = UINT32_MAX - 10 };

	ck_assert_uint_eq(weft_ewma_now(e, WEFT_EWMA_HALF_MS - 11), 500);
}
END_TEST

START_TEST(a_worse_sample_counts_at_once)
{
	struct weft_ewma e = { .us = 1000, .at_ms = 1000 };
	struct weft_ewma next = weft_ewma_feed(e, 50000, 1001);

	ck_assert_uint_eq(next.us, 50000);
	ck_assert_uint_eq(next.at_ms, 1001);
	/* The first one of all, too. */
	ck_assert_uint_eq(weft_ewma_feed((struct weft_ewma){}, 300, 7).us, 300);
}
END_TEST

START_TEST(a_better_sample_counts_by_the_time_that_went_by_and_a_quarter_at_least)
{
	struct weft_ewma e = { .us = 10000, .at_ms = 1000 };

	/* Half of the old is forgotten: the time says half old, half new; a quarter of the way from there to the new is
	 * less. */
	ck_assert_uint_eq(weft_ewma_feed(e, 100, 1000 + WEFT_EWMA_HALF_MS).us, 5000 - 4900 / 4);
	ck_assert_uint_eq(weft_ewma_feed(e, 100, 1000).us, 10000 - 9900 / 4);
	/* A better one by little, after long: the time decides. */
	ck_assert_uint_eq(weft_ewma_feed(e, 9999, 1000).us, 9999);
	/* After a long silence the sample is all there is. */
	ck_assert_uint_eq(weft_ewma_feed(e, 100, 1000 + 40 * WEFT_EWMA_HALF_MS).us, 100);
}
END_TEST

static const struct {
	uint32_t from, to, every_ms;
} feeds[] = { { 10000, 100, 1 }, { 10000, 100, 50 }, { 10000, 100, 1000 }, { 20, 2, 1 }, { 1000000, 999, 3 } };

START_TEST(frequent_samples_add_up_to_time)
{
	struct weft_ewma e = { .us = feeds[_i].from, .at_ms = 1000 };
	uint32_t now = 1000;

	/* Ten half-lives: whatever the rhythm, the old is nearly gone. Shares of a microsecond are lost on the way. */
	while (now < 1000 + 10 * WEFT_EWMA_HALF_MS) {
		now += feeds[_i].every_ms;
		e = weft_ewma_feed(e, feeds[_i].to, now);
		ck_assert_uint_ge(e.us, feeds[_i].to);
	}
	ck_assert_msg(e.us <= feeds[_i].to + feeds[_i].from / 500 + 8, "%u", e.us);
}
END_TEST

/* One hiccup of ten times the latency, and then the truth again: four samples bring it within a factor of two and a
 * half. */
START_TEST(a_hiccup_is_soon_forgiven)
{
	struct weft_ewma e = { .us = 2000, .at_ms = 1000 };

	e = weft_ewma_feed(e, 20000, 1001);
	for (uint32_t now = 1002; now <= 1005; now++)
		e = weft_ewma_feed(e, 2000, now);
	ck_assert_msg(e.us < 8000, "%u", e.us);
	ck_assert(!weft_lb_similar(e.us, 20000));
}
END_TEST

START_TEST(fewer_compares_by_weight)
{
	const struct weft_lb_candidate light = { .active = 2, .weight = 1 }, heavy = { .active = 3, .weight = 2 };

	ck_assert(weft_lb_fewer(&heavy, &light));
	ck_assert(!weft_lb_fewer(&light, &heavy));
	ck_assert(weft_lb_fewer(&light, &light));
	const struct weft_lb_candidate huge = { .active = UINT32_MAX, .weight = 1 },
				       big = { .active = UINT32_MAX, .weight = 1000 };
	ck_assert(weft_lb_fewer(&big, &huge) && !weft_lb_fewer(&huge, &big));
}
END_TEST

START_TEST(cost_grows_with_latency_and_load)
{
	struct weft_lb_candidate c = { .active = 0, .weight = 10, .ewma_us = 100 };

	ck_assert_uint_eq(weft_lb_cost(&c, 10), 100 * 16);
	c.active = 1;
	ck_assert_uint_eq(weft_lb_cost(&c, 10), 2 * 100 * 16);
	c.weight = 20;
	ck_assert_uint_eq(weft_lb_cost(&c, 10), 100 * 24);
	/* Extremes neither overflow nor divide by zero. */
	c = (struct weft_lb_candidate){ .active = UINT32_MAX, .weight = 0, .ewma_us = UINT32_MAX };
	ck_assert_uint_gt(weft_lb_cost(&c, WEFT_WEIGHT_MAX), 1ull << 60);
	c.active--;
	ck_assert_uint_gt(weft_lb_cost(&c, WEFT_WEIGHT_MAX), 1ull << 60);
}
END_TEST

START_TEST(the_cheaper_of_two)
{
	const struct weft_lb_candidate fresh = { .weight = 1 }, busy_fresh = { .active = 1, .weight = 1 };
	const struct weft_lb_candidate fast = { .weight = 1, .ewma_us = 2000 },
				       slow = { .weight = 1, .ewma_us = 20000 };
	const struct weft_lb_candidate loaded = { .active = 20, .weight = 1, .ewma_us = 2000 };

	/* Never measured and idle: tried at once, from either side. */
	ck_assert(weft_lb_cheaper(&fresh, &fast, 1) && !weft_lb_cheaper(&fast, &fresh, 1));
	/* While its first connection is under way, connections decide. */
	ck_assert(!weft_lb_cheaper(&busy_fresh, &fast, 1) && weft_lb_cheaper(&fast, &busy_fresh, 1));
	ck_assert(weft_lb_cheaper(&fast, &slow, 1) && !weft_lb_cheaper(&slow, &fast, 1));
	/* Enough load on the fast one makes the slow one the better choice. */
	ck_assert(weft_lb_cheaper(&slow, &loaded, 1) && !weft_lb_cheaper(&loaded, &slow, 1));
}
END_TEST

START_TEST(latencies_that_say_the_same_do_not_decide)
{
	const struct weft_lb_candidate lucky = { .active = 3, .weight = 1, .ewma_us = 20 };
	const struct weft_lb_candidate unlucky = { .active = 1, .weight = 1, .ewma_us = 90 };

	ck_assert(weft_lb_similar(20, 90) && weft_lb_similar(90, 20));
	ck_assert(!weft_lb_similar(200, 2000) && !weft_lb_similar(2000, 200));
	ck_assert(weft_lb_similar(UINT32_MAX, UINT32_MAX));
	ck_assert(weft_lb_cheaper(&unlucky, &lucky, 1) && !weft_lb_cheaper(&lucky, &unlucky, 1));
}
END_TEST

START_TEST(buckets_are_powers_of_two)
{
	ck_assert_uint_eq(weft_hist_bucket(0), 0);
	for (uint32_t i = 0; i < 63; i++) {
		uint32_t last = WEFT_HIST - 1, expected = i < last ? i : last;

		ck_assert_uint_eq(weft_hist_bucket(1ull << i), expected);
		ck_assert_uint_eq(weft_hist_bucket((2ull << i) - 1), expected);
	}
	ck_assert_uint_eq(weft_hist_bucket(UINT64_MAX), WEFT_HIST - 1);
}
END_TEST

static Suite *lb_suite(void)
{
	Suite *s = suite_create("lb");
	TCase *c = tcase_create("lb");

	tcase_add_test(c, mix_is_the_published_one);
	tcase_add_test(c, every_bit_of_a_client_reaches_the_hash);
	tcase_add_test(c, kinds_of_clients_are_told_apart);
	tcase_add_test(c, scale_is_even_and_in_range);
	tcase_add_test(c, sequential_addresses_spread);
	tcase_add_test(c, decay_halves_and_stays_near_the_exponential);
	tcase_add_test(c, a_measured_endpoint_never_looks_unmeasured);
	tcase_add_test(c, the_clock_may_wrap);
	tcase_add_test(c, a_worse_sample_counts_at_once);
	tcase_add_test(c, a_better_sample_counts_by_the_time_that_went_by_and_a_quarter_at_least);
	tcase_add_test(c, a_hiccup_is_soon_forgiven);
	tcase_add_loop_test(c, frequent_samples_add_up_to_time, 0, UNIT_NR(feeds));
	tcase_add_test(c, fewer_compares_by_weight);
	tcase_add_test(c, cost_grows_with_latency_and_load);
	tcase_add_test(c, the_cheaper_of_two);
	tcase_add_test(c, latencies_that_say_the_same_do_not_decide);
	tcase_add_test(c, buckets_are_powers_of_two);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(lb_suite());
}

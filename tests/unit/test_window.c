/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The breaker's rolling window of outcomes, in the manner of Hystrix's HystrixRollingNumberTest:
 * headers/weft/breaker.h. */
#include "weft/breaker.h"

#include "crowd.h"

/* Never opens: only counts. */
static const struct weft_breaker_rule rule = { 100, UINT32_MAX, 1 };

static void outcomes(struct weft_breaker *b, unsigned ok, unsigned failed, uint64_t now)
{
	while (ok--)
		weft_breaker_report(b, &rule, 0, 0, now);
	while (failed--)
		weft_breaker_report(b, &rule, 1, 0, now);
}

static const struct window_case {
	const char *name;
	struct {
		uint32_t ms;		     /* after the begin, which is the first of a second */
		unsigned ok, failed;	     /* come now */
		unsigned all_ok, all_failed; /* expected in the window then */
	} step[12];
} cases[] = {
	{ "testEmptySum", { { 0, 0, 0, 0, 0 }, { 50000, 0, 0, 0, 0 } } },
	{ "testIncrementInSingleBucket", { { 0, 4, 2, 4, 2 }, { 999, 1, 1, 5, 3 } } },
	{ "testTimeout", { { 0, 0, 1, 0, 1 }, { 3000, 0, 1, 0, 2 } } },
	{ "testEmptyBucketsFillIn", { { 0, 1, 0, 1, 0 }, { 3000, 1, 0, 2, 0 }, { 3500, 0, 0, 2, 0 } } },
	{ "testIncrementInMultipleBuckets",
	  { { 0, 4, 5, 4, 5 }, { 3000, 2, 4, 6, 9 }, { 13000, 1, 0, 1, 0 }, { 13001, 0, 0, 1, 0 } } },
	{ "testCounterRetrievalRefreshesBuckets",
	  { { 0, 4, 2, 4, 2 }, { 3000, 0, 0, 4, 2 }, { 13000, 0, 0, 0, 0 }, { 13000, 1, 0, 1, 0 } } },
	{ "testCreatesBuckets",
	  { { 0, 1, 0, 1, 0 },
	    { 1000, 1, 0, 2, 0 },
	    { 2000, 1, 0, 3, 0 },
	    { 3000, 1, 0, 4, 0 },
	    { 4000, 1, 0, 5, 0 },
	    { 5000, 1, 0, 6, 0 },
	    { 6000, 1, 0, 7, 0 },
	    { 7000, 1, 0, 8, 0 },
	    { 8000, 1, 0, 9, 0 },
	    { 9000, 1, 0, 10, 0 },
	    { 10000, 1, 0, 10, 0 },
	    { 11000, 0, 0, 9, 0 } } },
	{ "the first millisecond of a second, and the last",
	  { { 0, 0, 1, 0, 1 },
	    { 9999, 0, 0, 0, 1 },
	    { 10000, 0, 0, 0, 0 },
	    { 999, 0, 1, 0, 2 },
	    { 10000, 0, 0, 0, 0 } } },
	{ "a gap of exactly a window in one bucket",
	  { { 0, 3, 7, 3, 7 }, { 10000, 1, 0, 1, 0 }, { 20000, 0, 1, 0, 1 } } },
	/* 65536 s, and five times that: where stamps of 16 bits would call the old one new. */
	{ "a gap of 18 hours", { { 0, 3, 7, 3, 7 }, { 65536000, 0, 0, 0, 0 }, { 65536000 * 5u, 0, 1, 0, 1 } } },
	{ "a gap of months", { { 0, 3, 7, 3, 7 }, { 4294967000, 0, 0, 0, 0 }, { 4294967000, 1, 1, 1, 1 } } },
};

/* The last ones: 24 bits of a stamp wrap after five seconds; so do 16. */
static const uint64_t begins[] = { 10000, 123456780000ull, ((1ull << 24) - 5) * 1000, 65531000 };

START_TEST(counts_the_last_ten_seconds)
{
	const struct window_case *t = &cases[_i];

	for (size_t k = 0; k < sizeof(begins) / sizeof(begins[0]); k++) {
		struct weft_breaker b = {};

		for (size_t i = 0; i < 12 && (!i || t->step[i].ms); i++) {
			uint64_t now = begins[k] + t->step[i].ms;
			struct weft_window w;

			outcomes(&b, t->step[i].ok, t->step[i].failed, now);
			w = weft_breaker_window(&b, now);
			ck_assert_msg(w.ok == t->step[i].all_ok && w.failed == t->step[i].all_failed,
				      "%s: step %zu of begin %zu: found %llu and %llu", t->name, i, k,
				      (unsigned long long)w.ok, (unsigned long long)w.failed);
		}
	}
}
END_TEST

/* testRolling: many turns of the ring, each second with a number of its own. */
START_TEST(rolls_for_ever)
{
	struct weft_breaker b = {};
	unsigned last[WEFT_BREAKER_BUCKETS] = {};

	for (unsigned s = 0; s < 500; s++) {
		unsigned n = s * 7 % 13, sum = 0;

		outcomes(&b, n, n / 2, 7000000 + s * 1000);
		last[s % WEFT_BREAKER_BUCKETS] = n;
		for (unsigned i = 0; i < WEFT_BREAKER_BUCKETS; i++)
			sum += last[i];
		ck_assert_uint_eq(weft_breaker_window(&b, 7000000 + s * 1000).ok, sum);
	}
}
END_TEST

/* The whole life of a bucket that nothing touches: it looks current again only at five times the wrap of its stamp. */
START_TEST(an_old_bucket_does_not_come_back)
{
	const uint64_t wrap = 1ull << 24;
	struct weft_breaker b = {};

	outcomes(&b, 3, 7, 20000000);
	for (uint64_t k = 1; k <= 4; k++)
		for (int64_t off = -20; off <= 20; off++)
			ck_assert_uint_eq(weft_breaker_window(&b, (20000 + k * wrap + (uint64_t)off) * 1000).failed, 0);
	ck_assert_uint_eq(weft_breaker_window(&b, (20000 + 5 * wrap) * 1000).failed, 7);
}
END_TEST

START_TEST(counts_stop_before_they_overflow)
{
	struct weft_breaker b = {};
	struct weft_window w;

	outcomes(&b, WEFT_BUCKET_MAX + 100, 17, 20000000);
	w = weft_breaker_window(&b, 20000000);
	ck_assert_uint_eq(w.ok, WEFT_BUCKET_FULL);
	ck_assert_uint_eq(w.failed, 17);
	outcomes(&b, 0, WEFT_BUCKET_MAX + 100, 20000000);
	w = weft_breaker_window(&b, 20000000);
	ck_assert_uint_eq(w.ok, WEFT_BUCKET_FULL);
	ck_assert_uint_eq(w.failed, WEFT_BUCKET_FULL);
	/* And the second is still the same. */
	ck_assert_uint_eq(weft_breaker_window(&b, 20010000).failed, 0);
}
END_TEST

START_TEST(percent_is_rounded_down)
{
	ck_assert_uint_eq(weft_window_percent((struct weft_window){ 0, 0 }), 0);
	ck_assert_uint_eq(weft_window_percent((struct weft_window){ 0, 1 }), 100);
	ck_assert_uint_eq(weft_window_percent((struct weft_window){ 2, 1 }), 33);
	ck_assert_uint_eq(weft_window_percent((struct weft_window){ 1, 2 }), 66);
	ck_assert_uint_eq(weft_window_percent((struct weft_window){ 10 * WEFT_BUCKET_MAX, 10 * WEFT_BUCKET_MAX }), 50);
	ck_assert_uint_eq(weft_window_percent((struct weft_window){ 1, 10 * WEFT_BUCKET_MAX }), 99);
}
END_TEST

struct counters {
	struct weft_breaker b;
	uint64_t now;
	unsigned each;
};

/* Outcomes of two kinds, while the second changes ten times under them. */
static void count_many(void *shared, unsigned number)
{
	struct counters *t = shared;

	for (unsigned i = 0; i < t->each; i++)
		weft_breaker_report(&t->b, &rule, (int)(number & 1), 0, t->now + 1000ull * (i * 10 / t->each));
}

START_TEST(no_outcome_is_lost)
{
	struct counters t = { .each = 1000 };

	for (unsigned round = 0; round < 20; round++) {
		struct weft_window w;

		/* In every round each bucket is an old one, to be replaced by the first of 16. */
		t.now = 5000000 + round * 10000;
		crowd(16, count_many, &t);
		w = weft_breaker_window(&t.b, t.now + 9999);
		ck_assert_uint_eq(w.ok, 8 * 1000);
		ck_assert_uint_eq(w.failed, 8 * 1000);
	}
}
END_TEST

static Suite *window_suite(void)
{
	Suite *s = suite_create("window");
	TCase *c = tcase_create("window");

	tcase_set_timeout(c, 300);
	tcase_add_loop_test(c, counts_the_last_ten_seconds, 0, UNIT_NR(cases));
	tcase_add_test(c, rolls_for_ever);
	tcase_add_test(c, an_old_bucket_does_not_come_back);
	tcase_add_test(c, counts_stop_before_they_overflow);
	tcase_add_test(c, percent_is_rounded_down);
	tcase_add_test(c, no_outcome_is_lost);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(window_suite());
}

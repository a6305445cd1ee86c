/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Limits and the token bucket, the same source that runs in the kernel: headers/weft/limit.h. */
#include "weft/limit.h"

#include <sched.h>

#include "chance.h"
#include "crowd.h"

#define MS 1000000ull
#define S  1000000000ull

START_TEST(takes_as_many_as_there_are)
{
	uint32_t taken = 0;

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(weft_limit_take(&taken, 100), 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weft_limit_take(&taken, 100), 0);
	ck_assert_uint_eq(taken, 100);
	weft_limit_give_back(&taken);
	ck_assert_int_eq(weft_limit_take(&taken, 100), 1);
	ck_assert_int_eq(weft_limit_take(&taken, 100), 0);
	/* A limit that was lowered: nothing until enough have gone. */
	ck_assert_int_eq(weft_limit_take(&taken, 50), 0);
	for (int i = 0; i < 51; i++)
		weft_limit_give_back(&taken);
	ck_assert_int_eq(weft_limit_take(&taken, 50), 1);
	ck_assert_int_eq(weft_limit_take(&taken, 50), 0);
	/* None: counted all the same. */
	ck_assert_int_eq(weft_limit_take(&taken, 0), 1);
	ck_assert_uint_eq(taken, 51);
	ck_assert_int_eq(weft_limit_take(&taken, UINT32_MAX), 1);
}
END_TEST

/* Holders announce themselves only after they took, and take themselves off before they give back: what is announced is
 * never more than what is held. */
struct holders {
	uint32_t taken, limit, inside, most;
	unsigned each;
	uint64_t took[CROWD_MAX], refused[CROWD_MAX];
};

static void take_and_give_back(void *shared, unsigned number)
{
	struct holders *h = shared;
	unsigned held = 0;

	for (unsigned i = 0; i < h->each; i++) {
		if (held && (i * 7 + number) % 3 == 0) {
			__atomic_sub_fetch(&h->inside, 1, __ATOMIC_SEQ_CST);
			weft_limit_give_back(&h->taken);
			held--;
			continue;
		}
		if (!weft_limit_take(&h->taken, h->limit)) {
			h->refused[number]++;
			if (held) {
				__atomic_sub_fetch(&h->inside, 1, __ATOMIC_SEQ_CST);
				weft_limit_give_back(&h->taken);
				held--;
			}
			continue;
		}
		held++;
		h->took[number]++;
		uint32_t now = __atomic_add_fetch(&h->inside, 1, __ATOMIC_SEQ_CST);
		uint32_t most = __atomic_load_n(&h->most, __ATOMIC_SEQ_CST);

		while (now > most &&
		       !__atomic_compare_exchange_n(&h->most, &most, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
	}
	while (held--) {
		__atomic_sub_fetch(&h->inside, 1, __ATOMIC_SEQ_CST);
		weft_limit_give_back(&h->taken);
	}
}

static const struct {
	uint32_t limit, threads, each;
} crowds[] = { { 1, 8, 60000 }, { 2, 8, 60000 }, { 7, 8, 60000 }, { 100, 8, 60000 }, { 3, 64, 4000 } };

START_TEST(never_more_than_the_limit)
{
	struct holders h = { .limit = crowds[_i].limit, .each = chance_rounds(crowds[_i].each) };
	uint64_t took = 0, refused = 0;

	crowd(crowds[_i].threads, take_and_give_back, &h);
	for (unsigned i = 0; i < crowds[_i].threads; i++) {
		took += h.took[i];
		refused += h.refused[i];
	}
	ck_assert_msg(h.most <= h.limit, "limit %u: %u at once", h.limit, h.most);
	ck_assert_uint_eq(h.most, h.limit);
	ck_assert_uint_eq(h.taken, 0);
	ck_assert_uint_gt(took, 0);
	ck_assert_uint_gt(refused, 0);
	/* All of it is back. */
	for (uint32_t i = 0; i < h.limit; i++)
		ck_assert_int_eq(weft_limit_take(&h.taken, h.limit), 1);
	ck_assert_int_eq(weft_limit_take(&h.taken, h.limit), 0);
}
END_TEST

/* As many as there are places, all at once and nobody else: everybody gets one. */
static void take_one(void *shared, unsigned number)
{
	struct holders *h = shared;

	if (weft_limit_take(&h->taken, h->limit))
		h->took[number]++;
	else
		h->refused[number]++;
}

START_TEST(nobody_is_refused_while_there_is_room)
{
	for (int round = 0; round < (int)chance_rounds(30); round++) {
		struct holders h = { .limit = 64 };

		crowd(64, take_one, &h);
		for (unsigned i = 0; i < 64; i++)
			ck_assert_uint_eq(h.took[i], 1);
		ck_assert_uint_eq(h.taken, 64);
	}
}
END_TEST

/* The bucket as anybody would write it: tokens in 1/interval. */
struct naive {
	uint64_t tokens_ns, at, cap_ns;
};

static int naive_take(struct naive *n, uint64_t interval, uint64_t now)
{
	n->tokens_ns += now - n->at;
	n->at = now;
	if (n->tokens_ns > n->cap_ns)
		n->tokens_ns = n->cap_ns;
	if (n->tokens_ns < interval)
		return 0;
	n->tokens_ns -= interval;
	return 1;
}

START_TEST(does_what_the_naive_bucket_does)
{
	struct chance c = chance_new();

	for (int round = 0; round < (int)chance_rounds(200); round++) {
		uint32_t burst = 1 + chance_below(&c, 50);
		uint64_t interval = 1 + chance_next(&c) % (round % 2 ? S : 1000);
		uint64_t now = chance_next(&c) >> 20, pace = 1 + chance_next(&c) % (2 * interval);
		__u64 at = 0;
		struct naive n = { .tokens_ns = burst * interval, .at = now, .cap_ns = burst * interval };

		for (int i = 0; i < 1000; i++) {
			uint64_t tokens = weft_rate_tokens(at, interval, (burst - 1) * interval, now);
			int found, expected;

			ck_assert_msg(tokens <= burst, CHANCE "round %d step %d", CHANCE_ARG(c), round, i);
			found = weft_rate_take(&at, interval, (burst - 1) * interval, now);
			expected = naive_take(&n, interval, now);
			ck_assert_msg(found == expected && found == (tokens > 0),
				      CHANCE "round %d step %d: %d, %d, %llu", CHANCE_ARG(c), round, i, found, expected,
				      (unsigned long long)tokens);
			/* Now and then long enough to fill it, and more. */
			now += chance_below(&c, 100) ? chance_next(&c) % pace : chance_next(&c) % (100 * interval);
		}
	}
}
END_TEST

static const struct {
	uint64_t interval, burst; /* connects */
	uint64_t every, seconds;  /* an attempt each so many ns, for so long */
} runs[] = {
	{ S / 100, 1, MS, 10 },	   { S / 100, 50, MS, 10 },  { S / 1000, 100, MS / 10, 5 },
	{ S, 1, 10 * MS, 60 },	   { S, 10, MS, 60 },	     { S / 3, 7, MS, 100 },
	{ S / 50000, 1, 5000, 2 }, { S / 7, 3, 333333, 20 }, { 1, 1, 1, 0 },
};

/* Overload for a whole number of seconds: the burst, and then the rate, to the one. */
START_TEST(overload_gets_burst_and_rate)
{
	uint64_t begin = 77 * S, got = 0, end = begin + runs[_i].seconds * S;
	__u64 at = 0;

	for (uint64_t now = begin; now <= end; now += runs[_i].every)
		got += (uint64_t)weft_rate_take(&at, runs[_i].interval, (runs[_i].burst - 1) * runs[_i].interval, now);
	/* The token of the very first instant is of the burst; each interval that is over brings one. */
	uint64_t expected = runs[_i].burst + runs[_i].seconds * S / runs[_i].interval;

	ck_assert_msg(got + 1 >= expected && got <= expected, "%llu instead of %llu", (unsigned long long)got,
		      (unsigned long long)expected);
}
END_TEST

START_TEST(idle_fills_it_once)
{
	uint64_t burst = 9 * S, now = 1000 * S;
	__u64 at = 0;
	int got = 0;

	ck_assert_uint_eq(weft_rate_tokens(at, S, burst, now), 10);
	while (weft_rate_take(&at, S, burst, now))
		got++;
	ck_assert_int_eq(got, 10);
	ck_assert_uint_eq(weft_rate_tokens(at, S, burst, now), 0);
	ck_assert_uint_eq(weft_rate_tokens(at, S, burst, now + S), 1);
	ck_assert_uint_eq(weft_rate_tokens(at, S, burst, now + S - 1), 0);
	ck_assert_uint_eq(weft_rate_tokens(at, S, burst, now + 5 * S + S / 2), 5);
	/* A year is no more than ten seconds. */
	ck_assert_uint_eq(weft_rate_tokens(at, S, burst, now + 31536000 * S), 10);
	now += 31536000 * S;
	for (got = 0; weft_rate_take(&at, S, burst, now);)
		got++;
	ck_assert_int_eq(got, 10);
}
END_TEST

START_TEST(the_clock_may_stand_or_lag)
{
	uint64_t now = 1000 * S;
	__u64 at = 0;

	/* It stands. */
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(weft_rate_take(&at, MS, 9 * MS, now), 1);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(weft_rate_take(&at, MS, 9 * MS, now), 0);
	/* Who read the clock before the others gets nothing that they have taken, however long it was held up. */
	for (uint64_t lag = 1; lag < 4 * S; lag = lag * 3 / 2 + 1)
		ck_assert_int_eq(weft_rate_take(&at, MS, 9 * MS, now - lag), 0);
	ck_assert_int_eq(weft_rate_take(&at, MS, 9 * MS, now + MS), 1);
	/* It jumps ahead: one burst. */
	now += 1ull << 50;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(weft_rate_take(&at, MS, 9 * MS, now), 1);
	ck_assert_int_eq(weft_rate_take(&at, MS, 9 * MS, now), 0);
}
END_TEST

/* One per second with a burst of 1000, used up; then 1000 per second: not 1000 s of silence. */
START_TEST(a_raised_rate_counts_at_once)
{
	uint64_t now = 5000 * S, got = 0;
	__u64 at = 0;

	while (weft_rate_take(&at, S, 999 * S, now))
		got++;
	ck_assert_uint_eq(got, 1000);
	ck_assert_uint_eq(weft_rate_tokens(at, MS, 9 * MS, now), 1);
	got = 0;
	for (uint64_t t = now; t < now + S; t += MS / 10)
		got += (uint64_t)weft_rate_take(&at, MS, 9 * MS, t);
	ck_assert_msg(got >= 999 && got <= 1001, "%llu", (unsigned long long)got);
	/* Lowered: what is there of the old is worth less, never more. */
	got = 0;
	for (uint64_t t = now + S; t < now + 11 * S; t += MS)
		got += (uint64_t)weft_rate_take(&at, S, 0, t);
	ck_assert_msg(got >= 9 && got <= 11, "%llu", (unsigned long long)got);
}
END_TEST

START_TEST(extremes_do_not_overflow)
{
	static const uint64_t values[] = { 0, 1, 2, MS, S, 1ull << 32, 1ull << 62, 1ull << 63, ~0ull - 1, ~0ull };
	const size_t n = sizeof(values) / sizeof(values[0]);

	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < n; j++)
			for (size_t k = 0; k < n; k++)
				for (size_t l = 0; l < n; l++) {
					__u64 at = values[l], before = at;
					int r = weft_rate_take(&at, values[i], values[j], values[k]);

					/* Spent goes ahead, as far as there is ahead; refused changes nothing. */
					if (!r)
						ck_assert_uint_eq(at, before);
					else if (before <= values[k])
						ck_assert(at > values[k] || at == ~0ull);
				}
	/* No limit: no bucket. */
	__u64 at = 7;

	ck_assert_int_eq(weft_rate_take(&at, 0, 0, 5), 1);
	ck_assert_uint_eq(at, 7);
	ck_assert_uint_eq(weft_rate_tokens(at, 0, 5, 5), 0);
	/* What weft.yaml can say at most: one a second with a burst of 2^32 - 1, for a node that is up for ten years.
	 */
	at = 0;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(weft_rate_take(&at, S, 4294967294ull * S, 315360000ull * S), 1);
	ck_assert_uint_eq(weft_rate_tokens(at, S, 4294967294ull * S, 315360000ull * S), 4294966295ull);
}
END_TEST

/* Eight threads, one clock: what all of them get together is what one would have got. */
struct rush {
	__u64 at;
	uint64_t now, end, interval, burst;
	uint64_t got[CROWD_MAX];
};

static void rush(void *shared, unsigned number)
{
	struct rush *r = shared;

	for (;;) {
		uint64_t now = __atomic_add_fetch(&r->now, 10000, __ATOMIC_SEQ_CST);

		if (now > r->end)
			return;
		/* Held up between the clock and the bucket. */
		if (now % 640000 == 0)
			sched_yield();
		r->got[number] += (uint64_t)weft_rate_take(&r->at, r->interval, r->burst, now);
	}
}

START_TEST(threads_share_one_bucket)
{
	struct rush r = { .now = 9 * S, .end = 12 * S, .interval = S / 5000, .burst = 99 * (S / 5000) };
	uint64_t got = 0;

	crowd(8, rush, &r);
	for (int i = 0; i < 8; i++)
		got += r.got[i];
	/* Never more than the rule; less only by what the threads' clocks are apart at the end. */
	ck_assert_msg(got <= 100 + 15000 && got >= 100 + 15000 - 20, "%llu", (unsigned long long)got);
}
END_TEST

static Suite *limit_suite(void)
{
	Suite *s = suite_create("limit");
	TCase *c = tcase_create("limit");

	tcase_set_timeout(c, 300);
	tcase_add_test(c, takes_as_many_as_there_are);
	tcase_add_loop_test(c, never_more_than_the_limit, 0, UNIT_NR(crowds));
	tcase_add_test(c, nobody_is_refused_while_there_is_room);
	tcase_add_test(c, does_what_the_naive_bucket_does);
	tcase_add_loop_test(c, overload_gets_burst_and_rate, 0, UNIT_NR(runs));
	tcase_add_test(c, idle_fills_it_once);
	tcase_add_test(c, the_clock_may_stand_or_lag);
	tcase_add_test(c, a_raised_rate_counts_at_once);
	tcase_add_test(c, extremes_do_not_overflow);
	tcase_add_test(c, threads_share_one_bucket);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(limit_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ejection by chance, by many CPUs and the agent at once, and by an agent that dies: headers/weft/outlier.h. */
#include "weft/outlier.h"

#include <stdbool.h>

#include "chance.h"
#include "crowd.h"

#define MS	     1000000ull
#define NR_ENDPOINTS 4

struct world {
	struct weft_bstate b[NR_ENDPOINTS];
	struct weft_sstate s;
	struct weft_outlier_rule rule;
	uint64_t now;
	unsigned each, ejected, returned, overflowed;
	unsigned out[NR_ENDPOINTS], most[NR_ENDPOINTS]; /* ejections minus returns of each, and their maximum */
	unsigned away, most_away;			/* of all */
};

static unsigned add(unsigned *counter, int n)
{
	return __atomic_add_fetch(counter, (unsigned)n, __ATOMIC_SEQ_CST);
}

static void fail_all(void *shared, unsigned number)
{
	struct world *w = shared;

	for (unsigned i = 0; i < w->each; i++) {
		struct weft_bstate *b = &w->b[(i + number) % NR_ENDPOINTS];

		switch (weft_outlier_failure(b, &w->s, &w->s.unavailable[0], &w->rule, WEFT_CAUSE_REFUSED, w->now)) {
		case WEFT_OUTLIER_EJECTED:
			add(&w->ejected, 1);
			break;
		case WEFT_OUTLIER_OVERFLOW:
			add(&w->overflowed, 1);
			break;
		case WEFT_OUTLIER_STAYS:
			break;
		}
	}
}

static void return_all(void *shared, unsigned number)
{
	struct world *w = shared;

	for (unsigned i = 0; i < NR_ENDPOINTS; i++)
		if (weft_outlier_return(&w->b[(i + number) % NR_ENDPOINTS], &w->s, &w->s.unavailable[0], w->now,
					w->now))
			add(&w->returned, 1);
}

static void expect_consistent(const struct world *w, unsigned ejected)
{
	unsigned out = 0;

	for (int i = 0; i < NR_ENDPOINTS; i++) {
		ck_assert_uint_eq(w->b[i].ejected_until_ns & WEFT_OUTLIER_CLAIM, 0);
		ck_assert_int_eq(w->b[i].ejected_until_ns != 0, (w->b[i].out & WEFT_OUT_EJECTED) != 0);
		out += w->b[i].out != 0;
	}
	ck_assert_uint_eq(w->s.ejected, ejected);
	ck_assert_uint_eq(w->s.unavailable[0], out);
}

/* CrossThreadFailRace: each is ejected once and brought back once, and as many as the percentage allows. */
START_TEST(one_of_many_ejects_and_one_returns)
{
	static const unsigned percents[] = { 100, 75, 50, 1 }, caps[] = { 4, 3, 2, 1 };

	for (unsigned round = 0; round < chance_rounds(60); round++) {
		struct world w = { .rule = { 5, 30000, 300000, percents[round % 4], 10000, NR_ENDPOINTS },
				   .now = (1000 + round) * MS,
				   .each = 8 };
		unsigned cap = caps[round % 4];

		crowd(16, fail_all, &w);
		ck_assert_uint_eq(w.ejected, cap);
		expect_consistent(&w, cap);
		for (int i = 0; i < NR_ENDPOINTS; i++) {
			ck_assert_uint_eq(w.b[i].failures_in_row, 32);
			ck_assert_uint_eq(w.b[i].ejections, w.b[i].out ? 1 : 0);
			ck_assert_uint_eq(w.b[i].ejected, w.b[i].out ? 1 : 0);
		}
		w.now += 29999 * MS;
		crowd(4, return_all, &w);
		ck_assert_uint_eq(w.returned, 0);
		w.now += MS;
		crowd(16, return_all, &w);
		ck_assert_uint_eq(w.returned, cap);
		expect_consistent(&w, 0);
	}
}
END_TEST

/* The one that ejected and the one that brought back say so after the fact and before it: never two of either in a row.
 */
static void hurry(void *shared, unsigned number)
{
	struct world *w = shared;
	struct chance c = { .state = number };

	for (unsigned i = 0; i < w->each; i++) {
		unsigned e = chance_below(&c, NR_ENDPOINTS);
		uint64_t now = __atomic_add_fetch(&w->now, 2, __ATOMIC_SEQ_CST);

		switch (chance_below(&c, 4)) {
		case 0:
			if (weft_outlier_return(&w->b[e], &w->s, &w->s.unavailable[0], ~0ull, now))
				add(&w->returned, 1);
			break;
		case 1:
			/* Other reasons come and go meanwhile. */
			if (!weft_out_set(&w->b[e], &w->s.unavailable[0], WEFT_OUT_UNHEALTHY))
				weft_out_clear(&w->b[e], &w->s.unavailable[0], WEFT_OUT_UNHEALTHY);
			break;
		default:
			if (weft_outlier_eject(&w->b[e], &w->s, &w->s.unavailable[0], &w->rule, WEFT_CAUSE_REFUSED,
					       now) == WEFT_OUTLIER_EJECTED) {
				unsigned away = __atomic_load_n(&w->s.ejected, __ATOMIC_SEQ_CST), most;

				add(&w->ejected, 1);
				most = __atomic_load_n(&w->most_away, __ATOMIC_SEQ_CST);
				while (away > most && !__atomic_compare_exchange_n(&w->most_away, &most, away, false,
										   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
					continue;
			}
		}
	}
}

/* Ejections, and early returns by health checks, as fast as they can. With a base time of nothing, too: the ejection is
 * over before it is complete. */
START_TEST(nothing_is_stuck_or_drifts)
{
	for (unsigned round = 0; round < 6; round++) {
		struct world w = { .rule = { 1, round % 2 ? 30000 : 0, 300000, 50, 10000, NR_ENDPOINTS },
				   .now = 1000 * MS,
				   .each = chance_rounds(15000) };

		crowd(8, hurry, &w);
		ck_assert_uint_gt(w.ejected, 100);
		ck_assert_uint_le(w.most_away, 2);
		ck_assert_uint_eq(w.ejected - w.returned, w.s.ejected);
		expect_consistent(&w, w.s.ejected);
		/* Whatever state they are in: all come back, and can be ejected anew. */
		for (int i = 0; i < NR_ENDPOINTS; i++) {
			weft_outlier_return(&w.b[i], &w.s, &w.s.unavailable[0], ~0ull, w.now);
			weft_out_clear(&w.b[i], &w.s.unavailable[0], WEFT_OUT_UNHEALTHY);
			ck_assert_uint_eq(w.b[i].out, 0);
		}
		expect_consistent(&w, 0);
		ck_assert_int_eq(
			weft_outlier_eject(&w.b[0], &w.s, &w.s.unavailable[0], &w.rule, WEFT_CAUSE_REFUSED, w.now),
			WEFT_OUTLIER_EJECTED);
	}
}
END_TEST

/* An agent is killed between any two stores of an ejection or of a return. */
static const struct {
	const char *name;
	bool bit, counted; /* .out has it, and weft_sstate.ejected */
} deaths[] = {
	{ "ejecting: claimed", false, false },
	{ "ejecting: counted; or returning: the bit is gone", false, true },
	{ "ejecting: complete but for the claim; or returning: claimed", true, true },
	{ "returning: all but the claim", false, false },
};

START_TEST(a_killed_agent_leaves_nothing_that_stays)
{
	struct world w = { .rule = { 1, 30000, 300000, 100, 10000, NR_ENDPOINTS }, .now = 100000 * MS };
	struct weft_bstate *b = &w.b[0];
	uint64_t until = w.now + 30000 * MS;

	b->ejected_until_ns = until | WEFT_OUTLIER_CLAIM;
	w.s.ejected = deaths[_i].counted;
	if (deaths[_i].bit)
		weft_out_set(b, &w.s.unavailable[0], WEFT_OUT_EJECTED);
	/* While it may be alive nobody interferes. */
	ck_assert_int_eq(weft_outlier_return(b, &w.s, &w.s.unavailable[0], ~0ull, w.now), 0);
	ck_assert_int_eq(weft_outlier_return(b, &w.s, &w.s.unavailable[0], until + MS, until + MS), 0);
	ck_assert_int_eq(weft_outlier_eject(b, &w.s, &w.s.unavailable[0], &w.rule, WEFT_CAUSE_REFUSED, until),
			 WEFT_OUTLIER_STAYS);
	until += 1001 * MS;
	ck_assert_int_eq(weft_outlier_return(b, &w.s, &w.s.unavailable[0], until, until), deaths[_i].bit);
	ck_assert_uint_eq(b->out, 0);
	ck_assert_uint_eq(w.s.unavailable[0], 0);
	ck_assert_uint_eq(b->ejected_until_ns, 0);
	/* One too many only where nobody can know: the agent counts anew when it starts. */
	ck_assert_uint_eq(w.s.ejected, deaths[_i].counted && !deaths[_i].bit);
	/* And it can be ejected again, also when nobody asked for it to return. */
	ck_assert_int_eq(weft_outlier_eject(b, &w.s, &w.s.unavailable[0], &w.rule, WEFT_CAUSE_REFUSED, until),
			 WEFT_OUTLIER_EJECTED);
	b->ejected_until_ns |= WEFT_OUTLIER_CLAIM;
	until += 1000000 * MS;
	ck_assert_int_eq(weft_outlier_eject(b, &w.s, &w.s.unavailable[0], &w.rule, WEFT_CAUSE_REFUSED, until),
			 WEFT_OUTLIER_EJECTED);
	ck_assert_uint_eq(b->out, WEFT_OUT_EJECTED);
	ck_assert_uint_eq(w.s.unavailable[0], 1);
	ck_assert_uint_eq(w.s.ejected, 1 + (deaths[_i].counted && !deaths[_i].bit));
}
END_TEST

/* Again, as one would explain it: in whole milliseconds, one caller at a time. */
struct naive {
	bool out;
	unsigned row, ejections;
	uint64_t until, returned;
};

static int naive_eject(struct naive *n, struct naive *all, const struct weft_outlier_rule *r, uint64_t now)
{
	uint64_t spent = n->returned ? (now - n->returned) / r->interval_ms : 0, time;
	unsigned others = 0;

	for (int i = 0; i < NR_ENDPOINTS; i++)
		others += all[i].out;
	if (n->out || !r->percent)
		return WEFT_OUTLIER_STAYS;
	if (others && (others + 1) * 100 > r->percent * r->endpoints)
		return WEFT_OUTLIER_OVERFLOW;
	n->ejections = (spent < n->ejections ? n->ejections - (unsigned)spent : 0) + 1;
	time = (uint64_t)n->ejections * r->base_ms;
	if (time > r->max_ms)
		time = r->max_ms > r->base_ms ? r->max_ms : r->base_ms;
	n->until = now + time;
	n->out = true;
	return WEFT_OUTLIER_EJECTED;
}

static int naive_step(struct naive *n, struct naive *all, const struct weft_outlier_rule *r, unsigned act, uint64_t now)
{
	switch (act) {
	case 0:
		n->row = 0;
		return 0;
	case 1:
	case 2:
		if (!n->out || (act == 1 && n->until > now))
			return 0;
		n->out = false;
		n->returned = now;
		return 1;
	case 3:
		return naive_eject(n, all, r, now);
	default:
		return ++n->row >= r->failures && r->failures ? naive_eject(n, all, r, now) : WEFT_OUTLIER_STAYS;
	}
}

static int step(struct world *w, unsigned e, unsigned act, uint64_t now_ns)
{
	switch (act) {
	case 0:
		weft_outlier_success(&w->b[e]);
		return 0;
	case 1:
	case 2:
		return weft_outlier_return(&w->b[e], &w->s, &w->s.unavailable[0], act == 1 ? now_ns : ~0ull, now_ns);
	case 3:
		return weft_outlier_eject(&w->b[e], &w->s, &w->s.unavailable[0], &w->rule, WEFT_CAUSE_SUCCESS_RATE,
					  now_ns);
	default:
		return weft_outlier_failure(&w->b[e], &w->s, &w->s.unavailable[0], &w->rule, WEFT_CAUSE_REFUSED,
					    now_ns);
	}
}

START_TEST(does_what_the_naive_one_does)
{
	struct chance c = chance_new();

	for (int round = 0; round < (int)chance_rounds(500); round++) {
		struct world w = { .rule = { chance_below(&c, 7), chance_below(&c, 50000), chance_below(&c, 300000),
					     chance_below(&c, 101), 1 + chance_below(&c, 20000), NR_ENDPOINTS } };
		struct naive n[NR_ENDPOINTS] = {};
		uint64_t now = 1 + (chance_next(&c) >> 26);
		uint32_t pace = 1 + chance_below(&c, 60000);

		for (int i = 0; i < 200; i++) {
			unsigned e = chance_below(&c, NR_ENDPOINTS), act = chance_below(&c, 10);
			int found = step(&w, e, act, now * MS), expected = naive_step(&n[e], n, &w.rule, act, now);

			ck_assert_msg(found == expected && (w.b[e].out != 0) == n[e].out &&
					      w.b[e].ejections == n[e].ejections,
				      CHANCE "round %d step %d act %u: expected %d, found %d", CHANCE_ARG(c), round, i,
				      act, expected, found);
			now += chance_below(&c, 4) ? 0 : chance_below(&c, pace);
		}
	}
}
END_TEST

static Suite *outlier_race_suite(void)
{
	Suite *s = suite_create("outlier race");
	TCase *c = tcase_create("outlier race");

	tcase_set_timeout(c, 300);
	tcase_add_test(c, does_what_the_naive_one_does);
	tcase_add_test(c, one_of_many_ejects_and_one_returns);
	tcase_add_test(c, nothing_is_stuck_or_drifts);
	tcase_add_loop_test(c, a_killed_agent_leaves_nothing_that_stays, 0, UNIT_NR(deaths));
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(outlier_race_suite());
}

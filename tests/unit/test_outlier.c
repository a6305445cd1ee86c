/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ejection of endpoints that keep failing, the same source that runs in the kernel and in the agent:
 * headers/weft/outlier.h. The cases that bear Envoy's names do what its outlier_detection_impl_test does, as far as
 * failures of connects go; those of Ribbon and Linkerd what their rules say.
 */
#include "weft/outlier.h"

#include "unit.h"

#define MS 1000000ull

enum act {
	END,
	FAIL, /* .n failures; the last one expects enum weft_outlier_answer, those before STAYS */
	OK,
	EJECT,	 /* by the agent; likewise */
	RETURN,	 /* expects whether it came back at that time */
	EARLY,	 /* a health check brings it back; likewise */
	OUT,	 /* expects whether it is ejected */
	COUNT,	 /* expects how many of the service are */
	SECONDS, /* expects how long the ejection is in all */
};

enum { STAYS = WEFT_OUTLIER_STAYS, EJECTED = WEFT_OUTLIER_EJECTED, OVERFLOWS = WEFT_OUTLIER_OVERFLOW };

struct step {
	unsigned s; /* seconds after the begin */
	enum act act;
	unsigned endpoint, n;
	int expected;
};

#define ENVOY(nr)                                                                                                      \
	{                                                                                                              \
		5, 30000, 300000, 100, 10000, (nr)                                                                     \
	}
#define ENVOY10(p)                                                                                                     \
	{                                                                                                              \
		5, 10000, 300000, (p), 10000, 2                                                                        \
	}

static const struct outlier_case {
	const char *name;
	struct weft_outlier_rule rule; /* failures, base, max, percent, interval, endpoints */
	struct step step[24];
} cases[] = {
	{ "BasicFlow5xx",
	  ENVOY(2),
	  { { 0, FAIL, 0, 1, STAYS },
	    { 0, OK, 0, 0, 0 },
	    { 0, FAIL, 0, 4, STAYS },
	    { 0, FAIL, 0, 1, EJECTED },
	    { 0, COUNT, 0, 0, 1 },
	    { 9, RETURN, 0, 0, 0 },
	    { 29, RETURN, 0, 0, 0 },
	    { 30, RETURN, 0, 0, 1 },
	    { 30, COUNT, 0, 0, 0 },
	    { 30, OK, 0, 0, 0 },
	    { 40, FAIL, 0, 4, STAYS },
	    { 40, FAIL, 0, 1, EJECTED },
	    { 40, COUNT, 0, 0, 1 } } },
	{ "BasicFlow5xx...WithActiveHC",
	  ENVOY(2),
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 1, EARLY, 0, 0, 1 },
	    { 1, OUT, 0, 0, 0 },
	    { 1, EARLY, 0, 0, 0 },
	    { 1, COUNT, 0, 0, 0 },
	    { 30, RETURN, 0, 0, 0 },
	    { 30, COUNT, 0, 0, 0 } } },
	{ "RemoveWhileEjected",
	  ENVOY(1),
	  { { 0, FAIL, 0, 5, EJECTED }, { 5, EARLY, 0, 0, 1 }, { 9, RETURN, 0, 0, 0 }, { 9, COUNT, 0, 0, 0 } } },
	{ "Overflow",
	  { 5, 30000, 300000, 1, 10000, 2 },
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 0, FAIL, 1, 5, OVERFLOWS },
	    { 0, OUT, 1, 0, 0 },
	    { 0, COUNT, 0, 0, 1 },
	    { 1, FAIL, 1, 1, OVERFLOWS },
	    /* There is room again: the next failure takes it, however long ago its row began. */
	    { 30, RETURN, 0, 0, 1 },
	    { 30, FAIL, 1, 1, EJECTED } } },
	{ "Consecutive_5xxAlreadyEjected",
	  ENVOY(1),
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 0, OK, 0, 0, 0 },
	    { 0, FAIL, 0, 5, STAYS },
	    { 0, COUNT, 0, 0, 1 },
	    { 0, SECONDS, 0, 0, 30 } } },
	{ "EjectTimeBackoff",
	  ENVOY10(100),
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 0, SECONDS, 0, 0, 10 },
	    { 10, RETURN, 0, 0, 1 },
	    { 10, FAIL, 0, 1, EJECTED },
	    { 10, SECONDS, 0, 0, 20 },
	    { 20, RETURN, 0, 0, 0 },
	    { 30, RETURN, 0, 0, 1 },
	    { 30, FAIL, 0, 1, EJECTED },
	    { 30, SECONDS, 0, 0, 30 },
	    { 59, RETURN, 0, 0, 0 },
	    { 60, RETURN, 0, 0, 1 },
	    /* Healthy for two intervals, and then for many. */
	    { 80, FAIL, 0, 1, EJECTED },
	    { 80, SECONDS, 0, 0, 20 },
	    { 100, RETURN, 0, 0, 1 },
	    { 200, FAIL, 0, 1, EJECTED },
	    { 200, SECONDS, 0, 0, 10 } } },
	{ "MaxEjectTime",
	  { 5, 10000, 30000, 100, 10000, 1 },
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 10, RETURN, 0, 0, 1 },
	    { 10, FAIL, 0, 1, EJECTED },
	    { 30, RETURN, 0, 0, 1 },
	    { 30, FAIL, 0, 1, EJECTED },
	    { 30, SECONDS, 0, 0, 30 },
	    { 60, RETURN, 0, 0, 1 },
	    { 60, FAIL, 0, 1, EJECTED },
	    { 60, SECONDS, 0, 0, 30 },
	    { 89, RETURN, 0, 0, 0 },
	    { 90, RETURN, 0, 0, 1 } } },
	{ "MaxEjectTimeNotAlligned",
	  { 5, 10000, 23000, 100, 10000, 1 },
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 10, RETURN, 0, 0, 1 },
	    { 10, FAIL, 0, 1, EJECTED },
	    { 10, SECONDS, 0, 0, 20 },
	    { 30, RETURN, 0, 0, 1 },
	    { 30, FAIL, 0, 1, EJECTED },
	    { 30, SECONDS, 0, 0, 23 } } },
	{ "DetectorStaticConfigBaseLargerThanMaxNoMax",
	  { 5, 400000, 300000, 100, 10000, 1 },
	  { { 0, FAIL, 0, 5, EJECTED },
	    { 0, SECONDS, 0, 0, 400 },
	    { 399, RETURN, 0, 0, 0 },
	    { 400, RETURN, 0, 0, 1 } } },
	{ "NotEnforcing",
	  { 0, 30000, 300000, 100, 10000, 1 },
	  { { 0, FAIL, 0, 50, STAYS }, { 0, OUT, 0, 0, 0 }, { 0, EJECT, 0, 1, EJECTED }, { 0, COUNT, 0, 0, 1 } } },
	{ "a percentage of nothing",
	  { 5, 30000, 300000, 0, 10000, 10 },
	  { { 0, FAIL, 0, 50, STAYS }, { 0, EJECT, 0, 1, STAYS }, { 0, COUNT, 0, 0, 0 } } },
	{ "half of four",
	  { 1, 30000, 300000, 50, 10000, 4 },
	  { { 0, FAIL, 0, 1, EJECTED },
	    { 0, FAIL, 1, 1, EJECTED },
	    { 0, FAIL, 2, 1, OVERFLOWS },
	    { 0, FAIL, 3, 1, OVERFLOWS },
	    { 0, COUNT, 0, 0, 2 } } },
	/* connectionFailureCountThreshold 3, circuitTripTimeoutFactorSeconds 10, circuitTripMaxTimeoutSeconds 30. */
	{ "Ribbon: the third failure trips; back-off 10, 20, at most 30 s; a success clears",
	  { 3, 10000, 30000, 100, 10000, 1 },
	  { { 0, FAIL, 0, 2, STAYS },
	    { 0, FAIL, 0, 1, EJECTED },
	    { 0, SECONDS, 0, 0, 10 },
	    { 10, RETURN, 0, 0, 1 },
	    { 10, FAIL, 0, 1, EJECTED },
	    { 10, SECONDS, 0, 0, 20 },
	    { 30, RETURN, 0, 0, 1 },
	    { 30, FAIL, 0, 1, EJECTED },
	    { 30, SECONDS, 0, 0, 30 },
	    { 60, RETURN, 0, 0, 1 },
	    { 60, FAIL, 0, 1, EJECTED },
	    { 60, SECONDS, 0, 0, 30 },
	    { 90, RETURN, 0, 0, 1 },
	    { 90, OK, 0, 0, 0 },
	    { 90, FAIL, 0, 2, STAYS },
	    { 90, OUT, 0, 0, 0 } } },
	/* consecutive-max-failures 7, min-penalty 1 s, max-penalty 1 m. */
	{ "Linkerd: seven in a row; the probe after the penalty decides",
	  { 7, 1000, 60000, 100, 10000, 1 },
	  { { 0, FAIL, 0, 6, STAYS },
	    { 0, OK, 0, 0, 0 },
	    { 0, FAIL, 0, 6, STAYS },
	    { 0, FAIL, 0, 1, EJECTED },
	    { 0, SECONDS, 0, 0, 1 },
	    { 1, RETURN, 0, 0, 1 },
	    { 1, FAIL, 0, 1, EJECTED },
	    { 1, SECONDS, 0, 0, 2 },
	    { 3, RETURN, 0, 0, 1 },
	    { 3, OK, 0, 0, 0 },
	    { 3, FAIL, 0, 6, STAYS },
	    { 3, OUT, 0, 0, 0 } } },
};

struct world {
	struct weft_bstate b[4];
	struct weft_sstate s;
};

static int fail_many(struct world *w, const struct outlier_case *c, const struct step *st, uint64_t now)
{
	int found = STAYS;

	for (unsigned i = 0; i < st->n; i++) {
		/* Those before the last one do what the last does when it stays, or stay. */
		if (found != STAYS && found != st->expected)
			return found;
		if (st->act == FAIL)
			found = weft_outlier_failure(&w->b[st->endpoint], &w->s, &w->s.unavailable[0], &c->rule,
						     WEFT_CAUSE_REFUSED, now);
		else
			found = weft_outlier_eject(&w->b[st->endpoint], &w->s, &w->s.unavailable[0], &c->rule,
						   WEFT_CAUSE_SUCCESS_RATE, now);
	}
	return found;
}

static int run_step(struct world *w, const struct outlier_case *c, const struct step *st, uint64_t now)
{
	struct weft_bstate *b = &w->b[st->endpoint];

	switch (st->act) {
	case FAIL:
	case EJECT:
		return fail_many(w, c, st, now);
	case OK:
		weft_outlier_success(b);
		return 0;
	case RETURN:
		return weft_outlier_return(b, &w->s, &w->s.unavailable[0], now, now);
	case EARLY:
		return weft_outlier_return(b, &w->s, &w->s.unavailable[0], ~0ull, now);
	case OUT:
		return b->out == WEFT_OUT_EJECTED && b->ejected_until_ns;
	case COUNT:
		return (int)w->s.ejected;
	case SECONDS:
		return (int)((b->ejected_until_ns - now) / 1000 / MS);
	case END:
		break;
	}
	return -1;
}

START_TEST(goes_through_the_case)
{
	const struct outlier_case *c = &cases[_i];
	const uint64_t begin = 1000000 * MS;
	struct world w = {};

	for (const struct step *st = c->step; st->act != END; st++) {
		int found = run_step(&w, c, st, begin + st->s * 1000 * MS);
		unsigned out = 0;

		ck_assert_msg(found == st->expected, "%s: step %d at %u s: expected %d, found %d", c->name,
			      (int)(st - c->step), st->s, st->expected, found);
		for (int i = 0; i < 4; i++)
			out += w.b[i].out != 0;
		ck_assert_uint_eq(w.s.ejected, out);
		ck_assert_uint_eq(w.s.unavailable[0], out);
	}
}
END_TEST

static const struct {
	uint32_t endpoints, percent, cap;
} caps[] = {
	{ 1, 10, 1 },  { 1, 100, 1 },	{ 2, 50, 1 },	 { 3, 50, 1 }, { 4, 50, 2 },
	{ 10, 10, 1 }, { 19, 10, 1 },	{ 20, 10, 2 },	 { 10, 0, 0 }, { 0, 50, 1 },
	{ 7, 100, 7 }, { 100, 33, 33 }, { 101, 99, 99 }, { 3, 99, 2 }, { 16384, 50, 8192 },
	{ 5, 1, 1 },   { 1000, 1, 10 }, { 999, 1, 9 },	 { 6, 34, 2 }, { UINT32_MAX, 100, UINT32_MAX },
};

START_TEST(one_may_always_be_ejected)
{
	ck_assert_uint_eq(weft_outlier_cap(caps[_i].endpoints, caps[_i].percent), caps[_i].cap);
}
END_TEST

static const struct {
	uint32_t ejections;
	uint64_t healthy_ms;
	uint32_t interval_ms, multiplier;
} multipliers[] = {
	{ 0, 0, 10000, 1 },
	{ 1, 0, 10000, 2 },
	{ 1, 9999, 10000, 2 },
	{ 1, 10000, 10000, 1 },
	{ 3, 10000, 10000, 3 },
	{ 3, 20000, 10000, 2 },
	{ 3, 29999, 10000, 2 },
	{ 3, 30000, 10000, 1 },
	{ 3, 1ull << 43, 10000, 1 },
	{ 3, 1ull << 43, 1, 1 },
	{ 7, 1ull << 43, 0, 8 },
	{ UINT32_MAX, 0, 1, UINT32_MAX },
	{ UINT32_MAX, 1, 1, UINT32_MAX },
	{ UINT32_MAX, 2, 1, UINT32_MAX - 1 },
};

START_TEST(multiplier_decays_by_healthy_intervals)
{
	ck_assert_uint_eq(weft_outlier_multiplier(multipliers[_i].ejections, 5000 * MS, multipliers[_i].interval_ms,
						  (5000 + multipliers[_i].healthy_ms) * MS),
			  multipliers[_i].multiplier);
	/* Never came back: all of them count. A clock that was read before it came back: so do they. */
	if (multipliers[_i].ejections < UINT32_MAX) {
		ck_assert_uint_eq(weft_outlier_multiplier(multipliers[_i].ejections, 0, 10000, 9000 * MS),
				  multipliers[_i].ejections + 1);
		ck_assert_uint_eq(weft_outlier_multiplier(multipliers[_i].ejections, 5000 * MS, 1, 4999 * MS),
				  multipliers[_i].ejections + 1);
	}
}
END_TEST

START_TEST(time_never_overflows)
{
	struct weft_outlier_rule rule = { .base_ms = 30000, .max_ms = 300000 };

	for (uint32_t n = 1; n < 40; n++)
		ck_assert_uint_eq(weft_outlier_time_ns(&rule, n), (n < 10 ? n * 30000 : 300000) * MS);
	ck_assert_uint_eq(weft_outlier_time_ns(&rule, UINT32_MAX), 300000 * MS);
	rule = (struct weft_outlier_rule){ .base_ms = UINT32_MAX, .max_ms = UINT32_MAX };
	ck_assert_uint_eq(weft_outlier_time_ns(&rule, UINT32_MAX), UINT32_MAX * MS);
}
END_TEST

START_TEST(bits_of_out_are_counted_once)
{
	struct weft_bstate b = {};
	uint32_t unavailable = 0;

	ck_assert(!weft_out_set(&b, &unavailable, 0));
	ck_assert_uint_eq(unavailable, 0);
	ck_assert(weft_out_set(&b, &unavailable, WEFT_OUT_DRAINED));
	ck_assert(!weft_out_set(&b, &unavailable, WEFT_OUT_DRAINED));
	ck_assert(weft_out_set(&b, &unavailable, WEFT_OUT_UNHEALTHY | WEFT_OUT_DRAINED));
	ck_assert_uint_eq(unavailable, 1);
	ck_assert(!weft_out_clear(&b, &unavailable, WEFT_OUT_EJECTED));
	ck_assert(weft_out_clear(&b, &unavailable, WEFT_OUT_DRAINED));
	ck_assert_uint_eq(unavailable, 1);
	ck_assert(weft_out_clear(&b, &unavailable, WEFT_OUT_UNHEALTHY));
	ck_assert(!weft_out_clear(&b, &unavailable, WEFT_OUT_UNHEALTHY));
	ck_assert_uint_eq(unavailable, 0);
	/* Not in service: in nobody's count. */
	ck_assert(weft_out_set(&b, NULL, WEFT_OUT_DRAINED));
	ck_assert(weft_out_clear(&b, NULL, WEFT_OUT_DRAINED));
	ck_assert_uint_eq(unavailable, 0);
}
END_TEST

static Suite *outlier_suite(void)
{
	Suite *s = suite_create("outlier");
	TCase *c = tcase_create("outlier");

	tcase_add_loop_test(c, goes_through_the_case, 0, UNIT_NR(cases));
	tcase_add_loop_test(c, one_may_always_be_ejected, 0, UNIT_NR(caps));
	tcase_add_loop_test(c, multiplier_decays_by_healthy_intervals, 0, UNIT_NR(multipliers));
	tcase_add_test(c, time_never_overflows);
	tcase_add_test(c, bits_of_out_are_counted_once);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(outlier_suite());
}

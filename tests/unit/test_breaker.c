/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The circuit breaker, the same source that runs in the kernel: headers/weft/breaker.h. The cases that bear Hystrix's
 * names do what its HystrixCircuitBreakerTest does, with its defaults of 50 % and with outcomes of connects for
 * commands.
 */
#include "weft/breaker.h"

#include "chance.h"
#include "crowd.h"

enum act {
	END,
	OK, /* outcome of an ordinary connect; expects enum weft_breaker_change */
	FAILED,
	TRIAL_OK, /* outcome of a trial; likewise */
	TRIAL_FAILED,
	UNTRY,	/* expects nothing */
	ENTER,	/* expects enum weft_breaker_answer */
	GLANCE, /* expects whether it would be refused */
	STATE,	/* expects enum weft_breaker_state */
};

/* Shorter than their names in a table. */
enum {
	SAME = WEFT_BREAKER_SAME,
	OPENED = WEFT_BREAKER_OPENED,
	REOPENED = WEFT_BREAKER_REOPENED,
	RECOVERED = WEFT_BREAKER_RECOVERED,
	REFUSE = WEFT_BREAKER_REFUSE,
	GO = WEFT_BREAKER_GO,
	TRY = WEFT_BREAKER_TRY,
	CLOSED = WEFT_BREAKER_CLOSED,
	OPEN = WEFT_BREAKER_OPEN,
	HALF = WEFT_BREAKER_HALF_OPEN
};

struct step {
	uint32_t ms; /* after the begin */
	enum act act;
	int expected;
};

static const struct breaker_case {
	const char *name;
	struct weft_breaker_rule rule;
	struct step step[26];
} cases[] = {
	{ "testTripCircuit",
	  { 50, 1, 200 },
	  { { 0, OK, SAME },
	    { 1, OK, SAME },
	    { 2, OK, SAME },
	    { 3, OK, SAME },
	    { 100, ENTER, GO },
	    { 100, STATE, CLOSED },
	    { 101, FAILED, SAME },
	    { 102, FAILED, SAME },
	    { 103, FAILED, SAME },
	    { 104, FAILED, OPENED },
	    { 200, ENTER, REFUSE },
	    { 200, STATE, OPEN } } },
	{ "testTripCircuitOnFailuresAboveThreshold",
	  { 50, 1, 200 },
	  { { 0, ENTER, GO },
	    { 60, OK, SAME },
	    { 61, OK, SAME },
	    { 62, FAILED, SAME },
	    { 63, OK, SAME },
	    { 64, FAILED, SAME },
	    { 65, OK, SAME },
	    { 66, FAILED, SAME },
	    { 67, FAILED, OPENED },
	    { 167, ENTER, REFUSE },
	    { 167, STATE, OPEN } } },
	{ "testCircuitDoesNotTripOnFailuresBelowThreshold",
	  { 50, 1, 200 },
	  { { 0, ENTER, GO },
	    { 60, OK, SAME },
	    { 61, OK, SAME },
	    { 62, FAILED, SAME },
	    { 63, OK, SAME },
	    { 64, FAILED, SAME },
	    { 65, OK, SAME },
	    { 66, OK, SAME },
	    { 67, FAILED, SAME },
	    { 167, ENTER, GO },
	    { 167, STATE, CLOSED } } },
	/* A timeout is a failure that comes later. */
	{ "testTripCircuitOnTimeouts",
	  { 50, 4, 200 },
	  { { 0, ENTER, GO },
	    { 100, FAILED, SAME },
	    { 200, FAILED, SAME },
	    { 300, FAILED, SAME },
	    { 400, FAILED, OPENED },
	    { 500, ENTER, REFUSE },
	    { 500, STATE, OPEN } } },
	{ "testTripCircuitOnTimeoutsAboveThreshold",
	  { 50, 1, 2000 },
	  { { 60, OK, SAME },
	    { 61, OK, SAME },
	    { 161, FAILED, SAME },
	    { 162, OK, SAME },
	    { 262, FAILED, SAME },
	    { 362, FAILED, OPENED },
	    { 363, OK, SAME },
	    { 463, FAILED, SAME },
	    { 563, FAILED, SAME },
	    { 663, ENTER, REFUSE },
	    { 663, STATE, OPEN } } },
	{ "testSingleTestOnOpenCircuitAfterTimeWindow",
	  { 50, 4, 200 },
	  { { 0, ENTER, GO },
	    { 60, FAILED, SAME },
	    { 61, FAILED, SAME },
	    { 62, FAILED, SAME },
	    { 63, FAILED, OPENED },
	    { 163, ENTER, REFUSE },
	    { 262, GLANCE, 1 },
	    { 262, ENTER, REFUSE },
	    { 263, GLANCE, 0 },
	    { 263, ENTER, TRY },
	    { 263, STATE, HALF },
	    { 263, GLANCE, 1 },
	    { 263, ENTER, REFUSE },
	    { 500, ENTER, REFUSE } } },
	{ "testCircuitClosedAfterSuccess",
	  { 50, 4, 20 },
	  { { 0, ENTER, GO },
	    { 60, FAILED, SAME },
	    { 61, FAILED, SAME },
	    { 62, FAILED, SAME },
	    { 162, FAILED, OPENED },
	    { 163, ENTER, REFUSE },
	    { 232, STATE, OPEN },
	    { 232, ENTER, TRY },
	    { 240, ENTER, REFUSE },
	    { 292, TRIAL_OK, RECOVERED },
	    { 292, ENTER, GO },
	    { 292, ENTER, GO },
	    { 292, ENTER, GO },
	    { 292, STATE, CLOSED },
	    /* What made it open is forgotten: three more failures are too few. */
	    { 293, FAILED, SAME },
	    { 294, FAILED, SAME },
	    { 295, FAILED, SAME },
	    { 296, FAILED, OPENED } } },
	{ "testMultipleTimeWindowRetriesBeforeClosingCircuit",
	  { 50, 4, 200 },
	  { { 60, FAILED, SAME },    { 61, FAILED, SAME },
	    { 62, FAILED, SAME },    { 162, FAILED, OPENED },
	    { 262, ENTER, REFUSE },  { 412, ENTER, TRY },
	    { 413, ENTER, REFUSE },  { 472, TRIAL_FAILED, REOPENED },
	    { 472, ENTER, REFUSE },  { 473, ENTER, REFUSE },
	    { 671, ENTER, REFUSE },  { 722, ENTER, TRY },
	    { 723, ENTER, REFUSE },  { 782, TRIAL_FAILED, REOPENED },
	    { 782, ENTER, REFUSE },  { 783, ENTER, REFUSE },
	    { 1032, STATE, OPEN },   { 1032, ENTER, TRY },
	    { 1033, ENTER, REFUSE }, { 1092, TRIAL_OK, RECOVERED },
	    { 1092, ENTER, GO },     { 1092, ENTER, GO },
	    { 1092, STATE, CLOSED } } },
	{ "testLowVolumeDoesNotTripCircuit",
	  { 50, 5, 200 },
	  { { 0, ENTER, GO },
	    { 60, FAILED, SAME },
	    { 61, FAILED, SAME },
	    { 62, FAILED, SAME },
	    { 63, FAILED, SAME },
	    { 163, ENTER, GO },
	    { 163, STATE, CLOSED } } },
	/* The trial is given up before it went out: the next connect is the trial. */
	{ "testUnsubscriptionDoesNotLeaveCircuitStuckHalfOpen",
	  { 50, 1, 200 },
	  { { 0, FAILED, OPENED },
	    { 300, ENTER, TRY },
	    { 300, UNTRY, 0 },
	    { 300, STATE, OPEN },
	    { 300, ENTER, TRY },
	    { 310, TRIAL_OK, RECOVERED },
	    { 310, ENTER, GO } } },
	/* Or it goes out and is never heard of again. */
	{ "testUnsubscriptionDoesNotLeaveCircuitStuckHalfOpen, a lost trial",
	  { 50, 1, 200 },
	  { { 0, FAILED, OPENED },
	    { 300, ENTER, TRY },
	    { 60299, ENTER, REFUSE },
	    { 60300, ENTER, TRY },
	    { 60300, ENTER, REFUSE },
	    { 60400, TRIAL_FAILED, REOPENED },
	    { 60599, ENTER, REFUSE },
	    { 60600, ENTER, TRY } } },
	{ "off", { 0, 1, 200 }, { { 0, FAILED, SAME }, { 0, FAILED, SAME }, { 0, ENTER, GO }, { 0, STATE, CLOSED } } },
	{ "a failure opens, not the success that fills the volume",
	  { 50, 4, 200 },
	  { { 0, FAILED, SAME },
	    { 1, FAILED, SAME },
	    { 2, FAILED, SAME },
	    { 3, OK, SAME },
	    { 4, STATE, CLOSED },
	    { 5, FAILED, OPENED } } },
	{ "outcomes of before decide nothing",
	  { 50, 2, 200 },
	  { { 0, FAILED, SAME },
	    { 1, FAILED, OPENED },
	    { 2, OK, SAME },
	    { 3, OK, SAME },
	    { 4, STATE, OPEN },
	    { 201, ENTER, TRY },
	    { 202, OK, SAME },
	    { 203, FAILED, SAME },
	    { 204, STATE, HALF },
	    { 205, TRIAL_OK, RECOVERED } } },
	{ "a trial's outcome comes when all is over",
	  { 50, 2, 200 },
	  { { 0, FAILED, SAME },
	    { 1, FAILED, OPENED },
	    { 201, ENTER, TRY },
	    { 60201, ENTER, TRY },
	    { 60300, TRIAL_OK, RECOVERED },
	    { 60301, TRIAL_FAILED, SAME },
	    { 60302, STATE, CLOSED },
	    { 60303, TRIAL_OK, SAME } } },
	{ "a clock that was read before the change",
	  { 50, 2, 200 },
	  { { 10, FAILED, SAME },
	    { 20, FAILED, OPENED },
	    { 19, GLANCE, 1 },
	    { 19, ENTER, REFUSE },
	    { 220, ENTER, TRY },
	    { 219, ENTER, REFUSE },
	    { 0, ENTER, REFUSE },
	    { 230, TRIAL_FAILED, REOPENED },
	    { 229, ENTER, REFUSE } } },
	{ "failures older than the window do not count",
	  { 50, 4, 200 },
	  { { 0, FAILED, SAME },
	    { 1, FAILED, SAME },
	    { 2, FAILED, SAME },
	    { 10000, FAILED, SAME },
	    { 19999, FAILED, SAME },
	    { 19999, FAILED, SAME },
	    { 19999, FAILED, OPENED } } },
};

/* Begins of time: soon after boot, in the middle of nothing, and where a stamp wraps. */
static const uint64_t begins[] = { 20000, 123456789000ull, ((1ull << 24) - 5) * 1000 };

static int run_step(struct weft_breaker *b, const struct weft_breaker_rule *rule, const struct step *s, uint64_t now)
{
	switch (s->act) {
	case OK:
	case FAILED:
		return weft_breaker_report(b, rule, s->act == FAILED, 0, now);
	case TRIAL_OK:
	case TRIAL_FAILED:
		return weft_breaker_report(b, rule, s->act == TRIAL_FAILED, 1, now);
	case UNTRY:
		weft_breaker_untry(b, rule, now);
		return 0;
	case ENTER:
		return weft_breaker_enter(b, rule, now);
	case GLANCE:
		return weft_breaker_refuses(b, rule, now);
	case STATE:
		return weft_breaker_state_of(b->word);
	case END:
		break;
	}
	return -1;
}

START_TEST(goes_through_the_case)
{
	const struct breaker_case *c = &cases[_i];

	for (size_t k = 0; k < sizeof(begins) / sizeof(begins[0]); k++) {
		struct weft_breaker b = {};

		for (const struct step *s = c->step; s->act != END; s++) {
			int found = run_step(&b, &c->rule, s, begins[k] + s->ms);

			ck_assert_msg(found == s->expected, "%s: step %d at %u ms: expected %d, found %d", c->name,
				      (int)(s - c->step), s->ms, s->expected, found);
		}
	}
}
END_TEST

/* testSuccessClosesCircuitWhenBusy: load that never stops; a time of nothing but errors; and then all is well again. */
START_TEST(a_success_closes_it_under_load)
{
	static const struct {
		unsigned calls, failing;
	} phase[] = { { 200, 0 }, { 250, 1 }, { 600, 0 } };
	const struct weft_breaker_rule rule = { 50, 20, 5000 };
	struct weft_breaker b = {};
	unsigned refused[3] = {}, closed = 0;
	uint64_t now = 1000000;

	for (unsigned p = 0; p < 3; p++)
		for (unsigned i = 0; i < phase[p].calls; i++, now += 40) {
			enum weft_breaker_answer a = weft_breaker_enter(&b, &rule, now);

			if (a == WEFT_BREAKER_REFUSE)
				refused[p]++;
			else if (weft_breaker_report(&b, &rule, (int)phase[p].failing, a == WEFT_BREAKER_TRY, now) ==
				 WEFT_BREAKER_RECOVERED)
				closed++;
		}
	ck_assert_uint_eq(refused[0], 0);
	/* 125 connects per five seconds; half of the window's 250 must have failed before it opens. */
	ck_assert_msg(refused[1] >= 110 && refused[1] <= 150, "%u", refused[1]);
	ck_assert_msg(refused[2] <= 125, "%u", refused[2]);
	ck_assert_uint_eq(closed, 1);
	ck_assert_uint_eq(b.opened, 1);
	ck_assert_int_eq(weft_breaker_state_of(b.word), WEFT_BREAKER_CLOSED);
}
END_TEST

/* A second implementation that anybody can follow. */
struct naive {
	uint64_t word_since;
	enum weft_breaker_state state;
	struct {
		uint64_t second;
		unsigned failed;
	} seen[512];
	size_t nr;
};

static int naive_window_opens(const struct naive *n, const struct weft_breaker_rule *rule, uint64_t now)
{
	uint64_t all = 0, failed = 0;

	for (size_t i = 0; i < n->nr; i++)
		if (now / 1000 - n->seen[i].second < WEFT_BREAKER_BUCKETS) {
			all++;
			failed += n->seen[i].failed;
		}
	return all >= rule->volume && failed * 100 / all >= rule->percent;
}

static int naive_step(struct naive *n, const struct weft_breaker_rule *rule, enum act act, uint64_t now)
{
	uint64_t wait = n->state == WEFT_BREAKER_OPEN ? rule->sleep_ms : WEFT_BREAKER_TRIAL_MAX_MS;

	if (act == ENTER) {
		if (n->state == WEFT_BREAKER_CLOSED)
			return GO;
		if (now - n->word_since < wait)
			return REFUSE;
		n->state = WEFT_BREAKER_HALF_OPEN;
		n->word_since = now;
		return TRY;
	}
	if (act == TRIAL_OK || act == TRIAL_FAILED) {
		if (n->state != WEFT_BREAKER_HALF_OPEN)
			return SAME;
		n->word_since = now;
		n->state = act == TRIAL_OK ? WEFT_BREAKER_CLOSED : WEFT_BREAKER_OPEN;
		if (act == TRIAL_OK)
			n->nr = 0;
		return act == TRIAL_OK ? RECOVERED : REOPENED;
	}
	n->seen[n->nr].second = now / 1000;
	n->seen[n->nr++].failed = act == FAILED;
	if (act == OK || n->state != WEFT_BREAKER_CLOSED || !naive_window_opens(n, rule, now))
		return SAME;
	n->state = WEFT_BREAKER_OPEN;
	n->word_since = now;
	return OPENED;
}

START_TEST(does_what_the_naive_one_does)
{
	struct chance c = chance_new();

	for (int round = 0; round < (int)chance_rounds(500); round++) {
		const struct weft_breaker_rule rule = { 1 + chance_below(&c, 100), 1 + chance_below(&c, 30),
							1 + chance_below(&c, 20000) };
		uint64_t now = 10000 + chance_next(&c) % (1ull << 45);
		uint32_t failing = chance_below(&c, 1001), pace = 1 + chance_below(&c, 3000);
		struct weft_breaker b = {};
		struct naive n = {};

		for (int i = 0; i < 500; i++) {
			uint32_t draw = chance_below(&c, 10);
			enum act act = draw < 3 ? ENTER : chance_below(&c, 1000) < failing ? FAILED : OK;
			struct step s = { .act = act };
			int found, expected;

			if (draw == 9)
				s.act = act == FAILED ? TRIAL_FAILED : TRIAL_OK;
			now += chance_below(&c, pace);
			found = run_step(&b, &rule, &s, now);
			expected = naive_step(&n, &rule, s.act, now);
			ck_assert_msg(found == expected && weft_breaker_state_of(b.word) == n.state,
				      CHANCE "round %d step %d act %d: expected %d, found %d", CHANCE_ARG(c), round, i,
				      s.act, expected, found);
		}
	}
}
END_TEST

struct contest {
	struct weft_breaker b;
	struct weft_breaker_rule rule;
	uint64_t now;
	unsigned each, counted[4];
	int trial;
};

static void add(unsigned *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void report_many(void *shared, unsigned number)
{
	struct contest *t = shared;

	for (unsigned i = 0; i < t->each; i++)
		add(&t->counted[weft_breaker_report(&t->b, &t->rule, 1, t->trial, t->now)]);
}

static void enter_many(void *shared, unsigned number)
{
	struct contest *t = shared;

	for (unsigned i = 0; i < t->each; i++)
		add(&t->counted[weft_breaker_enter(&t->b, &t->rule, t->now)]);
}

START_TEST(one_of_many_opens_tries_reopens)
{
	for (unsigned round = 0; round < chance_rounds(40); round++) {
		struct contest t = { .rule = { 50, 16 * 3, 200 }, .now = 1000000 + round, .each = 3 };

		crowd(16, report_many, &t);
		ck_assert_uint_eq(t.counted[WEFT_BREAKER_OPENED], 1);
		ck_assert_uint_eq(t.counted[WEFT_BREAKER_SAME], 16 * 3 - 1);
		ck_assert_uint_eq(t.b.opened, 1);
		t = (struct contest){ .b = t.b, .rule = t.rule, .now = t.now + 200, .each = 3 };
		crowd(16, enter_many, &t);
		ck_assert_uint_eq(t.counted[WEFT_BREAKER_TRY], 1);
		ck_assert_uint_eq(t.counted[WEFT_BREAKER_REFUSE], 16 * 3 - 1);
		t = (struct contest){ .b = t.b, .rule = t.rule, .now = t.now + 10, .each = 1, .trial = 1 };
		crowd(16, report_many, &t);
		ck_assert_uint_eq(t.counted[WEFT_BREAKER_REOPENED], 1);
	}
}
END_TEST

static Suite *breaker_suite(void)
{
	Suite *s = suite_create("breaker");
	TCase *c = tcase_create("breaker");

	tcase_set_timeout(c, 300);
	tcase_add_loop_test(c, goes_through_the_case, 0, UNIT_NR(cases));
	tcase_add_test(c, a_success_closes_it_under_load);
	tcase_add_test(c, does_what_the_naive_one_does);
	tcase_add_test(c, one_of_many_opens_tries_reopens);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(breaker_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ejection by success rate: Envoy's formula on figures worked out by hand, and its thresholds from both sides. */
#include <math.h>

#include "lb/success.h"
#include "unit.h"

#define MANY 8

static const struct {
	const char *name;
	uint64_t e[MANY][2]; /* ok, failed */
	size_t nr;
	uint32_t volume, least, factor;
	size_t counted;
	double mean, stdev, threshold;
	unsigned outliers; /* bits */
} cases[] = {
	{ "all alike: nobody is below the mean",
	  { { 95, 5 }, { 95, 5 }, { 95, 5 }, { 95, 5 }, { 95, 5 } },
	  5,
	  100,
	  5,
	  1900,
	  5,
	  95,
	  0,
	  95,
	  0 },
	{ "all perfect",
	  { { 100, 0 }, { 200, 0 }, { 300, 0 }, { 100, 0 }, { 100, 0 } },
	  5,
	  100,
	  5,
	  1900,
	  5,
	  100,
	  0,
	  100,
	  0 },
	{ "all dead: that is the breaker's matter, not that of one endpoint",
	  { { 0, 100 }, { 0, 100 }, { 0, 100 }, { 0, 100 }, { 0, 100 } },
	  5,
	  100,
	  5,
	  1900,
	  5,
	  0,
	  0,
	  0,
	  0 },
	/* mean 92, variance (4 x 64 + 1024) / 5 = 256, stdev 16, threshold 92 - 30.4 */
	{ "one of five far below",
	  { { 100, 0 }, { 100, 0 }, { 60, 40 }, { 100, 0 }, { 100, 0 } },
	  5,
	  100,
	  5,
	  1900,
	  5,
	  92,
	  16,
	  61.6,
	  1u << 2 },
	{ "the same with a factor that is too large",
	  { { 100, 0 }, { 100, 0 }, { 60, 40 }, { 100, 0 }, { 100, 0 } },
	  5,
	  100,
	  5,
	  2000,
	  5,
	  92,
	  16,
	  60,
	  0 },
	{ "rates count, not connects",
	  { { 1000, 0 }, { 100, 0 }, { 60, 40 }, { 5000, 0 }, { 100, 0 } },
	  5,
	  100,
	  5,
	  1900,
	  5,
	  92,
	  16,
	  61.6,
	  1u << 2 },
	{ "too few endpoints have enough connects",
	  { { 100, 0 }, { 100, 0 }, { 60, 40 }, { 100, 0 }, { 99, 0 } },
	  5,
	  100,
	  5,
	  1900,
	  4,
	  90,
	  17.320508,
	  57.091034,
	  0 },
	{ "who has too few connects is neither counted nor ejected",
	  { { 100, 0 }, { 100, 0 }, { 60, 40 }, { 100, 0 }, { 100, 0 }, { 0, 99 } },
	  6,
	  100,
	  5,
	  1900,
	  5,
	  92,
	  16,
	  61.6,
	  1u << 2 },
	{ "without connects nobody is counted", { { 0, 0 }, { 0, 0 } }, 2, 0, 0, 1900, 0, 0, 0, 0, 0 },
	{ "factor 0: everybody below the mean",
	  { { 100, 0 }, { 90, 10 }, { 80, 20 } },
	  3,
	  1,
	  3,
	  0,
	  3,
	  90,
	  8.164966,
	  90,
	  1u << 2 },
	/* Of n endpoints one can be at most sqrt(n - 1) deviations below the mean: of four never 1.9. */
	{ "one dead of four is within 1.9 deviations",
	  { { 100, 0 }, { 100, 0 }, { 100, 0 }, { 0, 100 } },
	  4,
	  100,
	  4,
	  1900,
	  4,
	  75,
	  43.301270,
	  -7.272413,
	  0 },
	{ "one dead of five is not",
	  { { 100, 0 }, { 100, 0 }, { 100, 0 }, { 0, 100 }, { 100, 0 } },
	  5,
	  100,
	  5,
	  1900,
	  5,
	  80,
	  40,
	  4,
	  1u << 3 },
	{ "two dead of eight are within: they spoil the deviation, too",
	  { { 100, 0 }, { 100, 0 }, { 100, 0 }, { 0, 100 }, { 100, 0 }, { 0, 100 }, { 100, 0 }, { 100, 0 } },
	  8,
	  100,
	  5,
	  1900,
	  8,
	  75,
	  43.301270,
	  -7.272413,
	  0 },
};

START_TEST(outliers_are_those_of_the_formula)
{
	struct lb_outcomes e[MANY] = { 0 };
	struct lb_success s;
	size_t outliers = 0;

	for (size_t i = 0; i < MANY; i++)
		e[i] = (struct lb_outcomes){ .ok = cases[_i].e[i][0], .failed = cases[_i].e[i][1] };
	s = lb_success_rate(e, cases[_i].nr, cases[_i].volume, cases[_i].least, cases[_i].factor);
	ck_assert_msg(s.nr == cases[_i].counted, "%s: %zu endpoints count", cases[_i].name, s.nr);
	ck_assert_msg(fabs(s.mean - cases[_i].mean) < 1e-5, "%s: mean %f", cases[_i].name, s.mean);
	ck_assert_msg(fabs(s.stdev - cases[_i].stdev) < 1e-5, "%s: stdev %f", cases[_i].name, s.stdev);
	ck_assert_msg(fabs(s.threshold - cases[_i].threshold) < 1e-5, "%s: threshold %f", cases[_i].name, s.threshold);
	for (size_t i = 0; i < cases[_i].nr; i++) {
		outliers += e[i].outlier;
		ck_assert_msg(e[i].outlier == (cases[_i].outliers >> i & 1), "%s: endpoint %zu", cases[_i].name, i);
	}
	ck_assert_uint_eq(outliers, s.outliers);
}
END_TEST

/* What was found before must not be found again. */
START_TEST(marks_of_the_last_time_are_wiped)
{
	struct lb_outcomes e[] = { { 100, 0, true }, { 0, 0, true } };

	ck_assert_uint_eq(lb_success_rate(e, 2, 1, 1, 1900).outliers, 0);
	ck_assert(!e[0].outlier && !e[1].outlier);
}
END_TEST

START_TEST(huge_counts_do_not_overflow)
{
	struct lb_outcomes e[] = { { .ok = 1ull << 62 },
				   { .ok = 1ull << 62, .failed = 1ull << 62 },
				   { .ok = 1ull << 62 } };
	struct lb_success s = lb_success_rate(e, 3, 100, 3, 1000);

	ck_assert(fabs(s.mean - 250.0 / 3) < 1e-9);
	ck_assert(e[1].outlier && s.outliers == 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("success");
	TCase *t = tcase_create("success");

	tcase_add_loop_test(t, outliers_are_those_of_the_formula, 0, UNIT_NR(cases));
	tcase_add_test(t, marks_of_the_last_time_are_wiped);
	tcase_add_test(t, huge_counts_do_not_overflow);
	suite_add_tcase(s, t);
	return unit_run(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lb/tables.h"
#include "unit.h"
#include "weft/abi.h"

static uint32_t *given_slots(const uint16_t *weights, size_t n, size_t max, size_t *ret_nr)
{
	size_t nr = lb_slots_count(weights, n, max);
	uint32_t *slots = malloc((nr + 1) * sizeof(*slots));

	ck_assert_ptr_nonnull(slots);
	slots[nr] = 0xdeadbeef;
	ck_assert_int_eq(lb_slots_fill(weights, n, max, slots, nr), 0);
	ck_assert_uint_eq(slots[nr], 0xdeadbeef);
	*ret_nr = nr;
	return slots;
}

static void expect_counts(const uint32_t *slots, size_t nr, const size_t *want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t found = 0;

		for (size_t k = 0; k < nr; k++)
			found += slots[k] == i;
		ck_assert_msg(found == want[i], "index %zu has %zu slots, not %zu", i, found, want[i]);
	}
}

static const struct {
	uint16_t weights[4];
	size_t n, max, counts[4];
} cases[] = {
	{ { 0 }, 0, 16, { 0 } },
	{ { 0, 0 }, 2, 16, { 0, 0 } },
	{ { 7 }, 1, 16, { 1 } },
	{ { 5, 5, 5 }, 3, 16, { 1, 1, 1 } },
	{ { 1000, 500, 250 }, 3, 16, { 4, 2, 1 } },
	{ { 3, 0, 2 }, 3, 16, { 3, 0, 2 } },
	{ { 0, 9, 0, 9 }, 4, 16, { 0, 1, 0, 1 } },
	{ { 1000, 1, 0 }, 3, 100, { 98, 1, 0 } },
	{ { 999, 998 }, 2, 2, { 1, 1 } },
	{ { 1000, 1000, 1000, 999 }, 4, 8, { 2, 2, 2, 1 } },
};

START_TEST(each_index_has_as_many_slots_as_its_weight_asks)
{
	_cleanup_(freep) uint32_t *slots = NULL;
	size_t nr;

	slots = given_slots(cases[_i].weights, cases[_i].n, cases[_i].max, &nr);
	ck_assert_uint_le(nr, cases[_i].max);
	expect_counts(slots, nr, cases[_i].counts, cases[_i].n);
}
END_TEST

START_TEST(equal_weights_take_turns_in_order)
{
	static const uint16_t weights[] = { 4, 4, 4, 4 };
	_cleanup_(freep) uint32_t *slots = NULL;
	size_t nr;

	slots = given_slots(weights, 4, 64, &nr);
	ck_assert_uint_eq(nr, 4);
	for (uint32_t i = 0; i < nr; i++)
		ck_assert_uint_eq(slots[i], i);
}
END_TEST

/* Each prefix of the walk: no index more than one turn away from its share, for two; two turns for many. */
START_TEST(every_prefix_is_fair)
{
	static const uint16_t weights[] = { 1, 5, 30, 64, 3, 17 };
	double sum = 1 + 5 + 30 + 64 + 3 + 17;
	size_t seen[UNIT_NR(weights)] = { 0 }, nr;
	_cleanup_(freep) uint32_t *slots = NULL;

	slots = given_slots(weights, UNIT_NR(weights), 65536, &nr);
	ck_assert_uint_eq(nr, (size_t)sum);
	for (size_t k = 0; k < nr; k++) {
		seen[slots[k]]++;
		for (size_t i = 0; i < UNIT_NR(weights); i++) {
			double share = (double)(k + 1) * weights[i] / sum;

			ck_assert_msg(seen[i] < share + 1.5 && seen[i] + 1.5 > share,
				      "after %zu, index %zu has %zu of %f", k + 1, i, seen[i], share);
		}
	}
}
END_TEST

START_TEST(a_heavy_index_does_not_take_its_turns_in_a_row)
{
	static const uint16_t weights[] = { 5, 1, 1 };
	_cleanup_(freep) uint32_t *slots = NULL;
	size_t nr, row = 0, longest = 0;

	slots = given_slots(weights, 3, 64, &nr);
	ck_assert_uint_eq(nr, 7);
	for (size_t i = 0; i < 2 * nr; i++) {
		row = slots[i % nr] == 0 ? row + 1 : 0;
		longest = row > longest ? row : longest;
	}
	ck_assert_uint_le(longest, 3);
}
END_TEST

START_TEST(many_light_ones_come_between_the_turns_of_a_heavy_one)
{
	uint16_t weights[51] = { 50 };
	_cleanup_(freep) uint32_t *slots = NULL;
	size_t nr;

	for (size_t i = 1; i < UNIT_NR(weights); i++)
		weights[i] = 1;
	slots = given_slots(weights, UNIT_NR(weights), 65536, &nr);
	ck_assert_uint_eq(nr, 100);
	for (size_t i = 0; i < nr; i++)
		ck_assert_int_ne(slots[i] == 0, slots[(i + 1) % nr] == 0);
}
END_TEST

START_TEST(any_weights_fit_and_none_is_lost)
{
	_cleanup_(freep) uint16_t *weights = calloc(WEFT_ENDPOINTS_PER_SERVICE, sizeof(*weights));
	unsigned seed = 17u + (unsigned)_i;

	for (size_t n = 1; n <= WEFT_ENDPOINTS_PER_SERVICE; n = n * 3 + 1) {
		_cleanup_(freep) uint32_t *slots = NULL;
		_cleanup_(freep) size_t *seen = calloc(n, sizeof(*seen));
		size_t nr;

		for (size_t i = 0; i < n; i++)
			weights[i] = (uint16_t)(rand_r(&seed) % (WEFT_WEIGHT_MAX + 1));
		slots = given_slots(weights, n, WEFT_SLOTS_PER_SERVICE, &nr);
		ck_assert_uint_le(nr, WEFT_SLOTS_PER_SERVICE);
		for (size_t k = 0; k < nr; k++) {
			if (slots[k] >= n) /* an assertion each would take minutes under valgrind */
				ck_abort_msg("slot %zu is index %u of %zu", k, slots[k], n);
			seen[slots[k]]++;
		}
		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(seen[i] > 0, weights[i] > 0);
	}
}
END_TEST

static Suite *slots_suite(void)
{
	Suite *s = suite_create("slots");
	TCase *t = tcase_create("weighted");

	tcase_add_loop_test(t, each_index_has_as_many_slots_as_its_weight_asks, 0, UNIT_NR(cases));
	tcase_add_test(t, equal_weights_take_turns_in_order);
	tcase_add_test(t, every_prefix_is_fair);
	tcase_add_test(t, a_heavy_index_does_not_take_its_turns_in_a_row);
	tcase_add_test(t, many_light_ones_come_between_the_turns_of_a_heavy_one);
	tcase_add_loop_test(t, any_weights_fit_and_none_is_lost, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(slots_suite());
}

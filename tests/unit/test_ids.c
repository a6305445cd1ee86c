/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "plane/ids.h"
#include "unit.h"

START_TEST(ids_come_lowest_first_and_never_0)
{
	_cleanup_(ids_done) struct ids ids = { 0 };
	static const uint32_t capacities[] = { 1, 2, 63, 64, 65, 1000 };

	ck_assert_int_eq(ids_init(&ids, capacities[_i]), 0);
	for (uint32_t want = 1; want < capacities[_i]; want++)
		ck_assert_uint_eq(ids_alloc(&ids), want);
	ck_assert_uint_eq(ids_alloc(&ids), 0);
	ck_assert_uint_eq(ids.nr_free, 0);
}
END_TEST

START_TEST(a_resting_id_is_not_given_out)
{
	_cleanup_(ids_done) struct ids ids = { 0 };

	ck_assert_int_eq(ids_init(&ids, 4), 0);
	ck_assert_uint_eq(ids_alloc(&ids), 1);
	ck_assert_uint_eq(ids_alloc(&ids), 2);
	ids_rest(&ids, 1);
	ck_assert_uint_eq(ids_alloc(&ids), 3);
	ck_assert_uint_eq(ids_alloc(&ids), 0);
	ids_wake(&ids, NULL, NULL);
	ck_assert_uint_eq(ids.nr_resting, 0);
	ck_assert_uint_eq(ids_alloc(&ids), 1);
	ids_free(&ids, 2);
	ck_assert_uint_eq(ids_alloc(&ids), 2);
}
END_TEST

static void add(void *ctx, uint32_t id)
{
	*(uint32_t *)ctx += id;
}

START_TEST(waking_tells_each_id)
{
	_cleanup_(ids_done) struct ids ids = { 0 };
	uint32_t sum = 0;

	ck_assert_int_eq(ids_init(&ids, 300), 0);
	for (int i = 0; i < 299; i++)
		ck_assert_uint_ne(ids_alloc(&ids), 0);
	ids_rest(&ids, 7);
	ids_rest(&ids, 64);
	ids_rest(&ids, 299);
	ids_wake(&ids, add, &sum);
	ck_assert_uint_eq(sum, 7 + 64 + 299);
	ck_assert_uint_eq(ids.nr_free, 3);
}
END_TEST

START_TEST(an_id_is_taken_once)
{
	_cleanup_(ids_done) struct ids ids = { 0 };

	ck_assert_int_eq(ids_init(&ids, 10), 0);
	ck_assert_int_eq(ids_take(&ids, 1), 0);
	ck_assert_int_eq(ids_take(&ids, 1), -EEXIST);
	ck_assert_int_eq(ids_take(&ids, 0), -ERANGE);
	ck_assert_int_eq(ids_take(&ids, 10), -ERANGE);
	ck_assert_uint_eq(ids_alloc(&ids), 2);
}
END_TEST

/* Against the plainest of all models: an array that says what each id is. */
START_TEST(any_sequence_keeps_the_books)
{
	enum { FREE, USED, RESTING } is[200] = { FREE };
	_cleanup_(ids_done) struct ids ids = { 0 };
	unsigned seed = 1u + (unsigned)_i;
	uint32_t nr_free = 199, id, lowest;

	ck_assert_int_eq(ids_init(&ids, 200), 0);
	for (int step = 0; step < 20000; step++) {
		id = 1 + (uint32_t)rand_r(&seed) % 199;
		switch (rand_r(&seed) % 8) {
		case 0:
			if (is[id] == USED)
				ids_free(&ids, id), is[id] = FREE, nr_free++;
			break;
		case 1:
		case 2:
			if (is[id] == USED)
				ids_rest(&ids, id), is[id] = RESTING;
			break;
		case 3:
			if (rand_r(&seed) % 10)
				break;
			ids_wake(&ids, NULL, NULL);
			for (id = 1; id < 200; id++)
				if (is[id] == RESTING)
					is[id] = FREE, nr_free++;
			break;
		default:
			for (lowest = 1; lowest < 200 && is[lowest] != FREE; lowest++)
				;
			id = ids_alloc(&ids);
			ck_assert_uint_eq(id, lowest == 200 ? 0 : lowest);
			if (id)
				is[id] = USED, nr_free--;
		}
		ck_assert_uint_eq(ids.nr_free, nr_free);
	}
}
END_TEST

static Suite *ids_suite(void)
{
	Suite *s = suite_create("ids");
	TCase *t = tcase_create("ids");

	tcase_add_loop_test(t, ids_come_lowest_first_and_never_0, 0, 6);
	tcase_add_test(t, a_resting_id_is_not_given_out);
	tcase_add_test(t, waking_tells_each_id);
	tcase_add_test(t, an_id_is_taken_once);
	tcase_add_loop_test(t, any_sequence_keeps_the_books, 0, 8);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(ids_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plane/arena.h"
#include "unit.h"

static uint32_t given_extent(struct arena *a, uint32_t nr)
{
	uint32_t base = UINT32_MAX;

	ck_assert_int_eq(arena_alloc(a, nr, &base), 0);
	return base;
}

static void rest(struct arena *a, uint32_t base, uint32_t nr)
{
	ck_assert_int_eq(arena_reserve(a), 0);
	arena_rest(a, base, nr);
}

START_TEST(extents_lie_side_by_side)
{
	_cleanup_(arena_done) struct arena a = { 0 };

	ck_assert_int_eq(arena_init(&a, 100), 0);
	ck_assert_uint_eq(given_extent(&a, 40), 0);
	ck_assert_uint_eq(given_extent(&a, 0), 0);
	ck_assert_uint_eq(given_extent(&a, 60), 40);
	ck_assert_uint_eq(a.nr_free, 0);
	ck_assert_int_eq(arena_alloc(&a, 1, &(uint32_t){ 0 }), -ENOSPC);
}
END_TEST

START_TEST(what_rests_is_not_given_out)
{
	_cleanup_(arena_done) struct arena a = { 0 };

	ck_assert_int_eq(arena_init(&a, 100), 0);
	given_extent(&a, 60);
	rest(&a, 0, 60);
	ck_assert_int_eq(arena_alloc(&a, 50, &(uint32_t){ 0 }), -ENOSPC);
	ck_assert_uint_eq(a.nr_resting, 60);
	ck_assert_int_eq(arena_wake(&a), 0);
	ck_assert_uint_eq(given_extent(&a, 100), 0);
}
END_TEST

START_TEST(the_last_one_can_be_given_back)
{
	_cleanup_(arena_done) struct arena a = { 0 };

	ck_assert_int_eq(arena_init(&a, 100), 0);
	given_extent(&a, 10);
	arena_free(&a, given_extent(&a, 90), 90);
	ck_assert_uint_eq(a.nr_free, 90);
	ck_assert_uint_eq(given_extent(&a, 90), 10);
}
END_TEST

START_TEST(neighbours_are_joined)
{
	static const uint32_t order[][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 }, { 2, 0, 3, 1 } };
	_cleanup_(arena_done) struct arena a = { 0 };

	ck_assert_int_eq(arena_init(&a, 40), 0);
	for (int i = 0; i < 4; i++)
		given_extent(&a, 10);
	for (int i = 0; i < 4; i++) {
		rest(&a, order[_i][i] * 10, 10);
		ck_assert_int_eq(arena_wake(&a), 0);
	}
	ck_assert_uint_eq(given_extent(&a, 40), 0);
}
END_TEST

START_TEST(adoption_finds_the_gaps)
{
	struct extent used[] = { { 50, 10 }, { 0, 20 }, { 20, 5 } };
	_cleanup_(arena_done) struct arena a = { 0 };

	ck_assert_int_eq(arena_init(&a, 100), 0);
	ck_assert_int_eq(arena_adopt(&a, used, 3), 0);
	ck_assert_uint_eq(a.nr_free, 65);
	ck_assert_uint_eq(given_extent(&a, 40), 60);
	ck_assert_uint_eq(given_extent(&a, 25), 25);
	ck_assert_int_eq(arena_adopt(&a, NULL, 0), 0);
	ck_assert_uint_eq(given_extent(&a, 100), 0);
}
END_TEST

START_TEST(what_contradicts_itself_is_not_adopted)
{
	struct extent twice[] = { { 10, 10 }, { 19, 5 } }, outside[] = { { 95, 6 } },
		      wrapped[] = { { 10, UINT32_MAX } };
	_cleanup_(arena_done) struct arena a = { 0 };

	ck_assert_int_eq(arena_init(&a, 100), 0);
	ck_assert_int_eq(arena_adopt(&a, twice, 2), -EEXIST);
	ck_assert_int_eq(arena_adopt(&a, outside, 1), -ERANGE);
	ck_assert_int_eq(arena_adopt(&a, wrapped, 1), -ERANGE);
	ck_assert_uint_eq(given_extent(&a, 100), 0);
}
END_TEST

#define SIZE   4096u
#define LIVING 64

/* Random lives; a map of owners shows that no slot has two, and that none is lost. */
START_TEST(no_slot_has_two_owners)
{
	struct extent live[LIVING] = { { 0 } };
	_cleanup_(arena_done) struct arena a = { 0 };
	static uint8_t owner[SIZE];
	unsigned seed = 100u + (unsigned)_i;
	uint64_t used = 0, resting = 0;

	memset(owner, 0, sizeof(owner));
	ck_assert_int_eq(arena_init(&a, SIZE), 0);
	for (int step = 0; step < 20000; step++) {
		struct extent *e = &live[rand_r(&seed) % LIVING];

		if (e->nr) {
			memset(owner + e->base, 0, e->nr);
			rest(&a, e->base, e->nr);
			resting += e->nr;
			used -= e->nr;
			e->nr = 0;
		} else {
			uint32_t nr = 1 + (uint32_t)rand_r(&seed) % 150;

			if (arena_alloc(&a, nr, &e->base) == 0) {
				/* Check's own assertions write to a pipe each time: too slow for every slot. */
				for (uint32_t i = 0; i < nr; i++)
					if (owner[e->base + i]++)
						ck_abort_msg("slot %u has two owners", e->base + i);
				e->nr = nr;
				used += nr;
			}
		}
		if (rand_r(&seed) % 20 == 0) {
			ck_assert_int_eq(arena_wake(&a), 0);
			resting = 0;
		}
		ck_assert_uint_eq(a.nr_free + used + resting, SIZE);
	}
	for (size_t i = 0; i < LIVING; i++)
		rest(&a, live[i].base, live[i].nr);
	ck_assert_int_eq(arena_wake(&a), 0);
	ck_assert_uint_eq(given_extent(&a, SIZE), 0);
}
END_TEST

static Suite *arena_suite(void)
{
	Suite *s = suite_create("arena");
	TCase *t = tcase_create("extents");

	tcase_add_test(t, extents_lie_side_by_side);
	tcase_add_test(t, what_rests_is_not_given_out);
	tcase_add_test(t, the_last_one_can_be_given_back);
	tcase_add_loop_test(t, neighbours_are_joined, 0, 4);
	tcase_add_test(t, adoption_finds_the_gaps);
	tcase_add_test(t, what_contradicts_itself_is_not_adopted);
	tcase_add_loop_test(t, no_slot_has_two_owners, 0, 8);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(arena_suite());
}

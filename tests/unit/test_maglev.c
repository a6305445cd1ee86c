/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lb/tables.h"
#include "unit.h"
#include "weft/abi.h"

#define MANY 100

static uint64_t key_of(unsigned i)
{
	struct weft_addr a;

	weft_addr_set_v4(&a, __builtin_bswap32(0x0a000000u + i));
	return lb_endpoint_key(a.byte, 8080);
}

static uint32_t *given_table(const uint64_t *keys, const uint16_t *weights, size_t n, uint32_t size)
{
	uint32_t *table = malloc(((size_t)size + 1) * sizeof(*table));

	ck_assert_ptr_nonnull(table);
	table[size] = 0xdeadbeef;
	ck_assert_int_eq(lb_maglev_fill(keys, weights, n, table, size), 0);
	ck_assert_uint_eq(table[size], 0xdeadbeef);
	return table;
}

static void given_equal(uint64_t *keys, uint16_t *weights, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		keys[i] = key_of((unsigned)i);
		weights[i] = 1;
	}
}

START_TEST(primes_are_told_apart)
{
	static const uint32_t primes[] = { 2, 3, 5, 251, 65537, WEFT_MAGLEV_DEF, WEFT_MAGLEV_MAX };
	static const uint32_t others[] = { 0, 1, 4, 9, 65535, 65536, 1048575, 4294836225u };

	for (size_t i = 0; i < UNIT_NR(primes); i++)
		ck_assert(lb_is_prime(primes[i]));
	for (size_t i = 0; i < UNIT_NR(others); i++)
		ck_assert(!lb_is_prime(others[i]));
}
END_TEST

START_TEST(rows_are_shared_by_weight)
{
	static const uint16_t weights[] = { 1, 2, 0, 4, 1000 };
	uint64_t keys[UNIT_NR(weights)];
	size_t seen[UNIT_NR(weights)] = { 0 };
	_cleanup_(freep) uint32_t *table = NULL;

	for (unsigned i = 0; i < UNIT_NR(weights); i++)
		keys[i] = key_of(i);
	table = given_table(keys, weights, UNIT_NR(weights), WEFT_MAGLEV_DEF);
	for (uint32_t row = 0; row < WEFT_MAGLEV_DEF; row++)
		seen[table[row]]++;
	ck_assert_uint_eq(seen[2], 0);
	for (size_t i = 0; i < UNIT_NR(weights); i++) {
		double share = (double)weights[i] * WEFT_MAGLEV_DEF / 1007;

		ck_assert_msg(seen[i] <= share * 1.05 + 2 && seen[i] + 2 >= share * 0.95, "%zu rows, not %f", seen[i],
			      share);
	}
}
END_TEST

START_TEST(equal_weights_differ_by_one_row_at_most)
{
	uint64_t keys[MANY];
	uint16_t weights[MANY];
	size_t seen[MANY] = { 0 };
	_cleanup_(freep) uint32_t *table = NULL;

	given_equal(keys, weights, MANY);
	table = given_table(keys, weights, MANY, 65537);
	for (uint32_t row = 0; row < 65537; row++)
		seen[table[row]]++;
	for (size_t i = 0; i < MANY; i++)
		ck_assert(seen[i] == 655 || seen[i] == 656);
}
END_TEST

/* The paper's figure 12 has about 1 % more than the least for a table 100 times larger than the set. */
START_TEST(few_rows_move_when_one_leaves)
{
	uint64_t keys[MANY];
	uint16_t weights[MANY];
	_cleanup_(freep) uint32_t *before = NULL;
	_cleanup_(freep) uint32_t *after = NULL;
	size_t moved = 0;

	given_equal(keys, weights, MANY);
	before = given_table(keys, weights, MANY, 65537);
	weights[_i] = 0;
	after = given_table(keys, weights, MANY, 65537);
	for (uint32_t row = 0; row < 65537; row++) {
		ck_assert_uint_ne(after[row], (uint32_t)_i);
		moved += before[row] != after[row];
	}
	ck_assert_msg(moved < 65537 / MANY + 65537 / 33, "%zu rows moved", moved);
}
END_TEST

/* An endpoint is known by its address: whether one that left is taken out or has weight 0 is the same table. */
START_TEST(position_does_not_matter)
{
	uint64_t keys[MANY], fewer[MANY];
	uint16_t weights[MANY];
	_cleanup_(freep) uint32_t *with_zero = NULL;
	_cleanup_(freep) uint32_t *without = NULL;

	given_equal(keys, weights, MANY);
	given_equal(fewer, weights, MANY);
	memmove(fewer + 3, fewer + 4, (MANY - 4) * sizeof(*fewer));
	without = given_table(fewer, weights, MANY - 1, 65537);
	weights[3] = 0;
	with_zero = given_table(keys, weights, MANY, 65537);
	for (uint32_t row = 0; row < 65537; row++)
		ck_assert_uint_eq(keys[with_zero[row]], fewer[without[row]]);
}
END_TEST

START_TEST(keys_are_the_same_on_every_machine)
{
	struct weft_addr a;

	weft_addr_set_v4(&a, __builtin_bswap32(0x0a000001u));
	ck_assert_uint_eq(lb_endpoint_key(a.byte, 80), 0x32308516774e2214ull);
	ck_assert_uint_ne(lb_endpoint_key(a.byte, 81), lb_endpoint_key(a.byte, 80));
}
END_TEST

START_TEST(what_makes_no_table_is_refused)
{
	static const uint64_t keys[] = { 1, 2, 3 };
	static const uint16_t some[] = { 1, 1, 1 }, none[] = { 0, 0, 0 };
	uint32_t table[8];

	ck_assert_int_eq(lb_maglev_fill(keys, none, 3, table, 7), -EINVAL);
	ck_assert_int_eq(lb_maglev_fill(keys, some, 3, table, 8), -EINVAL);
	ck_assert_int_eq(lb_maglev_fill(keys, some, 3, table, 2), -EINVAL);
	ck_assert_int_eq(lb_maglev_fill(keys, some, 3, table, 3), 0);
	ck_assert_int_eq(lb_maglev_fill(keys, some, 2, table, 2), 0);
}
END_TEST

static Suite *maglev_suite(void)
{
	Suite *s = suite_create("maglev");
	TCase *t = tcase_create("table");

	tcase_add_test(t, primes_are_told_apart);
	tcase_add_test(t, rows_are_shared_by_weight);
	tcase_add_test(t, equal_weights_differ_by_one_row_at_most);
	tcase_add_loop_test(t, few_rows_move_when_one_leaves, 0, 10);
	tcase_add_test(t, position_does_not_matter);
	tcase_add_test(t, keys_are_the_same_on_every_machine);
	tcase_add_test(t, what_makes_no_table_is_refused);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(maglev_suite());
}

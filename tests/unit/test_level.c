/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How load is shared among levels, the same source that runs in the kernel: headers/weft/level.h. The tables are those
 * of Envoy's documentation (arch_overview/upstream/load_balancing/priority), which computes in whole percent.
 */
#include "weft/level.h"

#include <stdbool.h>
#include <stdio.h>

#include "chance.h"
#include "unit.h"

static struct weft_loads loads_of(const unsigned *available, unsigned of, unsigned nr)
{
	struct weft_loads l = {};

	for (unsigned i = 0; i < WEFT_LEVELS; i++) {
		l.health[i] = i < nr ? weft_level_health(of, of - available[i]) : 0;
		l.cap[i] = i < nr ? WEFT_WHOLE : 0;
	}
	weft_level_loads(&l);
	return l;
}

static const struct {
	unsigned nr, available[4], load[4]; /* percent */
} tables[] = {
	/* two priorities, P1 well */
	{ 2, { 100, 100 }, { 100, 0 } },
	{ 2, { 72, 100 }, { 100, 0 } },
	{ 2, { 71, 100 }, { 99, 1 } },
	{ 2, { 50, 100 }, { 70, 30 } },
	{ 2, { 25, 100 }, { 35, 65 } },
	{ 2, { 0, 100 }, { 0, 100 } },
	/* two priorities */
	{ 2, { 72, 72 }, { 100, 0 } },
	{ 2, { 71, 71 }, { 99, 1 } },
	{ 2, { 50, 50 }, { 70, 30 } },
	{ 2, { 25, 25 }, { 50, 50 } },
	/* three */
	{ 3, { 100, 100, 100 }, { 100, 0, 0 } },
	{ 3, { 72, 72, 100 }, { 100, 0, 0 } },
	{ 3, { 71, 71, 100 }, { 99, 1, 0 } },
	{ 3, { 50, 50, 100 }, { 70, 30, 0 } },
	{ 3, { 25, 100, 100 }, { 35, 65, 0 } },
	{ 3, { 25, 25, 100 }, { 35, 35, 30 } },
	{ 3, { 25, 25, 20 }, { 36, 36, 28 } },
	/* ours */
	{ 1, { 100 }, { 100 } },
	{ 1, { 1 }, { 100 } },
	{ 1, { 0 }, { 0 } },
	{ 3, { 0, 0, 0 }, { 0, 0, 0 } },
	{ 3, { 0, 0, 1 }, { 0, 0, 100 } },
	{ 4, { 10, 10, 10, 10 }, { 25, 25, 25, 25 } },
	{ 4, { 20, 0, 20, 100 }, { 28, 0, 28, 44 } },
};

START_TEST(loads_are_as_documented)
{
	struct weft_loads l = loads_of(tables[_i].available, 100, tables[_i].nr);

	for (unsigned i = 0; i < tables[_i].nr; i++) {
		uint32_t expected = tables[_i].load[i] * 100;

		/* The documentation rounds to percents. */
		ck_assert_msg(l.load[i] + 100 > expected && l.load[i] < expected + 100, "row %d, level %u: %u", _i, i,
			      l.load[i]);
		ck_assert_int_eq(l.load[i] != 0, expected != 0);
	}
}
END_TEST

START_TEST(health_is_the_available_share_with_some_to_spare)
{
	static const struct {
		uint32_t endpoints, unavailable, health;
	} row[] = {
		{ 100, 0, 10000 },
		{ 100, 28, 10000 },
		{ 100, 29, 9940 },
		{ 100, 50, 7000 },
		{ 100, 99, 140 },
		{ 100, 100, 0 },
		{ 100, 101, 0 },
		{ 0, 0, 0 },
		{ 1, 0, 10000 },
		{ 1, 1, 0 },
		{ 2, 1, 7000 },
		{ 3, 1, 9333 },
		{ 3, 2, 4666 },
		{ 16384, 16383, 0 },
		{ 4, 1, 10000 },
		/* A counter that is for a moment one too low. */
		{ 10, UINT32_MAX, 0 },
		{ UINT32_MAX, 0, 10000 },
		{ UINT32_MAX, UINT32_MAX / 2, 7000 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		ck_assert_msg(weft_level_health(row[i].endpoints, row[i].unavailable) == row[i].health, "row %zu: %u",
			      i, weft_level_health(row[i].endpoints, row[i].unavailable));
}
END_TEST

/* Percent. A level with a cap is this node's zone; the one after it the rest of the same priority. */
static const struct {
	const char *name;
	unsigned health[4], cap[4], load[4];
} capped[] = {
	{ "local gets what it can carry, the rest goes to the other zones", { 100, 100 }, { 60, 100 }, { 60, 40 } },
	{ "a cap of nothing", { 100, 100 }, { 0, 100 }, { 0, 100 } },
	{ "half of the local ones are gone", { 50, 100 }, { 60, 100 }, { 50, 50 } },
	{ "all of them", { 0, 100 }, { 60, 100 }, { 0, 100 } },
	{ "the other zones are gone: all is local", { 100, 0 }, { 60, 100 }, { 100, 0 } },
	{ "the other zones cannot take it all", { 100, 20 }, { 60, 100 }, { 80, 20 } },
	{ "local first, before a lower priority", { 100, 0, 100 }, { 60, 100, 100 }, { 100, 0, 0 } },
	{ "a lower priority gets what neither can", { 50, 30, 100 }, { 20, 100, 100 }, { 50, 30, 20 } },
	{ "two priorities with zones", { 0, 0, 100, 100 }, { 60, 100, 25, 100 }, { 0, 0, 25, 75 } },
	{ "a cap is of what reaches the level", { 0, 40, 100, 100 }, { 60, 100, 50, 100 }, { 0, 40, 30, 30 } },
	{ "too few of all", { 20, 20 }, { 60, 100 }, { 50, 50 } },
	{ "too few of all, a small cap", { 20, 20 }, { 30, 100 }, { 50, 50 } },
};

START_TEST(a_cap_leaves_the_rest_to_others_of_the_priority)
{
	struct weft_loads l = {};

	for (unsigned i = 0; i < WEFT_LEVELS; i++) {
		l.health[i] = i < 4 ? capped[_i].health[i] * 100 : 0;
		l.cap[i] = i < 4 ? capped[_i].cap[i] * 100 : 0;
	}
	weft_level_loads(&l);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_msg(l.load[i] == capped[_i].load[i] * 100, "%s: level %u: %u", capped[_i].name, i, l.load[i]);
}
END_TEST

/* What holds for whatever numbers of endpoints. */
static void expect_sane(const struct weft_loads *l, const char *seed)
{
	uint32_t sum = 0, healthy = 0, seen = 0;
	bool caps = false;

	for (unsigned i = 0; i < WEFT_LEVELS; i++) {
		sum += l->load[i];
		healthy += l->health[i];
		caps |= l->health[i] && l->cap[i] < WEFT_WHOLE;
		ck_assert_msg(l->load[i] == 0 || l->health[i] > 0, "%s: load on a dead level %u", seed, i);
		/* More than its health only when there is not enough of all, or by what rounding left. */
		if (healthy >= WEFT_WHOLE && !caps)
			ck_assert_msg(l->load[i] <= l->health[i] + WEFT_LEVELS, "%s: level %u has %u of %u", seed, i,
				      l->load[i], l->health[i]);
		/* Without caps a level is full before the next gets anything. */
		if (!caps && seen && healthy - l->health[i] >= WEFT_WHOLE)
			ck_assert_msg(l->load[i] == 0, "%s: level %u gets %u behind full ones", seed, i, l->load[i]);
		seen |= l->load[i];
	}
	ck_assert_msg(sum == (healthy ? WEFT_WHOLE : 0), "%s: sum %u", seed, sum);
	/* And every draw falls into a level with load. */
	for (uint32_t at = 0; healthy && at < WEFT_WHOLE; at += 1009)
		ck_assert_msg(l->load[weft_level_at(l, at)] > 0, "%s: at %u", seed, at);
	ck_assert_msg(!healthy || l->load[weft_level_at(l, WEFT_WHOLE - 1)] > 0, "%s: at the end", seed);
}

START_TEST(whatever_the_numbers)
{
	struct chance c = chance_new();
	char seed[64];

	snprintf(seed, sizeof(seed), CHANCE, CHANCE_ARG(c));
	for (int round = 0; round < (int)chance_rounds(1500); round++) {
		uint32_t nr = 1 + chance_below(&c, WEFT_LEVELS), size = 1 + chance_below(&c, round % 3 ? 12 : 20000);
		struct weft_loads l = {}, better;
		bool with_caps = round % 2;
		uint32_t up;

		for (uint32_t i = 0; i < nr; i++) {
			uint32_t n = chance_below(&c, size + 1);

			l.health[i] = weft_level_health(n, chance_below(&c, n + 2));
			l.cap[i] = with_caps && i % 2 == 0 && i + 1 < nr ? chance_below(&c, WEFT_WHOLE + 1)
									 : WEFT_WHOLE;
		}
		better = l;
		weft_level_loads(&l);
		expect_sane(&l, seed);
		/* A level that gets better never gets less, and its betters never get less by that. */
		up = chance_below(&c, nr);
		better.health[up] += chance_below(&c, WEFT_WHOLE - better.health[up] + 1);
		weft_level_loads(&better);
		expect_sane(&better, seed);
		if (!with_caps)
			ck_assert_msg(better.load[up] + WEFT_LEVELS >= l.load[up], "%s: level %u from %u to %u", seed,
				      up, l.load[up], better.load[up]);
	}
}
END_TEST

START_TEST(draws_are_shared_as_the_loads_say)
{
	const unsigned available[] = { 25, 25, 20 };
	struct weft_loads l = loads_of(available, 100, 3);
	unsigned hit[WEFT_LEVELS] = {};

	for (uint32_t at = 0; at < WEFT_WHOLE; at++)
		hit[weft_level_at(&l, at)]++;
	for (unsigned i = 0; i < WEFT_LEVELS; i++)
		ck_assert_uint_eq(hit[i], l.load[i]);
	/* No load at all: the first, where nobody will be found, and then panic has its say. */
	l = (struct weft_loads){};
	ck_assert_uint_eq(weft_level_at(&l, 0), 0);
	ck_assert_uint_eq(weft_level_at(&l, WEFT_WHOLE - 1), 0);
}
END_TEST

static const struct {
	uint64_t age_ms;
	uint32_t window_ms, least, percent;
} starts[] = {
	{ 0, 30000, 10, 10 },
	{ 3000, 30000, 10, 10 },
	{ 3300, 30000, 10, 11 },
	{ 15000, 30000, 10, 50 },
	{ 29999, 30000, 10, 99 },
	{ 30000, 30000, 10, 100 },
	{ 1ull << 60, 30000, 10, 100 },
	{ 5, 0, 10, 100 },
	{ 0, 30000, 0, 0 },
	{ 1, 30000, 1, 1 },
	{ 15000, 30000, 60, 60 },
	{ 15000, 30000, 100, 100 },
	{ 0, 1, 10, 10 },
	{ 1, 1, 10, 100 },
	{ UINT32_MAX - 1, UINT32_MAX, 10, 99 },
};

START_TEST(slow_start_is_linear)
{
	ck_assert_uint_eq(weft_slow_start(starts[_i].age_ms, starts[_i].window_ms, starts[_i].least),
			  starts[_i].percent);
	for (uint32_t ms = 0; ms < 40000; ms += 100)
		ck_assert_uint_le(weft_slow_start(ms, 30000, 10), weft_slow_start(ms + 100, 30000, 10));
}
END_TEST

static Suite *level_suite(void)
{
	Suite *s = suite_create("level");
	TCase *c = tcase_create("level");

	tcase_set_timeout(c, 300);
	tcase_add_loop_test(c, loads_are_as_documented, 0, UNIT_NR(tables));
	tcase_add_test(c, health_is_the_available_share_with_some_to_spare);
	tcase_add_loop_test(c, a_cap_leaves_the_rest_to_others_of_the_priority, 0, UNIT_NR(capped));
	tcase_add_test(c, whatever_the_numbers);
	tcase_add_test(c, draws_are_shared_as_the_loads_say);
	tcase_add_loop_test(c, slow_start_is_linear, 0, UNIT_NR(starts));
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(level_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Levels of a service by priority and zone (user/lb), and the record that the programs read (user/plane/spec.c). */
#include <arpa/inet.h>
#include <string.h>

#include "base/cleanup.h"
#include "plane/state.h"
#include "unit.h"
#include "weft/level.h"

/* "PRIORITY ZONE xNUMBER" of endpoints, by spaces: "0a x3 1 x2" is three of priority 0 in zone a, two of priority 1. */
static struct service *given(const char *text)
{
	struct service *s = service_new("web");
	unsigned priority, n, address = 0x0a000001;
	char zone[8];
	int used;

	ck_assert_ptr_nonnull(s);
	for (; *text; text += used) {
		zone[0] = '\0';
		if (sscanf(text, "%u%7[a-z] x%u %n", &priority, zone, &n, &used) < 3)
			ck_assert_int_eq(sscanf(text, "%u x%u %n", &priority, &n, &used), 2);
		for (unsigned i = 0; i < n; i++) {
			struct endpoint e = { .port = 80, .weight = 1, .priority = (uint8_t)priority };

			e.zone = *zone ? (*zone == 'a' ? "a" : *zone == 'b' ? "b" : "c") : NULL;
			weft_addr_set_v4(&e.addr, htonl(address++));
			ck_assert_int_eq(service_add_endpoint(s, &e), 0);
		}
	}
	return s;
}

/* "PRIORITY[l]:NUMBER[/CAP]" of the levels in order; l for the local one. */
static void told(const struct lb_levels *l, char *text, size_t len)
{
	size_t at = 0;

	*text = '\0';
	for (unsigned i = 0; i < l->nr; i++) {
		at += (size_t)snprintf(text + at, len - at, "%s%u%s:%u", i ? " " : "", l->level[i].priority,
				       l->level[i].local ? "l" : "", l->level[i].nr);
		if (l->level[i].cap != WEFT_WHOLE)
			at += (size_t)snprintf(text + at, len - at, "/%u", l->level[i].cap);
	}
}

static const struct {
	const char *endpoints, *zone;
	bool zone_aware;
	uint32_t least;
	const char *want;
} cases[] = {
	{ "", NULL, false, 0, "" },
	{ "0 x3", NULL, false, 0, "0:3" },
	{ "7 x3", NULL, false, 0, "7:3" },
	/* priorities without gaps, whatever the order */
	{ "5 x2 0 x1 100 x4", NULL, false, 0, "0:1 5:2 100:4" },
	/* one too many joins the last */
	{ "0 x1 1 x1 2 x1 3 x1 4 x1 5 x1 6 x1 7 x1 8 x1 9 x1", NULL, false, 0, "0:1 1:1 2:1 3:1 4:1 5:1 6:1 7:3" },
	/* zones do not matter unless they are asked for, and this node's is known */
	{ "0a x3 0b x3", "a", false, 0, "0:6" },
	{ "0a x3 0b x3", NULL, true, 0, "0:6" },
	/* as many callers here as endpoints: all stays */
	{ "0a x3 0b x3", "a", true, 6, "0l:3 0:3" },
	/* fewer than asked for */
	{ "0a x3 0b x2", "a", true, 6, "0:5" },
	/* nobody here, nobody elsewhere */
	{ "0a x3 0b x3", "c", true, 0, "0:6" },
	{ "0a x6", "a", true, 0, "0:6" },
	/* a third of the callers, a fifth of the endpoints: 3/5 of the load stay */
	{ "0a x2 0b x4 0c x4", "a", true, 0, "0l:2/6000 0:8" },
	/* half of the endpoints: all stays */
	{ "0a x4 0b x2 0c x2", "a", true, 0, "0l:4 0:4" },
	/* endpoints without a zone are in one of their own */
	{ "0a x1 0 x3", "a", true, 0, "0l:1/5000 0:3" },
	/* each priority for itself */
	{ "0a x2 0b x2 1b x3 2a x1 2b x3", "a", true, 0, "0l:2 0:2 1:3 2l:1/5000 2:3" },
	{ "0a x2 0b x2 1a x1 1b x1", "a", true, 4, "0l:2 0:2 1:2" },
	/* no room to split all: the preferred ones are */
	{ "0a x1 0b x1 1a x1 1b x1 2a x1 2b x1 3a x1 3b x1 4a x1 4b x1 5a x1 5b x1", "a", true, 0,
	  "0l:1 0:1 1l:1 1:1 2:2 3:2 4:2 5:2" },
};

START_TEST(endpoints_are_grouped_by_priority_and_zone)
{
	_cleanup_(service_unrefp) struct service *s = given(cases[_i].endpoints);
	struct lb_levels l;
	uint8_t of[64];
	char text[256];

	s->zone_aware = cases[_i].zone_aware;
	s->zone_endpoints = cases[_i].least;
	lb_levels(s, cases[_i].zone, &l, of);
	told(&l, text, sizeof(text));
	ck_assert_str_eq(text, cases[_i].want);
	for (unsigned i = 0; i < l.nr; i++) {
		uint32_t nr = 0;

		for (size_t k = 0; k < s->nr_endpoints; k++) {
			if (of[k] != i)
				continue;
			nr++;
			ck_assert(!l.level[i].local || lb_in_zone(&s->endpoints[k], cases[_i].zone));
		}
		ck_assert_uint_eq(nr, l.level[i].nr);
	}
}
END_TEST

START_TEST(weight_0_is_in_no_level)
{
	_cleanup_(service_unrefp) struct service *s = given("0 x2 1 x1 2 x1");
	struct lb_levels l;
	uint8_t of[4];
	char text[64];

	s->endpoints[0].weight = 0;
	s->endpoints[2].weight = 0; /* all of priority 1 */
	lb_levels(s, NULL, &l, of);
	told(&l, text, sizeof(text));
	ck_assert_str_eq(text, "0:1 2:1");
	ck_assert_uint_eq(of[3], 1);
	for (size_t i = 0; i < s->nr_endpoints; i++)
		s->endpoints[i].weight = 0;
	lb_levels(s, NULL, &l, of);
	ck_assert_uint_eq(l.nr, 0);
}
END_TEST

START_TEST(cap_never_gives_a_zone_more_than_its_share)
{
	ck_assert_uint_eq(lb_zone_cap(0, 0, 0), WEFT_WHOLE);
	ck_assert_uint_eq(lb_zone_cap(1, 1, 1), WEFT_WHOLE);
	ck_assert_uint_eq(lb_zone_cap(UINT32_MAX, UINT32_MAX, 128), WEFT_WHOLE);
	for (uint32_t zones = 1; zones < 20; zones++) {
		for (uint32_t here = 1; here < 40; here++) {
			for (uint32_t all = here; all < 80; all++) {
				uint64_t cap = lb_zone_cap(here, all, zones);

				/* load of an endpoint here: cap / zones / here; of all on average: 1 / all */
				ck_assert(cap == WEFT_WHOLE || cap * all <= (uint64_t)WEFT_WHOLE * here * zones);
				ck_assert((uint64_t)here * zones >= all ? cap == WEFT_WHOLE : cap < WEFT_WHOLE);
			}
		}
	}
}
END_TEST

static struct weft_spec made_of(struct service *s, const char *zone)
{
	struct plane p = { .zone = (char *)zone };
	struct weft_spec spec;
	struct shape shape;

	ck_assert_int_eq(shape_make(&p, s, &shape), 0);
	spec = spec_make(&p, 3, s, &shape, 1000, 7);
	scratch_done(&p.scratch);
	return spec;
}

START_TEST(levels_lie_side_by_side)
{
	_cleanup_(service_unrefp) struct service *s = given("0 x3 4 x2");
	struct weft_spec spec;

	s->endpoints[0].weight = 2;
	s->lb = WEFT_LB_MAGLEV;
	s->maglev_size = 13;
	spec = made_of(s, NULL);
	ck_assert_uint_eq(spec.nr_levels, 2);
	ck_assert_uint_eq(spec.nr_backends, 5);
	ck_assert_uint_eq(spec.level[0].slot_base, 1000);
	ck_assert_uint_eq(spec.level[0].nr_slots, 4);
	ck_assert_uint_eq(spec.level[0].table_base, 1004);
	ck_assert_uint_eq(spec.level[0].table_size, 13);
	ck_assert_uint_eq(spec.level[1].slot_base, 1017);
	ck_assert_uint_eq(spec.level[1].nr_slots, 2);
	ck_assert_uint_eq(spec.level[1].table_base, 1019);
	ck_assert_uint_eq(spec.level[1].priority, 4);
	ck_assert_uint_eq(spec_slots(&spec), 32);
}
END_TEST

/* The levels of a service are apart, and in each its endpoints are as often as their weights. */
START_TEST(slots_of_a_level_are_its_endpoints)
{
	_cleanup_(service_unrefp) struct service *s = given("0a x3 0b x5 1 x4");
	struct plane p = { .zone = (char *)"a" };
	uint32_t slots[512], seen[12] = { 0 };
	struct shape shape;
	uint32_t at = 0;

	s->zone_aware = true;
	s->lb = WEFT_LB_MAGLEV;
	s->maglev_size = 101;
	for (size_t i = 0; i < s->nr_endpoints; i++)
		s->endpoints[i].weight = (uint16_t)(1 + i % 3);
	ck_assert_int_eq(shape_make(&p, s, &shape), 0);
	ck_assert_uint_le(shape.total, 512);
	ck_assert_int_eq(shape_fill(&p, s, &shape, true, slots), 0);
	for (unsigned i = 0; i < shape.levels.nr; i++) {
		for (uint32_t k = 0; k < shape.nr_slots[i] + shape.table_size[i]; k++, at++) {
			ck_assert_uint_lt(slots[at], s->nr_endpoints);
			ck_assert_uint_eq(p.scratch.level[slots[at]], i);
			seen[slots[at]] += k < shape.nr_slots[i];
		}
	}
	ck_assert_uint_eq(at, shape.total);
	for (size_t i = 0; i < s->nr_endpoints; i++)
		ck_assert_uint_eq(seen[i], s->endpoints[i].weight);
	scratch_done(&p.scratch);
}
END_TEST

static const struct {
	uint32_t rate, burst;
	uint64_t interval_ns, burst_ns;
} rates[] = {
	{ 0, 0, 0, 0 },
	{ 0, 5, 0, 0 },
	{ 1, 1, 1000000000, 0 },
	{ 100, 1, 10000000, 0 },
	{ 100, 20, 10000000, 190000000 },
	{ 100, 0, 10000000, 90000000 }, /* a tenth */
	{ 5, 0, 200000000, 0 },		/* at least one */
	{ 2000000000, 3, 1, 2 },	/* faster than the clock can tell */
	{ 1000, 4294967295, 1000000, 4294967294000000ull },
};

START_TEST(rate_becomes_an_interval)
{
	_cleanup_(service_unrefp) struct service *s = given("0 x1");
	struct weft_spec spec;

	s->limits.rate = rates[_i].rate;
	s->limits.burst = rates[_i].burst;
	spec = made_of(s, NULL);
	ck_assert_uint_eq(spec.rate_interval_ns, rates[_i].interval_ns);
	ck_assert_uint_eq(spec.rate_burst_ns, rates[_i].burst_ns);
}
END_TEST

START_TEST(what_is_switched_off_is_0)
{
	_cleanup_(service_unrefp) struct service *s = given("0 x1");
	struct weft_spec spec;

	s->failover = true;
	s->ejection = (struct ejection){
		.on = true, .failures = 5, .base_ms = 1, .max_ms = 2, .interval_ms = 3, .percent = 50
	};
	s->breaker = (struct breaker){ .percent = 40, .volume = 20, .sleep_ms = 5000 };
	spec = made_of(s, NULL);
	ck_assert_uint_eq(spec.flags, WEFT_SPEC_F_USED | WEFT_SPEC_F_FAILOVER);
	ck_assert_uint_eq(spec.eject_failures, 5);
	ck_assert_uint_eq(spec.eject_percent, 50);
	ck_assert_uint_eq(spec.breaker_percent, 40);
	s->proto = IPPROTO_UDP;
	s->ejection.on = false;
	s->breaker.percent = 0;
	spec = made_of(s, NULL);
	ck_assert_uint_eq(spec.flags, WEFT_SPEC_F_USED);
	ck_assert_uint_eq(spec.eject_failures, 0);
	ck_assert_uint_eq(spec.eject_percent, 0);
	ck_assert_uint_eq(spec.breaker_volume, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("levels");
	TCase *t = tcase_create("levels");

	tcase_add_loop_test(t, endpoints_are_grouped_by_priority_and_zone, 0, UNIT_NR(cases));
	tcase_add_test(t, weight_0_is_in_no_level);
	tcase_add_test(t, cap_never_gives_a_zone_more_than_its_share);
	tcase_add_test(t, levels_lie_side_by_side);
	tcase_add_test(t, slots_of_a_level_are_its_endpoints);
	tcase_add_loop_test(t, rate_becomes_an_interval, 0, UNIT_NR(rates));
	tcase_add_test(t, what_is_switched_off_is_0);
	suite_add_tcase(s, t);
	return unit_run(s);
}

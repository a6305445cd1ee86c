/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How load spills from level to level when endpoints go out of service, how a new endpoint begins, and what happens
 * when nobody is left. Connected UDP: the choice is the same, and 10,000 take a tenth of a second.
 */
#include <math.h>

#include "invariants.h"
#include "many.h"

#define NR_CONNECTS 10000

/* Connects, and looks what share endpoints @from .. @to - 1 got: five sigma are allowed. */
static void expect_share(unsigned from, unsigned to, double want)
{
	uint64_t before = opened(from, to);
	double got, sigma;

	connect_some(NR_CONNECTS);
	got = (double)(opened(from, to) - before) / NR_CONNECTS;
	sigma = sqrt(want * (1 - want) / NR_CONNECTS);
	ck_assert_msg(fabs(got - want) <= 5 * sigma + 1e-3, "endpoints %u to %u got %.4f of the connects, not %.4f",
		      from, to - 1, got, want);
}

/* Of ten preferred endpoints so many are out: what the others of lower priority get (Envoy: 1.4 x what is left). */
static const double spilled[] = { 0, 0, 0, 0.02, 0.16, 0.30, 0.44, 0.58, 0.72, 0.86, 1 };

START_TEST(priorities_spill_when_health_checks_fail)
{
	given_some(given_s(WEFT_LB_RANDOM), 10, 0, NULL);
	given_some(model_find(mesh.wanted, "s"), 10, 1, NULL);
	publish_all(&mesh);
	for (unsigned out = 0; out <= 10; out += 2) {
		if (out)
			take_out(out - 2, out, WEFT_OUT_UNHEALTHY);
		expect_share(10, 20, spilled[out]);
	}
	bring_back(0, 10, WEFT_OUT_UNHEALTHY);
	expect_share(0, 10, 1);
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(priorities_spill_when_sources_say_not_ready)
{
	for (unsigned out = 0; out <= 10; out += 5) {
		struct service *s = given_s(WEFT_LB_P2C_EWMA);

		given_some(s, 10, 3, NULL);
		given_some(s, 10, 100, NULL);
		for (unsigned i = 0; i < out; i++)
			s->endpoints[i].unready = true;
		publish_all(&mesh);
		expect_counters(mesh.maps);
		expect_share(10, 20, spilled[out]);
		ck_assert_uint_eq(mesh.maps->sstate[service_id(mesh.maps, "s")].unavailable[0], out);
	}
}
END_TEST

START_TEST(out_of_service_means_no_connects)
{
	static const uint32_t bits[] = { WEFT_OUT_EJECTED, WEFT_OUT_UNHEALTHY, WEFT_OUT_DRAINED, WEFT_OUT_UNREADY };

	given_some(given_s((enum weft_lb)_i), 4, 0, NULL);
	publish_all(&mesh);
	for (size_t i = 0; i < 4; i++) {
		uint64_t before = opened(0, 1);

		take_out(0, 1, bits[i]);
		connect_some(200);
		ck_assert_uint_eq(opened(0, 1), before);
		bring_back(0, 1, bits[i]);
	}
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(load_that_one_level_cannot_take_goes_to_the_last)
{
	struct service *s = given_s(WEFT_LB_RANDOM);

	given_some(s, 10, 0, NULL);
	given_some(s, 10, 1, NULL);
	given_some(s, 10, 2, NULL);
	publish_all(&mesh);
	take_out(0, 8, WEFT_OUT_UNHEALTHY);   /* 28 % left */
	take_out(10, 15, WEFT_OUT_UNHEALTHY); /* could take 70 % */
	expect_share(0, 10, 0.28);
	expect_share(10, 20, 0.70);
	expect_share(20, 30, 0.02);
	/* The sum of all is below 1: scaled up to it. */
	take_out(15, 20, WEFT_OUT_UNHEALTHY);
	take_out(20, 28, WEFT_OUT_UNHEALTHY);
	expect_share(0, 10, 0.5);
}
END_TEST

START_TEST(this_zone_first_up_to_its_cap)
{
	struct service *s = given_s(WEFT_LB_RANDOM);

	plane_set_zone(mesh.plane, "a");
	s->zone_aware = true;
	s->zone_endpoints = 6;
	given_some(s, 2, 0, "a");
	given_some(s, 4, 0, "b");
	given_some(s, 4, 0, "c");
	publish_all(&mesh);
	/* A third of the callers, a fifth of the endpoints. */
	expect_share(0, 2, 0.6);
	/* Half of the two is out: 1.4 / 2 of it could be taken, more than the cap. */
	take_out(0, 1, WEFT_OUT_UNHEALTHY);
	expect_share(0, 2, 0.6);
	take_out(1, 2, WEFT_OUT_UNHEALTHY);
	expect_share(2, 10, 1);
	bring_back(0, 2, WEFT_OUT_UNHEALTHY);
	/* Nobody elsewhere: the cap is no reason to refuse. */
	take_out(2, 10, WEFT_OUT_UNHEALTHY);
	expect_share(0, 2, 1);
	bring_back(2, 10, WEFT_OUT_UNHEALTHY);
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(this_node_may_move_to_another_zone)
{
	for (unsigned i = 0; i < 3; i++) {
		struct service *s = given_s(WEFT_LB_RANDOM);

		plane_set_zone(mesh.plane, i == 1 ? "b" : "a");
		s->zone_aware = true;
		given_some(s, 5, 0, "a");
		given_some(s, 5, 0, "b");
		publish_all(&mesh);
		expect_share(0, 5, i == 1 ? 0 : 1);
		ck_assert_uint_eq(mesh.maps->backends[id_of(0)].zone, i != 1);
	}
}
END_TEST

START_TEST(a_new_endpoint_begins_gently)
{
	for (unsigned i = 0; i < 2; i++) {
		struct service *s = given_s(WEFT_LB_RANDOM);

		s->slow_start_ms = 60000;
		s->slow_start_percent = 10;
		given_some(s, 3 + i, 0, NULL);
		publish_all(&mesh);
		/* The first time nobody is new. */
		if (!i)
			expect_share(0, 1, 1.0 / 3);
	}
	/* A tenth of what the three others get each. */
	expect_share(3, 4, 0.1 / 3.1);
	/* Half of the time is over. */
	mesh.maps->bstate[id_of(3)].since_ns = (now_ms() - 30000) * 1000000;
	expect_share(3, 4, 0.5 / 3.5);
	mesh.maps->bstate[id_of(3)].since_ns = (now_ms() - 60001) * 1000000;
	expect_share(3, 4, 0.25);
}
END_TEST

START_TEST(a_lone_new_endpoint_takes_all)
{
	for (unsigned i = 0; i < 2; i++) {
		struct service *s = given_s((enum weft_lb)_i);

		s->slow_start_ms = 60000;
		s->slow_start_percent = 1;
		given_some(s, 1 + i, 0, NULL);
		publish_all(&mesh);
	}
	take_out(0, 1, WEFT_OUT_UNHEALTHY);
	connect_some(500);
	ck_assert_uint_eq(opened(1, 2), 500);
}
END_TEST

START_TEST(panic_when_nobody_is_left)
{
	struct service *s = given_s((enum weft_lb)_i);

	s->panic_percent = 50;
	given_some(s, 4, 0, NULL);
	given_some(s, 4, 1, NULL);
	publish_all(&mesh);
	take_out(0, 7, WEFT_OUT_UNHEALTHY);
	mark(&mesh);
	connect_some(100);
	ck_assert_uint_eq(opened(7, 8), 100); /* one is left: no panic, however few it is */
	expect_reason(&mesh, WEFT_R_PANIC, 0);
	take_out(7, 8, WEFT_OUT_UNHEALTHY);
	take_out(0, 1, WEFT_OUT_DRAINED);
	take_out(1, 2, WEFT_OUT_UNREADY);
	connect_some(100);
	expect_reason(&mesh, WEFT_R_PANIC, 100);
	ck_assert_uint_eq(opened(0, 2), 0);
	ck_assert_uint_eq(opened(0, 8), 200);
}
END_TEST

START_TEST(no_panic_when_it_is_off)
{
	struct service *s = given_s(WEFT_LB_RANDOM);

	s->panic_percent = 0;
	given_some(s, 4, 0, NULL);
	publish_all(&mesh);
	take_out(0, 4, WEFT_OUT_UNHEALTHY);
	mark(&mesh);
	ck_assert_int_lt(udp_to("10.99.0.1", 80), 0);
	expect_reason(&mesh, WEFT_R_NO_BACKEND, 1);
	expect_reason(&mesh, WEFT_R_PANIC, 0);
}
END_TEST

static Suite *levels_suite(void)
{
	Suite *s = suite_create("levels");
	TCase *c = suite_case(s, "levels", 60);

	tcase_add_test(c, priorities_spill_when_health_checks_fail);
	tcase_add_test(c, priorities_spill_when_sources_say_not_ready);
	tcase_add_loop_test(c, out_of_service_means_no_connects, 0, WEFT_LB_MAX);
	tcase_add_test(c, load_that_one_level_cannot_take_goes_to_the_last);
	tcase_add_test(c, this_zone_first_up_to_its_cap);
	tcase_add_test(c, this_node_may_move_to_another_zone);
	tcase_add_test(c, a_new_endpoint_begins_gently);
	tcase_add_loop_test(c, a_lone_new_endpoint_takes_all, 0, WEFT_LB_MAX);
	tcase_add_loop_test(c, panic_when_nobody_is_left, 0, WEFT_LB_MAX);
	tcase_add_test(c, no_panic_when_it_is_off);
	return s;
}

int main(void)
{
	return suite_main("levels", levels_suite);
}

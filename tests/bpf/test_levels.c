/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How load spills from level to level when endpoints go out of service, how a new endpoint begins, and what happens
 * when nobody is left. Connected UDP: the choice is the same, and 10,000 take a tenth of a second.
 */
#include "harness.h"

#include <math.h>
#include <pthread.h>

#include "invariants.h"
#include "weft/outlier.h"

#define NR_CONNECTS 10000

/* Endpoint @i is 127.0.@i / 200.@i % 200 + 2. */
static void endpoint_ip(char ip[32], unsigned i)
{
	snprintf(ip, 32, "127.0.%u.%u", i / 200, i % 200 + 2);
}

static struct service *given_s(enum weft_lb lb)
{
	return given_service(&mesh, "s", IPPROTO_UDP, "10.99.0.1", 80, lb);
}

/* Adds @n endpoints of @priority in @zone. */
static void given_some(struct service *s, unsigned n, uint8_t priority, const char *zone)
{
	char ip[32];

	for (unsigned i = 0; i < n; i++) {
		endpoint_ip(ip, (unsigned)s->nr_endpoints);
		given_endpoint(s, ip, 8080);
		s->endpoints[s->nr_endpoints - 1].priority = priority;
		s->endpoints[s->nr_endpoints - 1].zone = zone;
	}
}

static uint32_t id_of(unsigned i)
{
	char ip[32];

	endpoint_ip(ip, i);
	return endpoint_id(&mesh, "s", ip, 8080);
}

static void take_out(unsigned from, unsigned to, uint32_t bits)
{
	for (unsigned i = from; i < to; i++)
		ck_assert_int_eq(maps_out_set(mesh.maps, id_of(i), mesh.maps->backends[id_of(i)].gen, bits), 1);
}

static void bring_back(unsigned from, unsigned to, uint32_t bits)
{
	for (unsigned i = from; i < to; i++)
		ck_assert_int_eq(maps_out_clear(mesh.maps, id_of(i), mesh.maps->backends[id_of(i)].gen, bits), 1);
}

static uint64_t opened(unsigned from, unsigned to)
{
	uint64_t n = 0;

	for (unsigned i = from; i < to; i++)
		n += mesh.maps->bstate[id_of(i)].opened;
	return n;
}

static void connect_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd = udp_to("10.99.0.1", 80);

		ck_assert_msg(fd >= 0, "connect %u: %s", i, strerror(-fd));
		close(fd);
	}
}

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

static bool stop;

/* What a health check would do, too fast. */
static void *change_health(void *arg)
{
	unsigned seed = 1;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint32_t id = 1 + (uint32_t)rand_r(&seed) % 40;
		uint32_t gen = mesh.maps->backends[id].gen;

		if (rand_r(&seed) % 2)
			maps_out_set(mesh.maps, id, gen, WEFT_OUT_UNHEALTHY);
		else
			maps_out_clear(mesh.maps, id, gen, WEFT_OUT_UNHEALTHY);
	}
	return NULL;
}

START_TEST(counters_are_right_whatever_moves)
{
	unsigned seed = 2;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, change_health, NULL), 0);
	for (unsigned i = 0; i < 1000; i++) {
		struct service *s = given_s(WEFT_LB_RANDOM);

		s->check.type = HEALTH_TCP;
		given_some(s, 20, 0, NULL);
		for (size_t k = 0; k < s->nr_endpoints; k++) {
			s->endpoints[k].priority = (uint8_t)(rand_r(&seed) % 4);
			s->endpoints[k].weight = (uint16_t)(rand_r(&seed) % 5 > 0);
			s->endpoints[k].unready = rand_r(&seed) % 5 == 0;
		}
		s->nr_endpoints -= (size_t)rand_r(&seed) % 20;
		publish_all(&mesh);
		if (i % 32 == 0)
			plane_reclaim(mesh.plane);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	reclaim_all(mesh.plane);
	expect_counters(mesh.maps);
	expect_sound(mesh.maps);
}
END_TEST

START_TEST(who_leaves_while_ejected_takes_no_place_among_the_ejected)
{
	const struct weft_outlier_rule rule = {
		.failures = 1, .base_ms = 60000, .max_ms = 60000, .percent = 50, .interval_ms = 10000, .endpoints = 4
	};
	struct weft_sstate *sstate;
	int fd;

	given_some(given_s(WEFT_LB_ROUND_ROBIN), 4, 0, NULL);
	publish_all(&mesh);
	sstate = &mesh.maps->sstate[service_id(mesh.maps, "s")];
	fd = udp_to("10.99.0.1", 80); /* it drains, and does not just go */
	for (unsigned i = 0; i < 4; i++)
		if (mesh.maps->bstate[id_of(i)].active)
			ck_assert_int_eq(weft_outlier_eject(&mesh.maps->bstate[id_of(i)], sstate,
							    maps_unavailable(mesh.maps, id_of(i)), &rule,
							    WEFT_CAUSE_REFUSED, now_ms() * 1000000),
					 WEFT_OUTLIER_EJECTED);
	ck_assert_uint_eq(sstate->ejected, 1);
	ck_assert_uint_eq(sstate->unavailable[0], 1);
	/* A change that it survives leaves it ejected. */
	given_some(given_s(WEFT_LB_RANDOM), 4, 2, NULL);
	publish_all(&mesh);
	ck_assert_uint_eq(sstate->ejected, 1);
	ck_assert_uint_eq(sstate->unavailable[0], 1);
	given_some(given_s(WEFT_LB_RANDOM), 0, 0, NULL);
	publish_all(&mesh);
	plane_reclaim(mesh.plane);
	ck_assert_uint_eq(sstate->ejected, 0);
	ck_assert_uint_eq(sstate->unavailable[0], 0);
	close(fd);
	reclaim_all(mesh.plane);
	expect_counters(mesh.maps);
}
END_TEST

static void restart(void)
{
	struct plane_options o = {
		.bpffs = "/sys/fs/bpf", .instance = mesh.name, .cgroup = mesh.cgroup, .lock_dir = "/run/weft"
	};
	struct plane_error err = { "" };
	enum plane_opened how;

	plane_close(mesh.plane);
	mesh.plane = NULL;
	ck_assert_msg(plane_open(&o, &mesh.plane, &how, &err) == 0, "%s", err.text);
	ck_assert_int_eq(how, PLANE_ADOPTED);
	mesh.maps = plane_maps(mesh.plane);
}

START_TEST(a_restart_publishes_nothing_anew)
{
	static const char *const zones[] = { "a", "a", "b", NULL, NULL };
	static const unsigned changed[] = { 0, 0, 1, 1, 0 };

	for (unsigned i = 0; i < 5; i++) {
		struct service *s = given_s(WEFT_LB_MAGLEV);
		struct plane_change change;

		s->zone_aware = true;
		s->maglev_size = 101;
		s->limits.rate = 100;
		s->breaker.percent = 50;
		given_some(s, 3, 4, "a");
		given_some(s, 3, 4, "b");
		given_some(s, 3, 9, "c");
		s->endpoints[0].unready = true;
		s->endpoints[1].weight = 0;
		if (i)
			restart();
		plane_set_zone(mesh.plane, zones[i]);
		change = publish_all(&mesh);
		ck_assert_uint_eq(change.services_changed, changed[i]);
		ck_assert_uint_eq(change.services_same, i && !changed[i]);
		reclaim_all(mesh.plane);
		expect_counters(mesh.maps);
	}
}
END_TEST

/* Everything that an agent, or a CLI, may have begun when it was killed. */
START_TEST(what_a_killed_agent_began_is_finished)
{
	uint64_t future = (now_ms() + 60000) * 1000000 & ~WEFT_OUTLIER_CLAIM;
	uint64_t past = (now_ms() - 1) * 1000000 & ~WEFT_OUTLIER_CLAIM;
	struct weft_sstate *sstate;
	struct weft_bstate *b;

	given_some(given_s(WEFT_LB_RANDOM), 10, 0, NULL);
	publish_all(&mesh);
	b = mesh.maps->bstate;
	b[id_of(0)].ejected_until_ns = future | WEFT_OUTLIER_CLAIM; /* claimed, nothing else done */
	b[id_of(1)].ejected_until_ns = future | WEFT_OUTLIER_CLAIM; /* all done, but for giving the claim up */
	b[id_of(1)].out = WEFT_OUT_EJECTED;
	b[id_of(2)].ejected_until_ns = past | WEFT_OUTLIER_CLAIM; /* a return, likewise */
	b[id_of(2)].out = WEFT_OUT_EJECTED | WEFT_OUT_DRAINED;
	b[id_of(3)].ejected_until_ns = past | WEFT_OUTLIER_CLAIM;
	b[id_of(4)].out = WEFT_OUT_UNHEALTHY; /* not counted */
	mesh.maps->sstate[service_id(mesh.maps, "s")].ejected = 7;
	mesh.maps->sstate[service_id(mesh.maps, "s")].unavailable[3] = 1;
	restart();
	sstate = &mesh.maps->sstate[service_id(mesh.maps, "s")];
	b = mesh.maps->bstate;
	/* Not before a grace period: a program may be at it. */
	ck_assert_uint_eq(b[id_of(0)].ejected_until_ns, future | WEFT_OUTLIER_CLAIM);
	reclaim_all(mesh.plane);
	ck_assert_uint_eq(b[id_of(0)].ejected_until_ns, future);
	ck_assert_uint_eq(b[id_of(0)].out, WEFT_OUT_EJECTED);
	ck_assert_uint_eq(b[id_of(1)].ejected_until_ns, future);
	ck_assert_uint_eq(b[id_of(1)].out, WEFT_OUT_EJECTED);
	ck_assert_uint_eq(b[id_of(2)].ejected_until_ns, 0);
	ck_assert_uint_eq(b[id_of(2)].out, WEFT_OUT_DRAINED);
	ck_assert_uint_eq(b[id_of(3)].ejected_until_ns, 0);
	ck_assert_uint_eq(sstate->ejected, 2);
	ck_assert_uint_eq(sstate->unavailable[0], 4);
	expect_counters(mesh.maps);
}
END_TEST

/* `weft check` finds counters that are off, and sets them right, without any agent. */
START_TEST(audit_finds_and_repairs_every_counter)
{
	struct weft_sstate *sstate;
	struct audit a;
	int fd;

	given_some(given_s(WEFT_LB_RANDOM), 2, 0, NULL);
	publish_all(&mesh);
	fd = udp_to("10.99.0.1", 80);
	expect_audit_clean(&mesh);
	sstate = &mesh.maps->sstate[service_id(mesh.maps, "s")];
	mesh.maps->bstate[id_of(0)].active += 3;
	mesh.maps->bstate[id_of(1)].pending += 1;
	sstate->active -= 1;
	sstate->pending += 2;
	sstate->ejected += 1;
	sstate->unavailable[0] += 1;
	sstate->unavailable[7] += 1;
	ck_assert_int_eq(maps_audit(mesh.maps, 3, &a), 0);
	ck_assert_uint_eq(a.nr_drift, 7);
	ck_assert_int_eq(maps_repair(mesh.maps, &a), 0);
	free(a.drift);
	expect_audit_clean(&mesh);
	expect_counters(mesh.maps);
	ck_assert_uint_eq(sstate->active, 1);
	close(fd);
	expect_nothing_active(&mesh, 1000);
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
	tcase_add_test(c, counters_are_right_whatever_moves);
	tcase_add_test(c, a_restart_publishes_nothing_anew);
	tcase_add_test(c, what_a_killed_agent_began_is_finished);
	tcase_add_test(c, audit_finds_and_repairs_every_counter);
	tcase_add_test(c, who_leaves_while_ejected_takes_no_place_among_the_ejected);
	return s;
}

int main(void)
{
	return suite_main("levels", levels_suite);
}

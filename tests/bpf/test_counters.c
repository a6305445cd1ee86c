/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How many endpoints are out of service, by level, and how many are ejected: right after whatever happens, or made so.
 */
#include <pthread.h>

#include "invariants.h"
#include "many.h"
#include "weft/outlier.h"

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

static Suite *counters_suite(void)
{
	Suite *s = suite_create("counters");
	TCase *c = suite_case(s, "counters", 60);

	tcase_add_test(c, counters_are_right_whatever_moves);
	tcase_add_test(c, a_restart_publishes_nothing_anew);
	tcase_add_test(c, what_a_killed_agent_began_is_finished);
	tcase_add_test(c, audit_finds_and_repairs_every_counter);
	tcase_add_test(c, who_leaves_while_ejected_takes_no_place_among_the_ejected);
	return s;
}

int main(void)
{
	return suite_main("counters", counters_suite);
}

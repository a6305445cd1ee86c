/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What results of health checks do to the maps, and marked sockets. */
#include <errno.h>

#include "harness.h"
#include "invariants.h"
#include "plane/health.h"
#include "weft/outlier.h"

static struct weft_addr address(const char *ip)
{
	struct weft_addr a;

	ck_assert_int_eq(addr_parse(ip, &a), 0);
	return a;
}

static int set(const char *ip, enum plane_health health)
{
	struct weft_addr a = address(ip);

	return plane_set_health(mesh.plane, "s", &a, 80, health);
}

static int get(const char *ip)
{
	struct weft_addr a = address(ip);

	return plane_get_health(mesh.plane, "s", &a, 80);
}

static const struct weft_bstate *state(const char *ip)
{
	return endpoint_state(&mesh, "s", ip, 80);
}

static struct weft_sstate *service_state(void)
{
	const struct weft_backend *b = &mesh.maps->backends[endpoint_id(&mesh, "s", "127.0.0.1", 80)];

	return &mesh.maps->sstate[b->service];
}

/* 127.0.0.1 and 127.0.0.2, of different priority. */
static void given_s(bool checked)
{
	struct service *s = given_service(&mesh, "s", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_ROUND_ROBIN);

	given_endpoint(s, "127.0.0.1", 80);
	given_endpoint(s, "127.0.0.2", 80);
	s->endpoints[1].priority = 1;
	s->panic_percent = 0;
	if (checked)
		s->check.type = HEALTH_TCP;
	publish_all(&mesh);
}

START_TEST(a_new_endpoint_waits_for_its_first_success)
{
	given_s(true);
	ck_assert(get("127.0.0.1") == 0 && get("127.0.0.2") == 0);
	ck_assert(service_state()->unavailable[0] == 1 && service_state()->unavailable[1] == 1);
	ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
	ck_assert_int_eq(set("127.0.0.1", PLANE_PASSED), PLANE_HEALTH_CHANGED);
	ck_assert_int_eq(set("127.0.0.1", PLANE_PASSED), PLANE_HEALTH_SAME);
	ck_assert(get("127.0.0.1") == 1 && state("127.0.0.1")->out == 0);
	ck_assert(service_state()->unavailable[0] == 0 && service_state()->unavailable[1] == 1);
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(what_comes_back_starts_slowly)
{
	given_s(true);
	set("127.0.0.1", PLANE_PASSED);
	ck_assert_int_eq(set("127.0.0.1", PLANE_UNHEALTHY), PLANE_HEALTH_CHANGED);
	ck_assert_int_eq(set("127.0.0.1", PLANE_UNHEALTHY), PLANE_HEALTH_SAME);
	ck_assert_uint_eq(service_state()->unavailable[0], 1);
	usleep(2000);
	ck_assert_int_eq(set("127.0.0.1", PLANE_HEALTHY), PLANE_HEALTH_CHANGED);
	ck_assert(now_ms() - state("127.0.0.1")->since_ns / 1000000 < 1000);
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(a_check_that_passes_ends_an_ejection)
{
	const struct weft_outlier_rule rule = { 1, 60000, 60000, 100, 10000, 2 };
	struct weft_bstate *b;
	uint32_t id;

	given_s(true);
	set("127.0.0.1", PLANE_PASSED);
	id = endpoint_id(&mesh, "s", "127.0.0.1", 80);
	b = &mesh.maps->bstate[id];
	ck_assert_int_eq(weft_outlier_failure(b, service_state(), maps_unavailable(mesh.maps, id), &rule,
					      WEFT_CAUSE_REFUSED, now_ms() * 1000000),
			 WEFT_OUTLIER_EJECTED);
	ck_assert_uint_eq(service_state()->ejected, 1);
	ck_assert_int_eq(set("127.0.0.1", PLANE_HEALTHY), PLANE_HEALTH_SAME); /* this check failed */
	ck_assert_uint_eq(b->out, WEFT_OUT_EJECTED);
	ck_assert_int_eq(set("127.0.0.1", PLANE_PASSED), PLANE_HEALTH_UNEJECTED);
	ck_assert(!b->out && !b->ejected_until_ns && !b->failures_in_row && !service_state()->ejected);
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(a_check_that_goes_leaves_nothing)
{
	given_s(true);
	ck_assert_uint_eq(state("127.0.0.2")->out, WEFT_OUT_UNHEALTHY);
	given_s(false);
	ck_assert(get("127.0.0.1") == 1 && get("127.0.0.2") == 1);
	given_s(true); /* endpoints in use go on */
	ck_assert(get("127.0.0.1") == 1 && get("127.0.0.2") == 1);
	expect_counters(mesh.maps);
}
END_TEST

START_TEST(what_is_not_there)
{
	struct weft_addr a = address("127.0.0.1");

	given_s(true);
	ck_assert_int_eq(set("127.0.0.3", PLANE_PASSED), -ENOENT);
	ck_assert_int_eq(get("127.0.0.3"), -ENOENT);
	ck_assert_int_eq(plane_set_health(mesh.plane, "s", &a, 81, PLANE_PASSED), -ENOENT);
	ck_assert_int_eq(plane_set_health(mesh.plane, "t", &a, 80, PLANE_PASSED), -ENOENT);
	ck_assert_int_eq(plane_set_health(mesh.plane, "", &a, 80, PLANE_PASSED), -ENOENT);
}
END_TEST

/* Nothing listens at the service's own address: a marked socket finds that out, the others get an endpoint. */
START_TEST(a_marked_socket_passes)
{
	const struct listener l[] = { { .ip = "127.0.0.1", .port = 80, .proto = IPPROTO_TCP } };
	struct service *s;
	int fd;

	given_servers(l, 1);
	s = given_service(&mesh, "s", IPPROTO_TCP, "127.0.0.9", 80, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.1", 80);
	publish_all(&mesh);
	mark(&mesh);
	fd = sock_tcp("127.0.0.9");
	ck_assert_int_eq(plane_pass_socket(mesh.plane, fd), 0);
	ck_assert_int_eq(sock_connect(fd, "127.0.0.9", 80), -ECONNREFUSED);
	close(fd);
	fd = sock_tcp("127.0.0.1");
	ck_assert_int_eq(plane_pass_socket(mesh.plane, fd), 0);
	ck_assert_int_eq(sock_connect(fd, "127.0.0.1", 80), 0);
	close(fd);
	ck_assert_uint_eq(state("127.0.0.1")->opened, 0);
	for (int r = 0; r < WEFT_R_MAX; r++)
		ck_assert_msg(!happened(&mesh, (enum weft_reason)r), "reason %d was counted", r);
	expect_nothing_active(&mesh, 1000);
	ck_assert_int_eq(plane_pass_socket(mesh.plane, -1), -EBADF);
}
END_TEST

static Suite *health_suite(void)
{
	Suite *s = suite_create("health");
	TCase *t = suite_case(s, "health", 30);

	tcase_add_test(t, a_new_endpoint_waits_for_its_first_success);
	tcase_add_test(t, what_comes_back_starts_slowly);
	tcase_add_test(t, a_check_that_passes_ends_an_ejection);
	tcase_add_test(t, a_check_that_goes_leaves_nothing);
	tcase_add_test(t, what_is_not_there);
	tcase_add_test(t, a_marked_socket_passes);
	return s;
}

int main(void)
{
	return suite_main("health", health_suite);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Rows of weft_edges: what they say stays true, in sum, when callers and endpoints go. */
#include "harness.h"

#define VIP "10.99.0.1"

static void connect_times(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd = tcp_to(VIP, 80);

		ck_assert_int_ge(fd, 0);
		sock_greeting(fd);
		close(fd);
	}
}

static void given_web(const char *first, const char *second)
{
	struct service *s = given_service(&mesh, "web", IPPROTO_TCP, VIP, 80, WEFT_LB_ROUND_ROBIN);

	if (first)
		given_endpoint(s, first, 8080);
	if (second)
		given_endpoint(s, second, 8080);
	publish_all(&mesh);
}

static void given_two_servers(void)
{
	static const struct listener l[] = { TCP_AT("127.0.0.2", 8080), TCP_AT("127.0.0.3", 8080) };

	given_servers(l, 2);
}

static int count_row(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	*(unsigned *)ctx += 1;
	return 0;
}

static unsigned rows(void)
{
	unsigned n = 0;

	ck_assert_int_eq(maps_each_edge(mesh.maps, count_row, &n), 0);
	return n;
}

static void expect_totals(uint64_t opened)
{
	struct weft_edge sum;

	ck_assert(WITHIN(2000, edges_total(&mesh).closed == opened));
	sum = edges_total(&mesh);
	ck_assert_uint_eq(sum.opened, opened);
	ck_assert_uint_eq(sum.established, opened);
}

START_TEST(totals_outlive_endpoints)
{
	given_two_servers();
	given_web("127.0.0.2", "127.0.0.3");
	connect_times(10);
	expect_totals(10);
	ck_assert_uint_eq(rows(), 2);
	given_web("127.0.0.3", NULL);
	ck_assert(WITHIN(5000, plane_reclaim(mesh.plane) == 0));
	ck_assert_uint_eq(endpoint_id(&mesh, "web", "127.0.0.2", 8080), 0);
	expect_totals(10);
	connect_times(5);
	given_web("127.0.0.2", NULL);
	ck_assert(WITHIN(5000, plane_reclaim(mesh.plane) == 0));
	connect_times(5);
	expect_totals(20);
	ck_assert_uint_eq(rows(), 2); /* of those removed, and of the one that is there */
}
END_TEST

START_TEST(rows_go_with_their_service)
{
	given_two_servers();
	given_web("127.0.0.2", "127.0.0.3");
	connect_times(4);
	expect_totals(4);
	given_web("127.0.0.2", NULL);
	ck_assert(WITHIN(5000, plane_reclaim(mesh.plane) == 0));
	publish_all(&mesh);
	ck_assert(WITHIN(5000, plane_reclaim(mesh.plane) == 0));
	ck_assert_uint_eq(rows(), 0);
}
END_TEST

static bool gone(void *ctx, uint64_t caller)
{
	return caller != *(uint64_t *)ctx;
}

START_TEST(totals_outlive_callers)
{
	uint64_t nobody = 0;
	unsigned folded = 0;

	plane_set_callers(mesh.plane, true);
	given_two_servers();
	given_web("127.0.0.2", NULL);
	connect_times(3);
	expect_totals(3);
	ck_assert_int_eq(plane_fold_callers(mesh.plane, gone, &nobody, &folded), 0);
	ck_assert_uint_eq(folded, 1);
	connect_times(2);
	expect_totals(5); /* a cgroup that is gone has no connection that could still end */
	ck_assert_int_eq(plane_fold_callers(mesh.plane, gone, &nobody, &folded), 0);
	ck_assert_uint_eq(folded, 1);
	ck_assert_uint_eq(rows(), 1);
	expect_totals(5);
}
END_TEST

static Suite *edges_suite(void)
{
	Suite *s = suite_create("edges");
	TCase *c = suite_case(s, "edges", 30);

	tcase_add_test(c, totals_outlive_endpoints);
	tcase_add_test(c, rows_go_with_their_service);
	tcase_add_test(c, totals_outlive_callers);
	return s;
}

int main(void)
{
	return suite_main("edges", edges_suite);
}

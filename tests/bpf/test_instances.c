/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Several instances on one machine: side by side, and one inside the cgroup of another. */
#include "harness.h"

#include <errno.h>
#include <sys/wait.h>

static struct mesh other;

static void given_other(const struct mesh *parent)
{
	mesh_up(&other, parent ? "inner" : "other", parent);
	mark(&other);
}

static void given_web(struct mesh *m, const char *vip, const char *ip)
{
	given_endpoint(given_service(m, "web", IPPROTO_TCP, vip, 80, WEFT_LB_RANDOM), ip, 8080);
	publish_all(m);
	mark(m);
}

static void given_two_servers(void)
{
	static const struct listener l[] = { TCP_AT("127.0.0.2", 8080), TCP_AT("127.0.0.3", 8080) };

	given_servers(l, 2);
}

/* What a client in the cgroup of @m meets. */
static void expect_served_in(const struct mesh *m, const char *vip, const char *served_by)
{
	char peer[NAME_LEN];
	int fd;

	mesh_join(m);
	fd = tcp_to(vip, 80);
	ck_assert_msg(fd >= 0, "%s: %s", vip, strerror(-fd));
	expect_connected_to(fd, served_by);
	snprintf(peer, sizeof(peer), "%s:80", vip);
	expect_peer(fd, peer);
	close(fd);
}

START_TEST(two_instances_do_not_see_each_other)
{
	given_two_servers();
	given_other(NULL);
	given_web(&mesh, "10.99.0.1", "127.0.0.2");
	given_web(&other, "10.99.0.1", "127.0.0.3");
	expect_served_in(&mesh, "10.99.0.1", "127.0.0.2:8080");
	expect_served_in(&other, "10.99.0.1", "127.0.0.3:8080");
	expect_reason(&mesh, WEFT_R_FORWARDED, 1);
	expect_reason(&other, WEFT_R_FORWARDED, 1);
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 0);
	expect_reason(&other, WEFT_R_NO_SERVICE, 0);
	/* One changes, one goes; the other stays as it was. */
	publish_all(&other);
	ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ENETUNREACH);
	expect_served_in(&mesh, "10.99.0.1", "127.0.0.2:8080");
	mesh_down(&other);
	expect_served_in(&mesh, "10.99.0.1", "127.0.0.2:8080");
	expect_nothing_active(&mesh, 2000);
}
END_TEST

/*
 * The inner instance's programs run first. What it knows it decides; the outer one then sees the endpoint's address,
 * which is no service of its own. What the inner one does not know, the outer one decides.
 */
START_TEST(the_inner_instance_decides_first)
{
	given_two_servers();
	given_other(&mesh);
	given_web(&mesh, "10.99.0.1", "127.0.0.2");
	given_endpoint(given_service(&mesh, "web", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_RANDOM), "127.0.0.2", 8080);
	given_endpoint(given_service(&mesh, "shop", IPPROTO_TCP, "10.99.0.2", 80, WEFT_LB_RANDOM), "127.0.0.2", 8080);
	publish_all(&mesh);
	given_web(&other, "10.99.0.1", "127.0.0.3");
	expect_served_in(&other, "10.99.0.1", "127.0.0.3:8080");
	expect_reason(&other, WEFT_R_FORWARDED, 1);
	expect_reason(&mesh, WEFT_R_FORWARDED, 0);
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 1);
	expect_served_in(&other, "10.99.0.2", "127.0.0.2:8080");
	expect_reason(&other, WEFT_R_NO_SERVICE, 1);
	expect_reason(&mesh, WEFT_R_FORWARDED, 1);
	/* Outside the inner cgroup only the outer instance counts. */
	expect_served_in(&mesh, "10.99.0.1", "127.0.0.2:8080");
	expect_reason(&other, WEFT_R_FORWARDED, 1);
	expect_nothing_active(&mesh, 2000);
	expect_nothing_active(&other, 2000);
	expect_audit_clean(&mesh);
	expect_audit_clean(&other);
	mesh_join(&mesh);
	mesh_down(&other);
}
END_TEST

START_TEST(a_refusal_by_either_instance_stands)
{
	given_two_servers();
	given_other(&mesh);
	given_web(&mesh, "10.99.0.1", "127.0.0.2");
	given_service(&other, "web", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_RANDOM);
	publish_all(&other);
	mesh_join(&other);
	ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
	/* The outer one had chosen by then; its endpoint is let go of all the same. */
	expect_nothing_active(&mesh, 2000);
	expect_nothing_active(&other, 2000);
	publish_all(&other);
	given_service(&mesh, "web", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_RANDOM);
	publish_all(&mesh);
	ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
	mesh_join(&mesh);
	mesh_down(&other);
}
END_TEST

START_TEST(one_writer_for_each_instance)
{
	struct plane_options o = {
		.bpffs = "/sys/fs/bpf", .instance = mesh.name, .cgroup = mesh.cgroup, .lock_dir = "/run/weft"
	};
	enum plane_opened how;
	struct plane_error err = {};
	struct plane *p = NULL;

	ck_assert_int_eq(plane_open(&o, &p, &how, &err), -EBUSY);
	ck_assert_ptr_null(p);
	ck_assert_uint_gt(strlen(err.text), 0);
}
END_TEST

static Suite *instances_suite(void)
{
	Suite *s = suite_create("instances");
	TCase *c = suite_case(s, "instances", 30);

	tcase_add_test(c, two_instances_do_not_see_each_other);
	tcase_add_test(c, the_inner_instance_decides_first);
	tcase_add_test(c, a_refusal_by_either_instance_stands);
	tcase_add_test(c, one_writer_for_each_instance);
	return s;
}

int main(void)
{
	return suite_main("instances", instances_suite);
}

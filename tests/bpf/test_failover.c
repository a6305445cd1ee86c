/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Failover inside connect(): what an application sees, and what the books say afterwards, on lo. */
#include "link_net.h"

#include <errno.h>

/* A service whose endpoints are tried in the order of @ips, and which ejects nobody. */
static struct service *given_ranked(const char *vip, const char *const *ips, size_t n, uint16_t port)
{
	struct service *s = given_service(&mesh, vip, IPPROTO_TCP, vip, 80, WEFT_LB_LEAST_REQUEST);

	s->failover = true;
	s->ejection.on = false;
	s->panic_percent = 0;
	for (size_t i = 0; i < n; i++) {
		given_endpoint(s, ips[i], port);
		s->endpoints[i].priority = (uint8_t)i;
	}
	return s;
}
#define RANKED(vip, port, ...)                                                                                         \
	given_ranked(vip, (const char *const[]){ __VA_ARGS__ },                                                        \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), port)

static void expect_quiet(void)
{
	expect_nothing_active(&mesh, 2000);
	expect_audit_clean(&mesh);
}

START_TEST(a_refusal_is_not_seen)
{
	const struct listener l[] = { TCP_AT("127.0.0.3", 8080) };
	int fd;

	attach(LO);
	RANKED("10.99.0.1", 8080, "127.0.0.2", "127.0.0.3");
	publish_all(&mesh);
	given_servers(l, 1);
	mark(&mesh);
	fd = tcp_to("10.99.0.1", 80);
	ck_assert_msg(fd >= 0, "%s", strerror(-fd));
	expect_connected_to(fd, "127.0.0.3:8080");
	expect_peer(fd, "10.99.0.1:80");
	expect_reason(&mesh, WEFT_R_MOVED_REFUSED, 1);
	expect_active(&mesh, "127.0.0.2", 8080, 0);
	expect_active(&mesh, "127.0.0.3", 8080, 1);
	close(fd);
	expect_quiet();
}
END_TEST

START_TEST(silence_is_not_waited_for)
{
	const struct listener l[] = { TCP_AT("127.0.0.3", 8080) };
	uint64_t t;
	int fd;

	attach(LO);
	given_deaf("127.0.0.2", 8080);
	RANKED("10.99.0.1", 8080, "127.0.0.2", "127.0.0.3");
	publish_all(&mesh);
	given_servers(l, 1);
	mark(&mesh);
	t = now_ms();
	fd = tcp_to("10.99.0.1", 80);
	ck_assert_msg(fd >= 0, "%s", strerror(-fd));
	ck_assert_uint_lt(now_ms() - t, 500);
	expect_connected_to(fd, "127.0.0.3:8080");
	expect_reason(&mesh, WEFT_R_MOVED_SILENT, 1);
	expect_active(&mesh, "127.0.0.2", 8080, 0);
	expect_active(&mesh, "127.0.0.3", 8080, 1);
	close(fd);
	expect_quiet();
}
END_TEST

static Suite *failover_suite(void)
{
	Suite *s = suite_create("failover");
	TCase *c = suite_case(s, "loopback", 30);

	tcase_add_test(c, a_refusal_is_not_seen);
	tcase_add_test(c, silence_is_not_waited_for);
	return s;
}

int main(void)
{
	return suite_main("failover", failover_suite);
}

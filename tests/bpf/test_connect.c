/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* connect(): TCP and connected UDP, both families, what the application gets and what it sees afterwards. */
#include "harness.h"

#include <errno.h>

#define MPTCP_PROTO 262

static const struct listener listeners[] = {
	TCP_AT("127.0.0.2", 8080), TCP_AT("127.0.0.3", 8080), TCP_AT("127.0.0.4", 8080), UDP_AT("127.0.0.2", 5353),
	UDP_AT("127.0.0.3", 5353), UDP_AT("127.0.0.4", 5353), TCP_AT("fd77::2", 8080),	 TCP_AT("fd77::3", 8080),
	UDP_AT("fd77::2", 5353),   UDP_AT("fd77::3", 5353),   TCP_AT("127.0.0.5", 9000), UDP_AT("127.0.0.5", 9000),
};

static void given_web_and_dns(void)
{
	struct service *s;

	given_servers(listeners, sizeof(listeners) / sizeof(listeners[0]));
	s = given_service(&mesh, "web", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.2", 8080);
	s = given_service(&mesh, "web6", IPPROTO_TCP, "fd99::1", 80, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "fd77::2", 8080);
	s = given_service(&mesh, "dns", IPPROTO_UDP, "10.99.0.53", 53, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.2", 5353);
	s = given_service(&mesh, "dns6", IPPROTO_UDP, "fd99::53", 53, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "fd77::2", 5353);
	s = given_service(&mesh, "time", IPPROTO_UDP, "10.99.0.123", 123, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.3", 5353);
	/* Another service behind the same endpoint. */
	s = given_service(&mesh, "shop", IPPROTO_TCP, "10.99.0.2", 80, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.2", 8080);
	given_service(&mesh, "empty", IPPROTO_TCP, "10.99.0.9", 80, WEFT_LB_ROUND_ROBIN);
	given_service(&mesh, "empty6", IPPROTO_TCP, "fd99::9", 80, WEFT_LB_ROUND_ROBIN);
	given_service(&mesh, "emptydns", IPPROTO_UDP, "10.99.0.9", 53, WEFT_LB_ROUND_ROBIN);
	s = given_service(&mesh, "dead", IPPROTO_TCP, "10.99.0.10", 80, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.99", 8080);
	publish_all(&mesh);
	mark(&mesh);
}

static const struct way {
	const char *vip;
	uint16_t port;
	bool udp;
	const char *served_by, *peer;
} ways[] = {
	{ "10.99.0.1", 80, false, "127.0.0.2:8080", "10.99.0.1:80" },
	{ "fd99::1", 80, false, "[fd77::2]:8080", "[fd99::1]:80" },
	{ "::ffff:10.99.0.1", 80, false, "127.0.0.2:8080", "[::ffff:10.99.0.1]:80" },
	{ "10.99.0.53", 53, true, "127.0.0.2:5353", "10.99.0.53:53" },
	{ "fd99::53", 53, true, "[fd77::2]:5353", "[fd99::53]:53" },
	{ "::ffff:10.99.0.53", 53, true, "127.0.0.2:5353", "[::ffff:10.99.0.53]:53" },
};
#define NR_WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

START_TEST(connects_to_the_endpoint_and_sees_the_service)
{
	const struct way *w = &ways[_i];
	char name[NAME_LEN];
	int fd;

	given_web_and_dns();
	fd = w->udp ? udp_to(w->vip, w->port) : tcp_to(w->vip, w->port);
	ck_assert_msg(fd >= 0, "%s: %s", w->vip, strerror(-fd));
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 0);
	snprintf(name, sizeof(name), "%s", sock_name(fd));
	expect_connected_to(fd, w->served_by);
	expect_peer(fd, w->peer);
	/* Our own end has the address that routing gave it. */
	ck_assert_str_eq(sock_name(fd), name);
	ck_assert(strstr(name, "10.99") == NULL && strstr(name, "fd99") == NULL && !strstr(name, "]:0"));
	expect_reason(&mesh, WEFT_R_FORWARDED, 1);
	ck_assert_uint_eq(active_total(&mesh), 1);
	expect_audit_clean(&mesh);
	close(fd);
	expect_nothing_active(&mesh, 2000);
	expect_reason(&mesh, WEFT_R_CLOSED, 1);
}
END_TEST

START_TEST(v6only_socket_reaches_a_v6_service)
{
	int fd, on = 1;

	given_web_and_dns();
	fd = sock_tcp("fd99::1");
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	ck_assert_int_eq(sock_connect(fd, "fd99::1", 80), 0);
	expect_connected_to(fd, "[fd77::2]:8080");
	expect_peer(fd, "[fd99::1]:80");
	close(fd);
}
END_TEST

START_TEST(nonblocking_connect)
{
	int fd;

	given_web_and_dns();
	fd = tcp_start("10.99.0.1", 80);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tcp_finish(fd, 2000), 0);
	expect_connected_to(fd, "127.0.0.2:8080");
	expect_peer(fd, "10.99.0.1:80");
	close(fd);
}
END_TEST

START_TEST(no_service_passes_untouched)
{
	int fd;

	given_web_and_dns();
	fd = tcp_to("127.0.0.5", 9000);
	ck_assert_int_ge(fd, 0);
	expect_connected_to(fd, "127.0.0.5:9000");
	expect_peer(fd, "127.0.0.5:9000");
	close(fd);
	fd = udp_to("127.0.0.5", 9000);
	expect_connected_to(fd, "127.0.0.5:9000");
	expect_peer(fd, "127.0.0.5:9000");
	close(fd);
	fd = tcp_to("::ffff:127.0.0.5", 9000);
	expect_connected_to(fd, "127.0.0.5:9000");
	expect_peer(fd, "[::ffff:127.0.0.5]:9000");
	close(fd);
	fd = tcp_to("fd77::3", 8080);
	expect_connected_to(fd, "[fd77::3]:8080");
	expect_peer(fd, "[fd77::3]:8080");
	close(fd);
	/* One look-up each, and nothing else. */
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 4);
	expect_reason(&mesh, WEFT_R_FORWARDED, 0);
	expect_reason(&mesh, WEFT_R_CLOSED, 0);
}
END_TEST

START_TEST(another_port_or_protocol_of_a_service_address_is_no_service)
{
	int fd;

	given_web_and_dns();
	/* The namespace has no route there: the kernel's own answer. */
	ck_assert_int_eq(tcp_to("10.99.0.1", 81), -ENETUNREACH);
	ck_assert_int_eq(tcp_to("10.99.0.53", 53), -ENETUNREACH);
	fd = udp_to("10.99.0.1", 80);
	ck_assert_int_eq(fd, -ENETUNREACH);
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 3);
	expect_reason(&mesh, WEFT_R_FORWARDED, 0);
}
END_TEST

START_TEST(service_without_endpoint_refuses)
{
	given_web_and_dns();
	ck_assert_int_eq(tcp_to("10.99.0.9", 80), -ECONNREFUSED);
	ck_assert_int_eq(tcp_to("fd99::9", 80), -ECONNREFUSED);
	ck_assert_int_eq(tcp_to("::ffff:10.99.0.9", 80), -ECONNREFUSED);
	ck_assert_int_eq(udp_to("10.99.0.9", 53), -ECONNREFUSED);
	ck_assert_int_eq(tcp_start("10.99.0.9", 80), -ECONNREFUSED);
	expect_reason(&mesh, WEFT_R_NO_BACKEND, 5);
	expect_reason(&mesh, WEFT_R_FORWARDED, 0);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

START_TEST(refused_by_the_endpoint_then_connected_elsewhere)
{
	int fd;

	given_web_and_dns();
	fd = sock_tcp("10.99.0.10");
	ck_assert_int_eq(sock_connect(fd, "10.99.0.10", 80), -ECONNREFUSED);
	expect_reason(&mesh, WEFT_R_REFUSED, 1);
	expect_active(&mesh, "127.0.0.99", 8080, 0);
	ck_assert_uint_eq(endpoint_state(&mesh, "dead", "127.0.0.99", 8080)->failures_in_row, 1);
	/* The same socket again. */
	ck_assert_int_eq(sock_connect(fd, "10.99.0.1", 80), 0);
	expect_connected_to(fd, "127.0.0.2:8080");
	expect_peer(fd, "10.99.0.1:80");
	close(fd);
	expect_nothing_active(&mesh, 2000);
}
END_TEST

START_TEST(udp_connects_again_to_another_service)
{
	int fd;

	given_web_and_dns();
	fd = udp_to("10.99.0.53", 53);
	expect_connected_to(fd, "127.0.0.2:5353");
	ck_assert_int_eq(sock_connect(fd, "10.99.0.123", 123), 0);
	expect_connected_to(fd, "127.0.0.3:5353");
	expect_peer(fd, "10.99.0.123:123");
	expect_active(&mesh, "127.0.0.2", 5353, 0);
	expect_active(&mesh, "127.0.0.3", 5353, 1);
	expect_reason(&mesh, WEFT_R_RECONNECTED, 1);
	/* And back. */
	ck_assert_int_eq(sock_connect(fd, "10.99.0.53", 53), 0);
	expect_connected_to(fd, "127.0.0.2:5353");
	expect_peer(fd, "10.99.0.53:53");
	close(fd);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

START_TEST(udp_connects_again_to_no_service)
{
	int fd;

	given_web_and_dns();
	fd = udp_to("10.99.0.53", 53);
	expect_connected_to(fd, "127.0.0.2:5353");
	ck_assert_int_eq(sock_connect(fd, "127.0.0.5", 9000), 0);
	expect_connected_to(fd, "127.0.0.5:9000");
	expect_peer(fd, "127.0.0.5:9000");
	expect_nothing_active(&mesh, 1000);
	/* Straight to the very endpoint: that is what the application asked for, and what it sees. */
	ck_assert_int_eq(sock_connect(fd, "127.0.0.2", 5353), 0);
	expect_connected_to(fd, "127.0.0.2:5353");
	expect_peer(fd, "127.0.0.2:5353");
	close(fd);
}
END_TEST

START_TEST(udp_disconnects)
{
	struct answer a;
	int fd;

	given_web_and_dns();
	fd = udp_to("10.99.0.53", 53);
	expect_connected_to(fd, "127.0.0.2:5353");
	ck_assert_int_eq(sock_disconnect(fd), 0);
	ck_assert_str_eq(sock_peer(fd), "");
	ck_assert_int_eq(udp_ask(fd, "10.99.0.123", 123, "now", &a), 0);
	ck_assert_str_eq(a.source, "10.99.0.123:123");
	ck_assert_str_eq(a.served_by, "127.0.0.3:5353");
	ck_assert_int_eq(sock_connect(fd, "10.99.0.53", 53), 0);
	expect_connected_to(fd, "127.0.0.2:5353");
	expect_peer(fd, "10.99.0.53:53");
	close(fd);
	expect_nothing_active(&mesh, 1000);
	expect_audit_clean(&mesh);
}
END_TEST

START_TEST(tcp_disconnects_and_connects_again)
{
	int fd;

	given_web_and_dns();
	fd = tcp_to("10.99.0.1", 80);
	expect_connected_to(fd, "127.0.0.2:8080");
	ck_assert_int_eq(sock_disconnect(fd), 0);
	expect_active(&mesh, "127.0.0.2", 8080, 0);
	ck_assert_int_eq(sock_connect(fd, "10.99.0.2", 80), 0);
	expect_connected_to(fd, "127.0.0.2:8080");
	expect_peer(fd, "10.99.0.2:80");
	close(fd);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

START_TEST(connected_udp_sends_to_its_own_service_by_name)
{
	struct answer a;
	struct service *s;
	int fd;

	given_servers(listeners, sizeof(listeners) / sizeof(listeners[0]));
	s = given_service(&mesh, "dns", IPPROTO_UDP, "10.99.0.53", 53, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, "127.0.0.2", 5353);
	given_endpoint(s, "127.0.0.3", 5353);
	given_endpoint(s, "127.0.0.4", 5353);
	publish_all(&mesh);
	for (int i = 0; i < 6; i++) {
		char connected[NAME_LEN];

		fd = udp_to("10.99.0.53", 53);
		snprintf(connected, sizeof(connected), "%s", sock_greeting(fd));
		/* A connected socket hears only its peer: a datagram to the same address must reach the same endpoint.
		 */
		ck_assert_int_eq(udp_ask(fd, "10.99.0.53", 53, "again", &a), 0);
		ck_assert_str_eq(a.served_by, connected);
		ck_assert_str_eq(a.source, "10.99.0.53:53");
		close(fd);
	}
}
END_TEST

START_TEST(two_services_behind_one_endpoint_are_told_apart)
{
	int web, shop;

	given_web_and_dns();
	web = tcp_to("10.99.0.1", 80);
	shop = tcp_to("10.99.0.2", 80);
	expect_connected_to(web, "127.0.0.2:8080");
	expect_connected_to(shop, "127.0.0.2:8080");
	expect_peer(web, "10.99.0.1:80");
	expect_peer(shop, "10.99.0.2:80");
	ck_assert_uint_eq(endpoint_state(&mesh, "web", "127.0.0.2", 8080)->active, 1);
	ck_assert_uint_eq(endpoint_state(&mesh, "shop", "127.0.0.2", 8080)->active, 1);
	close(web);
	close(shop);
}
END_TEST

START_TEST(fast_open_with_the_first_bytes)
{
	struct sockaddr_storage a;
	socklen_t len = sock_parse("10.99.0.1", 80, &a);
	int fd;

	given_web_and_dns();
	/* The first one fetches a cookie, the second one uses it. */
	for (int i = 0; i < 2; i++) {
		fd = sock_tcp("10.99.0.1");
		ck_assert_int_eq(sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&a, len), 5);
		expect_connected_to(fd, "127.0.0.2:8080");
		expect_peer(fd, "10.99.0.1:80");
		close(fd);
	}
	expect_reason(&mesh, WEFT_R_FORWARDED, 2);
	expect_nothing_active(&mesh, 2000);
	expect_reason(&mesh, WEFT_R_CLOSED, 2);
}
END_TEST

/* Kernels differ in whether the connect hook sees MPTCP; either way the application reaches what it asked for or hears
 * the truth. */
START_TEST(mptcp_socket_is_either_served_or_untouched)
{
	int fd, r;

	given_web_and_dns();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP_PROTO);
	if (fd < 0)
		return;
	r = sock_connect(fd, "10.99.0.1", 80);
	if (r) {
		ck_assert_int_eq(r, -ENETUNREACH);
	} else {
		expect_connected_to(fd, "127.0.0.2:8080");
		expect_peer(fd, "10.99.0.1:80");
	}
	close(fd);
	expect_nothing_active(&mesh, 2000);
}
END_TEST

static Suite *connect_suite(void)
{
	Suite *s = suite_create("connect");
	TCase *c = suite_case(s, "connect", 20);

	tcase_add_loop_test(c, connects_to_the_endpoint_and_sees_the_service, 0, NR_WAYS);
	tcase_add_test(c, v6only_socket_reaches_a_v6_service);
	tcase_add_test(c, nonblocking_connect);
	tcase_add_test(c, no_service_passes_untouched);
	tcase_add_test(c, another_port_or_protocol_of_a_service_address_is_no_service);
	tcase_add_test(c, service_without_endpoint_refuses);
	tcase_add_test(c, refused_by_the_endpoint_then_connected_elsewhere);
	tcase_add_test(c, udp_connects_again_to_another_service);
	tcase_add_test(c, udp_connects_again_to_no_service);
	tcase_add_test(c, udp_disconnects);
	tcase_add_test(c, tcp_disconnects_and_connects_again);
	tcase_add_test(c, connected_udp_sends_to_its_own_service_by_name);
	tcase_add_test(c, two_services_behind_one_endpoint_are_told_apart);
	tcase_add_test(c, fast_open_with_the_first_bytes);
	tcase_add_test(c, mptcp_socket_is_either_served_or_untouched);
	return s;
}

int main(void)
{
	return suite_main("connect", connect_suite);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Unconnected UDP: answers come from the address that was asked, whatever the socket does besides. */
#include "harness.h"

#include <errno.h>

static void given_dns_servers(void)
{
	static struct listener l[40];
	static char ip[40][16];

	for (size_t i = 0; i < 40; i++) {
		snprintf(ip[i], sizeof(ip[i]), "127.0.1.%zu", i + 1);
		l[i] = (struct listener)UDP_AT(ip[i], 5353);
	}
	/* 127.0.1.1 to .37, and three more. */
	l[37] = (struct listener)UDP_AT("fd77::2", 5353);
	l[38] = (struct listener)UDP_AT("fd77::3", 5353);
	l[39] = (struct listener)UDP_AT("127.0.0.5", 9000);
	given_servers(l, 40);
}

static struct service *given_dns(const char *name, const char *vip)
{
	return given_service(&mesh, name, IPPROTO_UDP, vip, 53, WEFT_LB_ROUND_ROBIN);
}

static void expect_answer(int fd, const char *vip, const char *from, const char *served_by)
{
	static unsigned serial;
	struct answer a;
	char word[16];
	int r;

	snprintf(word, sizeof(word), "q%u", serial++);
	r = udp_ask(fd, vip, 53, word, &a);
	ck_assert_msg(r == 0, "%s: %s", vip, strerror(-r));
	ck_assert_str_eq(a.source, from);
	if (served_by)
		ck_assert_str_eq(a.served_by, served_by);
}

static const struct way {
	const char *vip, *from, *served_by;
} ways[] = {
	{ "10.99.0.53", "10.99.0.53:53", "127.0.1.1:5353" },
	{ "fd99::53", "[fd99::53]:53", "[fd77::2]:5353" },
	{ "::ffff:10.99.0.53", "[::ffff:10.99.0.53]:53", "127.0.1.1:5353" },
};

START_TEST(answers_come_from_the_service)
{
	const struct way *w = &ways[_i];
	int fd;

	given_dns_servers();
	given_endpoint(given_dns("dns", "10.99.0.53"), "127.0.1.1", 5353);
	given_endpoint(given_dns("dns6", "fd99::53"), "fd77::2", 5353);
	publish_all(&mesh);
	mark(&mesh);
	fd = sock_udp(w->vip);
	for (int i = 0; i < 3; i++)
		expect_answer(fd, w->vip, w->from, w->served_by);
	expect_reason(&mesh, WEFT_R_FORWARDED, 1);
	expect_reason(&mesh, WEFT_R_STICKY, 2);
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 0);
	close(fd);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

START_TEST(sendmsg_and_recvmmsg_see_the_service)
{
	struct sockaddr_storage to, from[4];
	socklen_t len = sock_parse("10.99.0.53", 53, &to);
	struct iovec out = { .iov_base = (char *)"word", .iov_len = 4 }, in[4];
	struct msghdr m = { .msg_name = &to, .msg_namelen = len, .msg_iov = &out, .msg_iovlen = 1 };
	struct mmsghdr batch[4] = {};
	char buf[4][128], text[NAME_LEN];
	int fd, got = 0;

	given_dns_servers();
	given_endpoint(given_dns("dns", "10.99.0.53"), "127.0.1.1", 5353);
	publish_all(&mesh);
	fd = sock_udp("10.99.0.53");
	for (int i = 0; i < 4; i++) {
		batch[i].msg_hdr = m;
		m.msg_name = &to;
	}
	ck_assert_int_eq(sendmmsg(fd, batch, 4, 0), 4);
	for (int i = 0; i < 4; i++) {
		in[i] = (struct iovec){ .iov_base = buf[i], .iov_len = sizeof(buf[i]) };
		batch[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &in[i], .msg_iovlen = 1
		};
	}
	while (got < 4) {
		int n = recvmmsg(fd, batch + got, (unsigned)(4 - got), MSG_WAITFORONE, NULL);

		ck_assert_int_gt(n, 0);
		got += n;
	}
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(sock_format(&from[i], text), "10.99.0.53:53");
	/* The caller's own structure keeps what it asked for. */
	ck_assert_str_eq(sock_format(&to, text), "10.99.0.53:53");
	close(fd);
}
END_TEST

START_TEST(a_socket_keeps_its_endpoint_and_sockets_spread)
{
	unsigned seen[3] = {};
	struct service *s;

	given_dns_servers();
	s = given_dns("dns", "10.99.0.53");
	given_endpoint(s, "127.0.1.1", 5353);
	given_endpoint(s, "127.0.1.2", 5353);
	given_endpoint(s, "127.0.1.3", 5353);
	publish_all(&mesh);
	for (int i = 0; i < 9; i++) {
		int fd = sock_udp("10.99.0.53");
		struct answer a;
		char first[NAME_LEN];

		ck_assert_int_eq(udp_ask(fd, "10.99.0.53", 53, "first", &a), 0);
		snprintf(first, sizeof(first), "%s", a.served_by);
		for (int k = 0; k < 5; k++)
			expect_answer(fd, "10.99.0.53", "10.99.0.53:53", first);
		seen[first[8] - '1']++;
		close(fd);
	}
	/* In turn. */
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(seen[i], 3);
}
END_TEST

START_TEST(two_services_on_one_socket)
{
	struct answer a;
	int fd;

	given_dns_servers();
	given_endpoint(given_dns("a", "10.99.0.53"), "127.0.1.1", 5353);
	given_endpoint(given_dns("b", "10.99.0.54"), "127.0.1.2", 5353);
	publish_all(&mesh);
	fd = sock_udp("10.99.0.53");
	/* Both questions first, then both answers. */
	ck_assert_int_eq(udp_send(fd, "10.99.0.53", 53, "one"), 0);
	ck_assert_int_eq(udp_send(fd, "10.99.0.54", 53, "two"), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(udp_receive(fd, &a), 0);
		ck_assert_str_eq(a.source, strcmp(a.word, "one") ? "10.99.0.54:53" : "10.99.0.53:53");
		ck_assert_str_eq(a.served_by, strcmp(a.word, "one") ? "127.0.1.2:5353" : "127.0.1.1:5353");
	}
	close(fd);
}
END_TEST

START_TEST(two_services_that_share_their_only_endpoint)
{
	int fd;

	given_dns_servers();
	given_endpoint(given_dns("a", "10.99.0.53"), "127.0.1.1", 5353);
	given_endpoint(given_dns("b", "10.99.0.54"), "127.0.1.1", 5353);
	publish_all(&mesh);
	fd = sock_udp("10.99.0.53");
	/* Question and answer in turn: the answer is that of who was asked last. */
	for (int i = 0; i < 4; i++) {
		expect_answer(fd, "10.99.0.53", "10.99.0.53:53", "127.0.1.1:5353");
		expect_answer(fd, "10.99.0.54", "10.99.0.54:53", "127.0.1.1:5353");
	}
	close(fd);
}
END_TEST

START_TEST(services_that_share_endpoints_choose_different_ones)
{
	struct service *s;
	unsigned mixed = 0;

	given_dns_servers();
	for (int k = 0; k < 2; k++) {
		s = given_service(&mesh, k ? "b" : "a", IPPROTO_UDP, k ? "10.99.0.54" : "10.99.0.53", 53,
				  WEFT_LB_RANDOM);
		given_endpoint(s, "127.0.1.1", 5353);
		given_endpoint(s, "127.0.1.2", 5353);
		given_endpoint(s, "127.0.1.3", 5353);
	}
	publish_all(&mesh);
	for (int i = 0; i < 100; i++) {
		int fd = sock_udp("10.99.0.53");
		struct answer a;

		ck_assert_int_eq(udp_send(fd, "10.99.0.53", 53, "one"), 0);
		ck_assert_int_eq(udp_send(fd, "10.99.0.54", 53, "two"), 0);
		for (int k = 0; k < 2; k++) {
			ck_assert_int_eq(udp_receive(fd, &a), 0);
			mixed += strcmp(a.source, strcmp(a.word, "one") ? "10.99.0.54:53" : "10.99.0.53:53") != 0;
		}
		close(fd);
	}
	/* Three more draws at random may all meet the same of three once in 81; without them it would be every third.
	 */
	ck_assert_msg(mixed <= 12, "%u of 200 answers came from the wrong service", mixed);
}
END_TEST

START_TEST(more_services_than_are_remembered)
{
	enum { NR = 2 * WEFT_PEERS };
	char vip[32], from[32], name[16], served_by[NAME_LEN];
	struct service *s;
	int fd;

	given_dns_servers();
	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "dns-%d", i);
		snprintf(vip, sizeof(vip), "10.99.1.%d", i + 1);
		snprintf(served_by, sizeof(served_by), "127.0.1.%d", i + 1);
		s = given_dns(name, vip);
		given_endpoint(s, served_by, 5353);
	}
	publish_all(&mesh);
	mark(&mesh);
	fd = sock_udp("10.99.0.53");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < NR; i++) {
			snprintf(vip, sizeof(vip), "10.99.1.%d", i + 1);
			snprintf(from, sizeof(from), "10.99.1.%d:53", i + 1);
			snprintf(served_by, sizeof(served_by), "127.0.1.%d:5353", i + 1);
			expect_answer(fd, vip, from, served_by);
		}
	}
	expect_reason(&mesh, WEFT_R_PEERS_REPLACED, 2 * NR - WEFT_PEERS);
	close(fd);
}
END_TEST

START_TEST(an_endpoint_that_left_is_let_go_at_the_next_datagram)
{
	struct service *s;
	struct answer a;
	int fd;

	given_dns_servers();
	s = given_dns("dns", "10.99.0.53");
	given_endpoint(s, "127.0.1.1", 5353);
	given_endpoint(s, "127.0.1.2", 5353);
	publish_all(&mesh);
	fd = sock_udp("10.99.0.53");
	ck_assert_int_eq(udp_ask(fd, "10.99.0.53", 53, "first", &a), 0);
	s = given_dns("dns", "10.99.0.53");
	given_endpoint(s, strcmp(a.served_by, "127.0.1.1:5353") ? "127.0.1.1" : "127.0.1.2", 5353);
	publish_all(&mesh);
	mark(&mesh);
	expect_answer(fd, "10.99.0.53", "10.99.0.53:53",
		      strcmp(a.served_by, "127.0.1.1:5353") ? "127.0.1.1:5353" : "127.0.1.2:5353");
	expect_reason(&mesh, WEFT_R_STALE, 1);
	/* And when there is none left: refused, as a closed port would. */
	given_dns("dns", "10.99.0.53");
	publish_all(&mesh);
	ck_assert_int_eq(udp_send(fd, "10.99.0.53", 53, "gone"), -ECONNREFUSED);
	close(fd);
}
END_TEST

START_TEST(no_service_passes_untouched)
{
	struct answer a;
	int fd;

	given_dns_servers();
	given_endpoint(given_dns("dns", "10.99.0.53"), "127.0.1.1", 5353);
	publish_all(&mesh);
	mark(&mesh);
	fd = sock_udp("127.0.0.5");
	ck_assert_int_eq(udp_ask(fd, "127.0.0.5", 9000, "plain", &a), 0);
	ck_assert_str_eq(a.source, "127.0.0.5:9000");
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 1);
	/* Straight to an endpoint of the service: the truth. */
	ck_assert_int_eq(udp_ask(fd, "127.0.1.1", 5353, "direct", &a), 0);
	ck_assert_str_eq(a.source, "127.0.1.1:5353");
	expect_reason(&mesh, WEFT_R_FORWARDED, 0);
	close(fd);
}
END_TEST

START_TEST(an_endpoint_asked_by_its_own_address_answers_with_it)
{
	struct answer a;
	int fd;

	given_dns_servers();
	given_endpoint(given_dns("dns", "10.99.0.53"), "127.0.1.1", 5353);
	publish_all(&mesh);
	fd = sock_udp("10.99.0.53");
	for (int i = 0; i < 3; i++) {
		expect_answer(fd, "10.99.0.53", "10.99.0.53:53", "127.0.1.1:5353");
		ck_assert_int_eq(udp_ask(fd, "127.0.1.1", 5353, "direct", &a), 0);
		ck_assert_str_eq(a.source, "127.0.1.1:5353");
	}
	close(fd);
}
END_TEST

START_TEST(a_connected_socket_also_sends_to_another_service)
{
	struct service *s;
	int fd;

	given_dns_servers();
	given_endpoint(given_dns("a", "10.99.0.53"), "127.0.1.1", 5353);
	s = given_dns("b", "10.99.0.54");
	given_endpoint(s, "127.0.1.2", 5353);
	publish_all(&mesh);
	mark(&mesh);
	fd = udp_to("10.99.0.53", 53);
	/* It reaches b; the kernel lets a connected socket hear only its peer, so nothing comes back. */
	ck_assert_int_eq(udp_send(fd, "10.99.0.54", 53, "other"), 0);
	expect_reason(&mesh, WEFT_R_FORWARDED, 2);
	ck_assert_uint_eq(endpoint_state(&mesh, "b", "127.0.1.2", 5353)->active, 0);
	expect_connected_to(fd, "127.0.1.1:5353");
	expect_peer(fd, "10.99.0.53:53");
	close(fd);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

static Suite *datagram_suite(void)
{
	Suite *s = suite_create("datagram");
	TCase *c = suite_case(s, "datagram", 20);

	tcase_add_loop_test(c, answers_come_from_the_service, 0, 3);
	tcase_add_test(c, sendmsg_and_recvmmsg_see_the_service);
	tcase_add_test(c, a_socket_keeps_its_endpoint_and_sockets_spread);
	tcase_add_test(c, two_services_on_one_socket);
	tcase_add_test(c, two_services_that_share_their_only_endpoint);
	tcase_add_test(c, services_that_share_endpoints_choose_different_ones);
	tcase_add_test(c, more_services_than_are_remembered);
	tcase_add_test(c, an_endpoint_that_left_is_let_go_at_the_next_datagram);
	tcase_add_test(c, no_service_passes_untouched);
	tcase_add_test(c, an_endpoint_asked_by_its_own_address_answers_with_it);
	tcase_add_test(c, a_connected_socket_also_sends_to_another_service);
	return s;
}

int main(void)
{
	return suite_main("datagram", datagram_suite);
}

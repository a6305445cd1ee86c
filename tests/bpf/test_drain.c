/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Endpoints that drain: an end for what is left, in every network namespace, and also when nobody is there to see to
 * it. */
#include "nic.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>

#include "plane/drain.h"

#define VIP "10.99.0.1"
#define ONE "127.0.0.2"
#define TWO "127.0.0.3"

#define S 1000000000ull

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static const struct listener both[] = { TCP_AT(ONE, 80), TCP_AT(TWO, 80), UDP_AT(ONE, 53), UDP_AT(TWO, 53) };

static void describe(uint32_t drain_ms, bool with_two)
{
	struct service *s = given_service(&mesh, "web", IPPROTO_TCP, VIP, 80, WEFT_LB_ROUND_ROBIN);

	s->drain_ms = drain_ms;
	given_endpoint(s, ONE, 80);
	if (with_two)
		given_endpoint(s, TWO, 80);
	s = given_service(&mesh, "dns", IPPROTO_UDP, VIP, 53, WEFT_LB_ROUND_ROBIN);
	s->drain_ms = drain_ms;
	given_endpoint(s, ONE, 53);
	if (with_two)
		given_endpoint(s, TWO, 53);
	publish_all(&mesh);
}

static void given_two(uint32_t drain_ms)
{
	given_servers(both, 4);
	describe(drain_ms, true);
}

static bool is_at(const char *served_by, const char *ip)
{
	return !strncmp(served_by, ip, strlen(ip)) && served_by[strlen(ip)] == ':';
}

/* Connects until the endpoint is @ip. */
static int connected_at(const char *ip)
{
	for (int i = 0; i < 10; i++) {
		int fd = tcp_to(VIP, 80);

		ck_assert_int_ge(fd, 0);
		if (is_at(sock_greeting(fd), ip))
			return fd;
		close(fd);
	}
	ck_abort_msg("no connection to %s", ip);
}

static int udp_at(const char *ip)
{
	for (int i = 0; i < 10; i++) {
		int fd = udp_to(VIP, 53);

		ck_assert_int_ge(fd, 0);
		if (is_at(sock_greeting(fd), ip))
			return fd;
		close(fd);
	}
	ck_abort_msg("no socket at %s", ip);
}

/* 0: nothing yet; else what a read says: a positive errno, or -1: the end of the data. */
static int fate(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;
	ssize_t n;

	if (poll(&p, 1, ms) == 0)
		return 0;
	n = recv(fd, &byte, 1, MSG_DONTWAIT);
	return n > 0 ? 0 : n == 0 ? -1 : errno;
}

/* The one for this port. */
static uint32_t id_of(const char *service, const char *ip, uint16_t port)
{
	uint32_t id = endpoint_id(&mesh, service, ip, port);

	ck_assert_uint_ne(id, 0);
	return id;
}

static void drain_both(const char *ip, uint64_t until)
{
	uint32_t tcp = id_of("web", ip, 80), udp = id_of("dns", ip, 53);

	ck_assert_int_eq(maps_drain_begin(mesh.maps, tcp, mesh.maps->backends[tcp].gen, until), 0);
	ck_assert_int_eq(maps_drain_begin(mesh.maps, udp, mesh.maps->backends[udp].gen, until), 0);
}

static struct drain_result pass(void)
{
	struct drain_result r;

	ck_assert_int_eq(maps_drain(mesh.maps, &r), 0);
	ck_assert_msg(r.error == 0, "%s", strerror(-r.error));
	return r;
}

static bool fence_is_up(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/fence", mesh.maps->dir);
	return access(path, F_OK) == 0;
}

/* Two namespaces, TCP and UDP, on the endpoint that goes and on the one that stays. */
static void expect_all_closed(void)
{
	int home[2] = { own_namespace(), -1 }, tcp[2], stays[2], udp[2], free_udp, i;
	struct answer a;
	struct drain_result r;

	/* Servers first: as children they would keep the sockets of the clients. */
	ck_assert_int_eq(wire_namespace(), 0);
	given_servers(both, 4);
	home[1] = own_namespace();
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(setns(home[i], CLONE_NEWNET), 0);
		tcp[i] = connected_at(ONE);
		stays[i] = connected_at(TWO);
		udp[i] = udp_at(ONE);
	}
	ck_assert_int_eq(setns(home[0], CLONE_NEWNET), 0);
	free_udp = sock_udp(VIP);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(udp_ask(free_udp, VIP, 53, "before", &a), 0);
	mark(&mesh);
	drain_both(ONE, clock_ns() + S / 5);
	r = pass();
	ck_assert_uint_eq(r.released, 2);
	ck_assert_uint_eq(r.closed, 0);
	ck_assert_uint_gt(r.next_ns, 0);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(fate(udp[i], 100), ECONNABORTED);
		ck_assert_int_eq(fate(tcp[i], 0), 0);
		/* Once, then it is a socket like any other, that chooses anew. */
		ck_assert_int_eq(send(udp[i], "x", 1, 0), -1);
		ck_assert_int_eq(errno, EDESTADDRREQ);
	}
	ck_assert_int_eq(sock_connect(udp[0], VIP, 53), 0);
	ck_assert(is_at(sock_greeting(udp[0]), TWO));
	expect_reason(&mesh, WEFT_R_VANISHED_CLOSED, 2);
	usleep(250000);
	r = pass();
	ck_assert_uint_eq(r.closed, 2);
	ck_assert_uint_eq(r.left, 0);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(fate(tcp[i], 100), ECONNABORTED);
		ck_assert_int_eq(fate(stays[i], 0), 0);
	}
	expect_reason(&mesh, WEFT_R_DRAIN_CLOSED, 2);
	ck_assert(!fence_is_up());
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(udp_ask(free_udp, VIP, 53, "after", &a), 0);
		ck_assert(is_at(a.served_by, TWO));
	}
	for (i = 0; i < 2; i++) {
		close(tcp[i]);
		close(stays[i]);
		close(udp[i]);
	}
	expect_nothing_active(&mesh, 2000);
	expect_audit_clean(&mesh);
	close(free_udp);
	close(home[0]);
	close(home[1]);
}

START_TEST(closes_in_every_namespace)
{
	given_two(60000);
	expect_all_closed();
}
END_TEST

START_TEST(closes_by_netlink_where_programs_cannot)
{
	char path[512];

	setenv("WEFT_SOCK_DESTROY", "netlink", 1);
	restart();
	snprintf(path, sizeof(path), "%s/%s", mesh.maps->dir, DRAIN_ITER_TCP);
	ck_assert_int_eq(access(path, F_OK), -1);
	given_two(60000);
	expect_all_closed();
}
END_TEST

/* One that is removed is treated the same way, by the timeout of its service. */
START_TEST(removal_sets_the_deadline)
{
	int tcp, udp;

	given_two(300);
	tcp = connected_at(TWO);
	udp = udp_at(TWO);
	describe(300, false);
	ck_assert_uint_eq(pass().released, 1);
	ck_assert_int_eq(fate(udp, 100), ECONNABORTED);
	ck_assert_int_eq(fate(tcp, 0), 0);
	ck_assert(fence_is_up());
	usleep(350000);
	ck_assert_uint_eq(pass().closed, 1);
	ck_assert_int_eq(fate(tcp, 100), ECONNABORTED);
	ck_assert(!fence_is_up());
	expect_active(&mesh, TWO, 80, 0);
	close(tcp);
	close(udp);
}
END_TEST

START_TEST(without_a_timeout_nothing_is_closed)
{
	int tcp;

	given_two(0);
	tcp = connected_at(TWO);
	describe(0, false);
	ck_assert_uint_eq(pass().closed, 0);
	ck_assert_int_eq(fate(tcp, 300), 0);
	ck_assert_uint_eq(pass().closed, 0);
	ck_assert(!fence_is_up());
	close(tcp);
}
END_TEST

static void set_ready(bool two_is_ready)
{
	struct service *s = given_service(&mesh, "web", IPPROTO_TCP, VIP, 80, WEFT_LB_ROUND_ROBIN);

	s->drain_ms = 300;
	given_endpoint(s, ONE, 80);
	given_endpoint(s, TWO, 80);
	s->endpoints[1].unready = !two_is_ready;
	publish_all(&mesh);
}

START_TEST(not_ready_drains_too)
{
	int tcp;

	given_servers(both, 2);
	set_ready(true);
	tcp = connected_at(TWO);
	set_ready(false);
	for (int i = 0; i < 4; i++) {
		int fd = tcp_to(VIP, 80);

		ck_assert(is_at(sock_greeting(fd), ONE));
		close(fd);
	}
	ck_assert_uint_gt(endpoint_state(&mesh, "web", TWO, 80)->drain_ns, 0);
	/* It is back in time. */
	set_ready(true);
	ck_assert_uint_eq(endpoint_state(&mesh, "web", TWO, 80)->drain_ns, 0);
	usleep(350000);
	ck_assert_uint_eq(pass().closed, 0);
	set_ready(false);
	usleep(350000);
	ck_assert_uint_eq(pass().closed, 1);
	ck_assert_int_eq(fate(tcp, 100), ECONNABORTED);
	close(tcp);
}
END_TEST

static int keepalive(int fd)
{
	int on = -1;
	socklen_t len = sizeof(on);

	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len);
	return on;
}

START_TEST(what_the_operator_takes_back_is_as_before)
{
	uint32_t id;
	int tcp, fd;

	given_two(60000);
	tcp = connected_at(ONE);
	drain_both(ONE, clock_ns() + 60 * S);
	ck_assert_uint_eq(pass().armed, 1);
	ck_assert_int_eq(keepalive(tcp), 1);
	/* A reload that keeps the endpoint says nothing about it. */
	describe(50000, true);
	for (int i = 0; i < 4; i++) {
		fd = tcp_to(VIP, 80);
		ck_assert(is_at(sock_greeting(fd), TWO));
		close(fd);
	}
	id = id_of("web", ONE, 80);
	ck_assert_uint_gt(mesh.maps->bstate[id].drain_ns, 0);
	ck_assert_int_eq(maps_drain_end(mesh.maps, id, mesh.maps->backends[id].gen, clock_ns()), 1);
	pass();
	ck_assert_int_eq(keepalive(tcp), 0);
	ck_assert_int_eq(fate(tcp, 0), 0);
	fd = connected_at(ONE);
	close(fd);
	close(tcp);
}
END_TEST

/*
 * The deadline is set, and from then on nobody is there: what a kill -9 of the agent leaves. Idle connections, and some
 * on which data goes out, or comes in.
 */
START_TEST(the_kernel_keeps_the_deadline)
{
	uint64_t until, ended[3] = { 0 }, last = 0;
	struct listener l[] = { { .ip = ONE, .port = 80, .proto = IPPROTO_TCP, .does = SERVER_ECHOES } };
	struct service *s;
	int fd[3], stays, n = 0;
	char byte[16] = "";

	given_servers(l, 1);
	s = given_service(&mesh, "web", IPPROTO_TCP, VIP, 80, WEFT_LB_ROUND_ROBIN);
	given_endpoint(s, ONE, 80);
	publish_all(&mesh);
	for (int i = 0; i < 3; i++) {
		fd[i] = tcp_to(VIP, 80);
		ck_assert(is_at(sock_greeting(fd[i]), ONE));
	}
	stays = tcp_to(ONE, 80); /* not through the service */
	ck_assert(is_at(sock_greeting(stays), ONE));
	until = clock_ns() + 2 * S;
	ck_assert_int_eq(maps_drain_begin(mesh.maps, id_of("web", ONE, 80), 1, until), 0);
	ck_assert_uint_eq(pass().armed, 3);
	mark(&mesh);
	/* 0 is idle; 1 talks all the time; 2 until shortly before the deadline. */
	while (n < 3 && clock_ns() < until + 20 * S) {
		for (int i = 0; i < 3; i++) {
			uint64_t now = clock_ns();
			int f = 0;

			if (ended[i])
				continue;
			if ((i == 1 || (i == 2 && now < until - S / 10)) &&
			    send(fd[i], byte, sizeof(byte), MSG_DONTWAIT | MSG_NOSIGNAL) == -1 && errno != EAGAIN)
				f = errno;
			if (!f)
				f = fate(fd[i], 0);
			while (f == 0 && recv(fd[i], byte, sizeof(byte), MSG_DONTWAIT) > 0)
				continue;
			if (f == 0)
				continue;
			ended[i] = clock_ns();
			ck_assert_msg(f == ETIMEDOUT, "connection %d: %s", i, f > 0 ? strerror(f) : "end of data");
			n++;
		}
		usleep(5000);
	}
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(ended[i], "connection %d lives 20 s after its deadline", i);
		ck_assert_uint_ge(ended[i], until);
		last = ended[i] > last ? ended[i] : last;
	}
	printf("FIGURES: nobody there: idle ended %.2f s, talking %.2f s, silent since just before %.2f s after the "
	       "deadline\n",
	       (double)(ended[0] - until) / 1e9, (double)(ended[1] - until) / 1e9, (double)(ended[2] - until) / 1e9);
	ck_assert_uint_le(last, until + 10 * S);
	expect_reason(&mesh, WEFT_R_DRAIN_CLOSED, 3);
	ck_assert_int_eq(fate(stays, 0), 0);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(stays);
	expect_nothing_active(&mesh, 2000);
}
END_TEST

static Suite *drain_suite(void)
{
	Suite *s = suite_create("drain");
	TCase *c = suite_case(s, "closing", 60);

	tcase_add_test(c, closes_in_every_namespace);
	tcase_add_test(c, closes_by_netlink_where_programs_cannot);
	tcase_add_test(c, removal_sets_the_deadline);
	tcase_add_test(c, without_a_timeout_nothing_is_closed);
	tcase_add_test(c, not_ready_drains_too);
	tcase_add_test(c, what_the_operator_takes_back_is_as_before);
	tcase_add_test(c, the_kernel_keeps_the_deadline);
	return s;
}

int main(void)
{
	return suite_main("drain", drain_suite);
}

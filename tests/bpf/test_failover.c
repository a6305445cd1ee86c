/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Failover inside connect(), over lo: connects that are given up or killed half way, crowds, ports that come back, and
 * how long it takes. Whatever happens, nothing is left of it in the books.
 */
#include "link_net.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "plane/failover.h"

#define VIP	"10.99.0.1"
#define REFUSES "127.0.0.2"
#define SILENT	"127.0.0.3"
#define SILENT2 "127.0.0.4"
#define ANSWERS "127.0.0.5"
#define PORT	8080

static void rank(uint16_t vip_port, const char *const *ips, bool in_order)
{
	char name[16];
	struct service *s;

	snprintf(name, sizeof(name), "s%u", vip_port);
	s = given_service(&mesh, name, IPPROTO_TCP, VIP, vip_port, WEFT_LB_RANDOM);
	s->failover = true;
	s->ejection.on = false;
	s->panic_percent = 0;
	for (size_t i = 0; ips[i]; i++) {
		given_endpoint(s, ips[i], PORT);
		s->endpoints[i].priority = in_order ? (uint8_t)i : 0;
	}
}
#define IN_ORDER(port, ...)  rank(port, (const char *const[]){ __VA_ARGS__, NULL }, true)
#define AT_RANDOM(port, ...) rank(port, (const char *const[]){ __VA_ARGS__, NULL }, false)

enum { PLAIN = 80, REFUSED, BLACK_HOLE, TWO_BLACK_HOLES, NOBODY, MIXED };

static void given_services(void)
{
	const struct listener l[] = { TCP_AT(ANSWERS, PORT) };

	/* As hosts have it: ports of connections that moved are below. */
	ck_assert_int_eq(wire_sysctl("net/ipv4/ip_local_port_range", "32768 60999"), 0);
	attach(LO);
	IN_ORDER(PLAIN, ANSWERS);
	IN_ORDER(REFUSED, REFUSES, ANSWERS);
	IN_ORDER(BLACK_HOLE, SILENT, ANSWERS);
	IN_ORDER(TWO_BLACK_HOLES, SILENT, SILENT2, ANSWERS);
	AT_RANDOM(NOBODY, SILENT, SILENT2);
	AT_RANDOM(MIXED, REFUSES, SILENT, SILENT2, ANSWERS);
	publish_all(&mesh);
	given_servers(l, 1);
	given_deaf(SILENT, PORT);
	given_deaf(SILENT2, PORT);
	mark(&mesh);
}

static int count_handshake(void *n, const struct weft_tuple *key, const struct weft_handshake *value)
{
	++*(unsigned *)n;
	return 0;
}

static unsigned handshakes(void)
{
	unsigned n = 0;

	ck_assert_int_eq(maps_each_handshake(mesh.maps, count_handshake, &n), 0);
	return n;
}

static int count_nat(void *n, const struct weft_nat_key *key, const struct weft_nat *value)
{
	++*(unsigned *)n;
	return 0;
}

static unsigned translations(void)
{
	unsigned n = 0;

	ck_assert_int_eq(maps_each_nat(mesh.maps, count_nat, &n), 0);
	return n;
}

/* @lingers: connections that moved and whose client closed first keep theirs as long as TIME_WAIT. */
static void expect_quiet(bool lingers)
{
	uint32_t pending = 0;

	expect_nothing_active(&mesh, 5000);
	for (uint32_t i = 0; i < mesh.maps->capacity[PLANE_MAP_BACKENDS]; i++)
		pending += mesh.maps->bstate[i].pending;
	ck_assert_uint_eq(pending, 0);
	expect_audit_clean(&mesh);
	ck_assert_msg(WITHIN(2000, handshakes() == 0), "%u handshakes are left", handshakes());
	ck_assert_uint_eq(mesh.maps->config->moved, translations());
	if (!lingers)
		ck_assert_msg(WITHIN(4000, mesh.maps->config->moved == 0), "%u translations are left", translations());
}

START_TEST(given_up_half_way)
{
	given_services();
	for (int i = 0; i < 60; i++) {
		int fd[3];

		for (size_t k = 0; k < 3; k++) {
			fd[k] = tcp_start(VIP, k == 0 ? NOBODY : k == 1 ? TWO_BLACK_HOLES : MIXED);
			ck_assert_int_ge(fd[k], 0);
		}
		usleep((useconds_t)(rand() % 60000));
		for (size_t k = 0; k < 3; k++)
			close_with_reset(fd[k]);
	}
	expect_quiet(false);
}
END_TEST

START_TEST(killed_half_way)
{
	given_services();
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (int k = 0; k < 50; k++)
				tcp_start(VIP, k % 2 ? NOBODY : TWO_BLACK_HOLES);
			pause();
		}
		usleep((useconds_t)(rand() % 60000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* Those that were established before ended in order: TIME_WAIT. */
	expect_quiet(true);
}
END_TEST

/* Each at its own pace: a blocking connect and an end of some kind. */
START_TEST(a_crowd_finds_the_one_that_answers)
{
	static int fd[200];

	given_services();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++) {
			fd[i] = tcp_start(VIP, MIXED);
			ck_assert_int_ge(fd[i], 0);
		}
		for (int i = 0; i < 200; i++) {
			int r = tcp_finish(fd[i], 5000);

			ck_assert_msg(r == 0, "connect %d: %s", i, strerror(-r));
			expect_connected_to(fd[i], ANSWERS ":8080");
			ck_assert_str_eq(sock_peer(fd[i]), VIP ":85");
		}
		ck_assert_uint_eq(active_total(&mesh), 200);
		ck_assert_uint_eq(endpoint_state(&mesh, "s85", ANSWERS, PORT)->active, 200);
		for (int i = 0; i < 200; i++)
			close_with_reset(fd[i]);
		ck_assert_msg(WITHIN(2000, active_total(&mesh) == 0), "%u", (unsigned)active_total(&mesh));
	}
	expect_reason(&mesh, WEFT_R_MOVE_FAILED, 0);
	expect_reason(&mesh, WEFT_R_NAT_FULL, 0);
	expect_quiet(false);
}
END_TEST

/* The same four addresses and ports again and again, to an endpoint that answers by now, or does not. */
START_TEST(ports_that_come_back)
{
	given_services();
	for (int i = 0; i < 40; i++) {
		int fd = sock_tcp(VIP), r;

		ck_assert_int_eq(sock_bind(fd, "127.0.0.1", 7777), 0);
		r = sock_connect(fd, VIP, i % 2 ? REFUSED : MIXED);
		ck_assert_msg(r == 0, "connect %d: %s", i, strerror(-r));
		expect_connected_to(fd, ANSWERS ":8080");
		close_with_reset(fd);
		ck_assert_msg(WITHIN(2000, active_total(&mesh) == 0), "%u", (unsigned)active_total(&mesh));
	}
	expect_quiet(false);
}
END_TEST

/* Later connects to the endpoint itself, by the port that it was reached with before, are nobody else's. */
START_TEST(what_is_no_service_is_left_alone)
{
	int fd, direct;

	given_services();
	fd = tcp_to(VIP, REFUSED);
	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < 200; i++) {
		direct = tcp_to(ANSWERS, PORT);
		ck_assert_int_ge(direct, 0);
		expect_connected_to(direct, ANSWERS ":8080");
		close_with_reset(direct);
		ck_assert_int_eq(tcp_to(REFUSES, PORT), -ECONNREFUSED);
	}
	expect_connected_to(fd, ANSWERS ":8080");
	close_with_reset(fd);
	expect_quiet(false);
}
END_TEST

/* An application's own wish for its connect goes before the service's. */
START_TEST(the_applications_own_deadline)
{
	int fd, ms = 150;
	uint64_t t;

	given_services();
	fd = sock_tcp(VIP);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, 18 /* TCP_USER_TIMEOUT */, &ms, sizeof(ms)), 0);
	t = now_ms();
	ck_assert_int_eq(sock_connect(fd, VIP, NOBODY), -ETIMEDOUT);
	t = now_ms() - t;
	ck_assert_msg(t >= 100 && t < 2000, "%llu ms", (unsigned long long)t);
	close(fd);
	expect_quiet(false);
}
END_TEST

static int compare(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static double connect_ms(uint16_t port)
{
	struct timespec a, b;
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &a);
	fd = tcp_to(VIP, port);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ck_assert_msg(fd >= 0, "port %u: %s", port, strerror(-fd));
	close_with_reset(fd);
	return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

/* WEFT_OPS sets how many connects of each kind are timed. */
START_TEST(how_long_it_takes)
{
	static const struct {
		uint16_t port;
		const char *name;
		double at_most; /* p50, ms, on a machine that is busy with other things */
	} kinds[] = {
		{ PLAIN, "the first answers", 5 },
		{ REFUSED, "the first refuses", 5 },
		{ BLACK_HOLE, "the first is silent", 60 },
		{ TWO_BLACK_HOLES, "two are silent", 120 },
	};
	const char *wanted = getenv("WEFT_OPS");
	size_t n = wanted ? strtoul(wanted, NULL, 10) : 20;
	double *ms = calloc(n, sizeof(*ms));

	given_services();
	ck_assert_ptr_nonnull(ms);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (size_t i = 0; i < n; i++)
			ms[i] = connect_ms(kinds[k].port);
		qsort(ms, n, sizeof(*ms), compare);
		printf("%-20s n %zu  min %.2f  p50 %.2f  p99 %.2f  max %.2f ms\n", kinds[k].name, n, ms[0], ms[n / 2],
		       ms[n * 99 / 100], ms[n - 1]);
		ck_assert_msg(ms[n / 2] <= kinds[k].at_most, "%s: p50 %.2f ms", kinds[k].name, ms[n / 2]);
	}
	free(ms);
	expect_quiet(false);
}
END_TEST

static Suite *failover_suite(void)
{
	Suite *s = suite_create("failover");
	TCase *c = suite_case(s, "life", 60);

	tcase_add_test(c, given_up_half_way);
	tcase_add_test(c, killed_half_way);
	tcase_add_test(c, a_crowd_finds_the_one_that_answers);
	tcase_add_test(c, ports_that_come_back);
	tcase_add_test(c, what_is_no_service_is_left_alone);
	tcase_add_test(c, the_applications_own_deadline);
	tcase_add_test(c, how_long_it_takes);
	return s;
}

int main(void)
{
	return suite_main("failover", failover_suite);
}

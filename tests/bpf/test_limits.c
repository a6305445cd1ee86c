/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Limits are exact: what the server sees is never more, whoever connects and however it ends, and all of it comes back.
 * WEFT_OPS sets how many connects the crowds make (20,000 unless told otherwise; 640,000 is the full form).
 */
#include "census.h"
#include "crush.h"
#include "harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <signal.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#define THREADS 64
#define MOST	100

static const char *const hosts[] = { "127.0.0.2", "127.0.0.3" };

static uint64_t wanted_ops(void)
{
	const char *wanted = getenv("WEFT_OPS");

	return wanted ? strtoull(wanted, NULL, 10) : 20000;
}

/* A service on both hosts, that lets ejection and failover out of the game. */
static struct service *given_limited(const char *vip, uint8_t proto, uint16_t port, size_t nr_hosts)
{
	struct service *s = given_service(&mesh, vip, proto, vip, 80, WEFT_LB_LEAST_REQUEST);

	s->failover = false;
	s->ejection.on = false;
	for (size_t i = 0; i < nr_hosts; i++)
		given_endpoint(s, hosts[i], port);
	return s;
}

static const struct weft_sstate *sstate(const char *vip, uint8_t proto)
{
	struct weft_addr addr;
	int id;

	ck_assert_int_eq(addr_parse(vip, &addr), 0);
	id = maps_find_frontend(mesh.maps, &addr, 80, proto);
	ck_assert_int_gt(id, 0);
	return &mesh.maps->sstate[id];
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void expect_all_back(const struct weft_sstate *s)
{
	ck_assert_msg(WITHIN(5000, load(&s->active) == 0 && load(&s->pending) == 0), "%u active, %u pending are left",
		      load(&s->active), load(&s->pending));
	expect_nothing_active(&mesh, 2000);
	expect_audit_clean(&mesh);
}

/* @n at once, and not one more. */
static void expect_room_for(const char *vip, unsigned n, enum weft_reason reason)
{
	int fd[MOST + 1];

	ck_assert_uint_le(n, MOST);
	mark(&mesh);
	for (unsigned i = 0; i < n; i++) {
		fd[i] = tcp_start(vip, 80);
		ck_assert_msg(fd[i] >= 0, "connect %u of %u: %s", i + 1, n, strerror(-fd[i]));
	}
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(tcp_finish(fd[i], 5000), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tcp_to(vip, 80), -ECONNREFUSED);
	expect_reason(&mesh, reason, 3);
	/* One goes, one comes. */
	close(fd[0]);
	ck_assert(WITHIN(2000, (fd[0] = tcp_to(vip, 80)) >= 0));
	ck_assert_int_eq(tcp_to(vip, 80), -ECONNREFUSED);
	for (unsigned i = 0; i < n; i++)
		close(fd[i]);
}

/*
 * TCP says that a connection is done before it sends a reset, and then another CPU's SYN may overtake it: by as many as
 * there are CPUs the server may see too many, for microseconds.
 */
static unsigned overtaking(enum crush_end end)
{
	return end == CRUSH_RESETS ? (unsigned)get_nprocs() : 0;
}

static const struct {
	const char *name;
	enum crush_end end;
} ends[] = { { "the client closes first", CRUSH_CLIENT_CLOSES },
	     { "the server closes first", CRUSH_SERVER_CLOSES },
	     { "the client resets", CRUSH_RESETS } };

/* 64 threads want 384 connections of a service that may have 100. */
START_TEST(max_connections_at_the_server)
{
	struct census *c = census_start(hosts, 2, 8080);
	struct crush crush = { .vip = "10.99.0.1",
			       .port = 80,
			       .end = ends[_i].end,
			       .threads = THREADS,
			       .hold = 6,
			       .each = wanted_ops() / THREADS };
	uint64_t begin = now_ms();

	ck_assert_ptr_nonnull(c);
	given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.connections = MOST;
	publish_all(&mesh);
	mark(&mesh);
	ck_assert_int_eq(crush_run(&crush), 0);
	printf("limits: %s: %llu connects, %llu stood, %llu refused, in %.1f s; at most %u at the server (%u with ends "
	       "unread), %u at the clients\n",
	       ends[_i].name, (unsigned long long)(crush.each * THREADS), (unsigned long long)crush.taken,
	       (unsigned long long)crush.refused, (double)(now_ms() - begin) / 1000, c->most_all, c->most_unread,
	       crush.most);
	ck_assert_msg(!crush.trouble, "%llu connects or ends failed, the last with %s",
		      (unsigned long long)crush.trouble, strerror(-crush.error));
	ck_assert_uint_eq(crush.taken + crush.refused, crush.each * THREADS);
	ck_assert_uint_gt(crush.refused, 0);
	expect_reason(&mesh, WEFT_R_MAX_CONNECTIONS, crush.refused);
	ck_assert_uint_eq(crush.most, MOST);
	ck_assert_uint_ge(c->most_all, MOST);
	ck_assert_uint_le(c->most_all, MOST + overtaking(ends[_i].end));
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
	/* A reset may overtake the end of the handshake: then the server never knew. */
	if (ends[_i].end != CRUSH_RESETS)
		ck_assert_msg(WITHIN(2000, __atomic_load_n(&c->accepted, __ATOMIC_SEQ_CST) == crush.taken),
			      "the server had %llu", (unsigned long long)c->accepted);
	ck_assert_uint_le(c->accepted, crush.taken);
	ck_assert(census_is(c, 0, 2000));
	expect_room_for("10.99.0.1", MOST, WEFT_R_MAX_CONNECTIONS);
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
	census_stop(c);
}
END_TEST

/* Each endpoint takes 20; what one has no room for, the other gets. */
START_TEST(max_connections_per_endpoint)
{
	struct census *c = census_start(hosts, 2, 8080);
	struct crush crush = { .vip = "10.99.0.1",
			       .port = 80,
			       .end = CRUSH_SERVER_CLOSES,
			       .threads = THREADS / 2,
			       .hold = 3,
			       .each = wanted_ops() / THREADS };

	ck_assert_ptr_nonnull(c);
	given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.endpoint_connections = 20;
	publish_all(&mesh);
	ck_assert_int_eq(crush_run(&crush), 0);
	printf("limits: per endpoint: %llu stood, %llu refused; at most %u and %u\n", (unsigned long long)crush.taken,
	       (unsigned long long)crush.refused, c->most[0], c->most[1]);
	ck_assert_uint_eq(crush.trouble, 0);
	ck_assert_uint_gt(crush.refused, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(c->most[i] <= 20 && c->most[i] > 15, "%u at endpoint %d", c->most[i], i);
	ck_assert_uint_le(crush.most, 40);
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
	ck_assert(census_is(c, 0, 2000));
	expect_room_for("10.99.0.1", 40, WEFT_R_ENDPOINTS_FULL);
	census_stop(c);
}
END_TEST

/* Nobody answers: handshakes last as long as the client likes. */
static const struct weft_sstate *given_silence(uint32_t pending)
{
	struct service *hole;

	ck_assert_int_eq(wire_hole(), 0);
	hole = given_service(&mesh, "hole", IPPROTO_TCP, "10.99.0.5", 80, WEFT_LB_RANDOM);
	hole->failover = false;
	hole->ejection.on = false;
	hole->limits.pending = pending;
	given_endpoint(hole, "10.66.0.2", 8080);
	given_endpoint(hole, "10.66.0.3", 8080);
	publish_all(&mesh);
	mark(&mesh);
	return sstate("10.99.0.5", IPPROTO_TCP);
}

START_TEST(max_pending)
{
	const struct weft_sstate *s = given_silence(10);
	int fd[10];

	for (int i = 0; i < 10; i++) {
		fd[i] = tcp_start("10.99.0.5", 80);
		ck_assert_msg(fd[i] >= 0, "connect %d: %s", i, strerror(-fd[i]));
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tcp_start("10.99.0.5", 80), -ECONNREFUSED);
	ck_assert_uint_eq(load(&s->pending), 10);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	ck_assert_uint_eq(load(&s->pending), 6);
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(fd[i] = tcp_start("10.99.0.5", 80), 0);
	ck_assert_int_eq(tcp_start("10.99.0.5", 80), -ECONNREFUSED);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
	expect_reason(&mesh, WEFT_R_MAX_PENDING, 4);
	expect_all_back(s);
}
END_TEST

START_TEST(max_pending_of_many)
{
	struct crush crush = { .vip = "10.99.0.5",
			       .port = 80,
			       .unfinished = true,
			       .threads = THREADS,
			       .hold = 3,
			       .each = wanted_ops() / THREADS };
	const struct weft_sstate *s = given_silence(MOST);

	ck_assert_int_eq(crush_run(&crush), 0);
	printf("limits: pending: %llu SYNs, %llu refused, at most %u\n", (unsigned long long)crush.taken,
	       (unsigned long long)crush.refused, crush.most);
	ck_assert_uint_eq(crush.trouble, 0);
	ck_assert_uint_gt(crush.refused, 0);
	ck_assert_uint_eq(crush.most, MOST);
	expect_reason(&mesh, WEFT_R_MAX_PENDING, crush.refused);
	expect_all_back(s);
}
END_TEST

/* A place of a handshake is free when the handshake is done, while the connection lasts. */
START_TEST(max_pending_ends_with_the_handshake)
{
	static const struct listener far[] = { TCP_AT("10.67.0.2", 8080), TCP_AT("10.67.0.3", 8080) };
	static const struct wire_line line = {
		.slow_ip = "10.67.0.3", .fast_us = 100000, .slow_us = 300000, .l = far, .nr = 2
	};
	struct service *s;
	int fd[8];

	given_line(&line);
	s = given_service(&mesh, "far", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_ROUND_ROBIN);
	s->failover = false;
	s->limits.endpoint_pending = 2;
	given_endpoint(s, "10.67.0.2", 8080);
	given_endpoint(s, "10.67.0.3", 8080);
	publish_all(&mesh);
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(fd[i] = tcp_start("10.99.0.1", 80), 0);
	ck_assert_int_eq(tcp_start("10.99.0.1", 80), -ECONNREFUSED);
	expect_reason(&mesh, WEFT_R_ENDPOINTS_FULL, 1);
	ck_assert_uint_eq(endpoint_state(&mesh, "far", "10.67.0.2", 8080)->pending, 2);
	ck_assert_uint_eq(endpoint_state(&mesh, "far", "10.67.0.3", 8080)->pending, 2);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(tcp_finish(fd[i], 3000), 0);
	for (int i = 4; i < 8; i++)
		ck_assert_int_ge(fd[i] = tcp_start("10.99.0.1", 80), 0);
	for (int i = 4; i < 8; i++)
		ck_assert_int_eq(tcp_finish(fd[i], 3000), 0);
	ck_assert_uint_eq(active_total(&mesh), 8);
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
}
END_TEST

/* Connected UDP holds a place until close(). */
START_TEST(udp_sockets)
{
	static const struct listener dns[] = { UDP_AT("127.0.0.2", 5353), UDP_AT("127.0.0.3", 5353) };
	struct crush crush = { .vip = "10.99.0.53",
			       .port = 80,
			       .udp = true,
			       .threads = THREADS,
			       .hold = 3,
			       .each = wanted_ops() / THREADS };
	const struct weft_sstate *s;
	int fd[MOST];

	given_servers(dns, 2);
	given_limited("10.99.0.53", IPPROTO_UDP, 5353, 2)->limits.connections = MOST;
	publish_all(&mesh);
	mark(&mesh);
	ck_assert_int_eq(crush_run(&crush), 0);
	printf("limits: udp: %llu connected, %llu refused, at most %u\n", (unsigned long long)crush.taken,
	       (unsigned long long)crush.refused, crush.most);
	ck_assert_uint_eq(crush.trouble, 0);
	ck_assert_uint_gt(crush.refused, 0);
	ck_assert_uint_eq(crush.most, MOST);
	expect_reason(&mesh, WEFT_R_MAX_CONNECTIONS, crush.refused);
	s = sstate("10.99.0.53", IPPROTO_UDP);
	expect_all_back(s);
	for (int i = 0; i < MOST; i++)
		ck_assert_int_ge(fd[i] = udp_to("10.99.0.53", 80), 0);
	ck_assert_int_eq(udp_to("10.99.0.53", 80), -ECONNREFUSED);
	ck_assert_uint_eq(load(&s->active), MOST);
	/* Connecting elsewhere gives the place back; a further connect() to the service takes no second one. */
	ck_assert_int_eq(sock_connect(fd[0], "127.0.0.2", 5353), 0);
	ck_assert_uint_eq(load(&s->active), MOST - 1);
	ck_assert_int_eq(sock_connect(fd[0], "10.99.0.53", 80), 0);
	ck_assert_uint_eq(load(&s->active), MOST);
	ck_assert_int_eq(sock_connect(fd[0], "10.99.0.53", 80), 0);
	ck_assert_uint_eq(load(&s->active), MOST);
	for (int i = 0; i < MOST; i++)
		close(fd[i]);
	expect_all_back(s);
}
END_TEST

static void hold_all_and_say(int ready)
{
	for (int i = 0; i < MOST; i++)
		if (tcp_to("10.99.0.1", 80) < 0)
			_exit(1);
	(void)!write(ready, "r", 1);
	pause();
}

START_TEST(a_killed_process_gives_all_back)
{
	struct census *c = census_start(hosts, 2, 8080);
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_ptr_nonnull(c);
	given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.connections = MOST;
	publish_all(&mesh);
	for (int round = 0; round < 5; round++) {
		ck_assert_int_eq(pipe(ready), 0);
		pid = fork();
		if (pid == 0)
			hold_all_and_say(ready[1]);
		ck_assert_int_eq(read(ready[0], &byte, 1), 1);
		ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
		close(ready[0]);
		close(ready[1]);
	}
	expect_room_for("10.99.0.1", MOST, WEFT_R_MAX_CONNECTIONS);
	census_stop(c);
}
END_TEST

/* Connects that come to nothing hold nothing: refused by the endpoint, or for want of a route. */
START_TEST(failed_connects_give_all_back)
{
	struct crush crush = { .vip = "10.99.0.1", .port = 80, .threads = 16, .hold = 1, .each = wanted_ops() / 160 };
	struct service *s;

	given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.connections = 10;
	s = given_service(&mesh, "nowhere", IPPROTO_TCP, "10.99.0.6", 80, WEFT_LB_RANDOM);
	s->failover = false;
	s->ejection.on = false;
	s->limits.connections = s->limits.pending = 10;
	given_endpoint(s, "10.77.0.1", 8080);
	publish_all(&mesh);
	ck_assert_int_eq(crush_run(&crush), 0);
	ck_assert_uint_eq(crush.taken, 0);
	ck_assert_uint_eq(crush.refused, crush.threads * crush.each);
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(tcp_to("10.99.0.6", 80), -ENETUNREACH);
	expect_all_back(sstate("10.99.0.6", IPPROTO_TCP));
}
END_TEST

/* A limit that is set, changed and taken away under connections that live. */
START_TEST(limits_change_under_connections)
{
	static const struct {
		unsigned limit, more; /* how many more than the 20 that live fit then */
	} step[] = { { 25, 5 }, { 10, 0 }, { 20, 0 }, { 21, 1 }, { 0, 30 } };
	struct census *c = census_start(hosts, 2, 8080);
	int fd[20], more[30];

	ck_assert_ptr_nonnull(c);
	given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2);
	publish_all(&mesh);
	for (int i = 0; i < 20; i++)
		ck_assert_int_ge(fd[i] = tcp_to("10.99.0.1", 80), 0);
	for (size_t k = 0; k < sizeof(step) / sizeof(step[0]); k++) {
		given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.connections = step[k].limit;
		publish_all(&mesh);
		for (unsigned i = 0; i < step[k].more; i++)
			ck_assert_int_ge(more[i] = tcp_to("10.99.0.1", 80), 0);
		if (step[k].limit)
			ck_assert_msg(tcp_to("10.99.0.1", 80) == -ECONNREFUSED, "limit %u with %u: one more",
				      step[k].limit, load(&sstate("10.99.0.1", IPPROTO_TCP)->active));
		for (unsigned i = 0; i < step[k].more; i++)
			close(more[i]);
		ck_assert_msg(WITHIN(2000, load(&sstate("10.99.0.1", IPPROTO_TCP)->active) == 20),
			      "limit %u: %u active", step[k].limit, load(&sstate("10.99.0.1", IPPROTO_TCP)->active));
	}
	for (int i = 0; i < 20; i++)
		close(fd[i]);
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
	census_stop(c);
}
END_TEST

/* The service goes and comes back, or another one comes, while connections live: their places are neither forgotten nor
 * given back twice. */
START_TEST(services_come_and_go_under_connections)
{
	struct census *c = census_start(hosts, 2, 8080);
	int fd[5];

	ck_assert_ptr_nonnull(c);
	for (int round = 0; round < 4; round++) {
		given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.connections = 10;
		publish_all(&mesh);
		for (int i = 0; i < 5; i++)
			ck_assert_int_ge(fd[i] = tcp_to("10.99.0.1", 80), 0);
		publish_all(&mesh); /* nothing */
		if (round % 2) {
			given_limited("10.99.0.7", IPPROTO_TCP, 8080, 2)->limits.connections = 3;
			publish_all(&mesh);
			expect_room_for("10.99.0.7", 3, WEFT_R_MAX_CONNECTIONS);
		}
		if (round > 1)
			for (int i = 0; i < 5; i++)
				close(fd[i]);
		given_limited("10.99.0.1", IPPROTO_TCP, 8080, 2)->limits.connections = 10;
		publish_all(&mesh);
		if (round <= 1) {
			expect_room_for("10.99.0.1", 5, WEFT_R_MAX_CONNECTIONS);
			for (int i = 0; i < 5; i++)
				close(fd[i]);
		}
		expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
		expect_room_for("10.99.0.1", 10, WEFT_R_MAX_CONNECTIONS);
		expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
	}
	census_stop(c);
}
END_TEST

/* The endpoint does not hear that the client has closed, for a while: it still has the connection, so there is no
 * second one. */
START_TEST(a_lost_end_keeps_the_place)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog deaf = { .len = 1, .filter = &nothing };
	int listener = sock_tcp(hosts[0]), fd, server;
	uint64_t until;
	char byte;

	ck_assert_int_eq(sock_bind(listener, hosts[0], 8080), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	given_limited("10.99.0.1", IPPROTO_TCP, 8080, 1)->limits.connections = 1;
	publish_all(&mesh);
	ck_assert_int_ge(fd = tcp_to("10.99.0.1", 80), 0);
	ck_assert_int_ge(server = accept(listener, NULL, NULL), 0);
	ck_assert_int_eq(setsockopt(server, SOL_SOCKET, SO_ATTACH_FILTER, &deaf, sizeof(deaf)), 0);
	close(fd);
	/* TCP says it again after 0.2 s, and after 0.4 s more. */
	for (until = now_ms() + 500; now_ms() < until; usleep(10000))
		ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
	ck_assert_int_eq(setsockopt(server, SOL_SOCKET, SO_DETACH_FILTER, &deaf, sizeof(deaf)), 0);
	ck_assert_int_eq(recv(server, &byte, 1, 0), 0);
	close(server);
	expect_all_back(sstate("10.99.0.1", IPPROTO_TCP));
}
END_TEST

static Suite *limits_suite(void)
{
	Suite *s = suite_create("limits");
	TCase *c = suite_case(s, "limits", 3600);

	tcase_add_loop_test(c, max_connections_at_the_server, 0, (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(c, max_connections_per_endpoint);
	tcase_add_test(c, max_pending);
	tcase_add_test(c, max_pending_of_many);
	tcase_add_test(c, max_pending_ends_with_the_handshake);
	tcase_add_test(c, udp_sockets);
	tcase_add_test(c, a_killed_process_gives_all_back);
	tcase_add_test(c, failed_connects_give_all_back);
	tcase_add_test(c, limits_change_under_connections);
	tcase_add_test(c, a_lost_end_keeps_the_place);
	tcase_add_test(c, services_come_and_go_under_connections);
	return s;
}

int main(void)
{
	return suite_main("limits", limits_suite);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Exact books: every connection is counted once and released once, whatever way it ends. WEFT_OPS sets how many
 * operations the mixed run makes (20,000 unless told otherwise).
 */
#include "ops.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NR_PROCESSES 2
#define NR_THREADS   4

static struct books *books_new(void)
{
	void *p = mmap(NULL, sizeof(struct books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

/* Each way alone, ten times: when the mixed run fails, this one says which. */
START_TEST(each_way)
{
	struct books *b = books_new();

	ops_services();
	for (int i = 0; i < 10; i++)
		ops[_i].run(b);
	printf("accounting: %s\n", ops[_i].name);
	expect_books(b);
}
END_TEST

struct worker {
	struct books *books;
	unsigned seed;
	uint64_t left;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	while (w->left--) {
		unsigned draw = (unsigned)rand_r(&w->seed) % 1000;
		size_t i = 0;

		for (; i < nr_ops - 1 && draw >= ops[i].share; i++)
			draw -= ops[i].share;
		ops[i].run(w->books);
	}
	return NULL;
}

static _Noreturn void work_in_threads(struct books *b, unsigned seed, uint64_t n)
{
	pthread_t thread[NR_THREADS];
	struct worker w[NR_THREADS];

	for (unsigned i = 0; i < NR_THREADS; i++) {
		w[i] = (struct worker){ .books = b, .seed = seed + i, .left = n / NR_THREADS };
		if (pthread_create(&thread[i], NULL, work, &w[i]))
			_exit(1);
	}
	for (unsigned i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	_exit(0);
}

START_TEST(all_ways_at_once)
{
	const char *wanted = getenv("WEFT_OPS");
	uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 20000, start;
	unsigned seed = (unsigned)time(NULL);
	struct books *b = books_new();
	pid_t pid[NR_PROCESSES];
	int status;

	ops_services();
	start = now_ms();
	for (unsigned i = 0; i < NR_PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			work_in_threads(b, seed + 100 * i, n / NR_PROCESSES);
	}
	for (unsigned i = 0; i < NR_PROCESSES; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
	printf("accounting: %llu operations, %llu connects in %.1f s, seed %u\n", (unsigned long long)n,
	       (unsigned long long)b->opened, (double)(now_ms() - start) / 1000, seed);
	expect_books(b);
}
END_TEST

START_TEST(a_shared_socket_ends_with_its_last_holder)
{
	int fd, done[2];
	pid_t pid;
	char c;

	ops_services();
	fd = tcp_to("10.99.0.3", 80);
	expect_active(&mesh, "127.0.0.5", 8080, 1);
	close(fd);
	expect_active(&mesh, "127.0.0.5", 8080, 0);
	fd = tcp_to("10.99.0.1", 80);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		(void)!read(done[0], &c, 1);
		_exit(0);
	}
	close(fd);
	/* Closed here, and still open there. */
	ck_assert_uint_eq(active_total(&mesh), 1);
	expect_audit_clean(&mesh);
	ck_assert_uint_eq(active_total(&mesh), 1);
	ck_assert_int_eq(write(done[1], "x", 1), 1);
	waitpid(pid, NULL, 0);
	expect_nothing_active(&mesh, 2000);
}
END_TEST

START_TEST(no_port_left_on_this_node)
{
	struct books b = {};
	int fd[3];

	ops_services();
	ck_assert_int_eq(wire_sysctl("net/ipv4/ip_local_port_range", "40000 40001"), 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = tcp_to("10.99.0.3", 80);
		ck_assert_int_ge(fd[i], 0);
	}
	fd[2] = sock_tcp("10.99.0.3");
	ck_assert_int_eq(sock_connect(fd[2], "10.99.0.3", 80), -EADDRNOTAVAIL);
	close(fd[2]);
	close(fd[0]);
	close(fd[1]);
	b.opened = 3;
	b.established = b.closed = 2;
	b.failed[WEFT_FAIL_NOT_SENT] = 1;
	expect_books(&b);
	expect_reason(&mesh, WEFT_R_NOT_SENT, 1);
}
END_TEST

START_TEST(an_endpoint_that_never_answers)
{
	struct books b = { .opened = 1 };
	unsigned patience_ms = 300;
	int fd;

	ops_services();
	fd = sock_tcp("10.99.0.5");
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, 18 /* TCP_USER_TIMEOUT */, &patience_ms, sizeof(patience_ms)), 0);
	ck_assert_int_eq(sock_connect(fd, "10.99.0.5", 80), -ETIMEDOUT);
	b.failed[WEFT_FAIL_TIMED_OUT] = 1;
	expect_active(&mesh, "10.66.0.2", 8080, 0);
	ck_assert_uint_eq(endpoint_state(&mesh, "hole", "10.66.0.2", 8080)->failures_in_row, 1);
	close(fd);
	expect_books(&b);
	expect_reason(&mesh, WEFT_R_TIMED_OUT, 1);
}
END_TEST

static int count_record(void *ctx, const struct weft_flow_record *r)
{
	struct weft_flow_record *ret = ctx;

	*ret = *r;
	return 0;
}

static void transfer(int fd, size_t total)
{
	char buf[50000] = {};
	size_t sent = 0, received = 0;

	while (received < total) {
		struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (sent < total ? POLLOUT : 0)) };
		ssize_t n;

		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		if (p.revents & POLLOUT) {
			n = send(fd, buf, total - sent < sizeof(buf) ? total - sent : sizeof(buf), MSG_DONTWAIT);
			sent += n > 0 ? (size_t)n : 0;
		}
		if (p.revents & POLLIN) {
			n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
			received += n > 0 ? (size_t)n : 0;
		}
	}
	ck_assert_uint_eq(sent, total);
	ck_assert_uint_eq(received, total);
}

START_TEST(bytes_are_exact)
{
	static const struct listener l[] = {
		{ .ip = "127.0.0.2", .port = 8080, .proto = IPPROTO_TCP, .does = SERVER_ECHOES }
	};
	const size_t total = 1000003, greeting = strlen("127.0.0.2:8080\n");
	struct weft_flow_record r = {};
	struct weft_edge e;
	int fd;

	given_servers(l, 1);
	given_endpoint(given_service(&mesh, "web", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_RANDOM), "127.0.0.2", 8080);
	publish_all(&mesh);
	fd = tcp_to("10.99.0.1", 80);
	expect_connected_to(fd, "127.0.0.2:8080");
	transfer(fd, total);
	/* A living connection: the walk brings its bytes in, twice makes no difference. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(maps_each_flow(mesh.maps, count_record, &r), 0);
		ck_assert_uint_eq(r.bytes_sent, total);
		ck_assert_uint_eq(r.bytes_received, total + greeting);
		e = edges_total(&mesh);
		ck_assert_uint_eq(e.bytes_sent, total);
		ck_assert_uint_eq(e.bytes_received, total + greeting);
	}
	ck_assert_uint_eq(r.flow.state, WEFT_FLOW_ESTABLISHED);
	ck_assert_uint_eq(r.remote_port_be, htons(8080));
	transfer(fd, 17);
	shutdown(fd, SHUT_WR);
	ck_assert_str_eq(sock_greeting(fd), "");
	close(fd);
	ck_assert(WITHIN(3000, edges_total(&mesh).closed == 1));
	e = edges_total(&mesh);
	ck_assert_uint_eq(e.bytes_sent, total + 17);
	ck_assert_uint_eq(e.bytes_received, total + 17 + greeting);
	ck_assert_uint_eq(e.failed[WEFT_FAIL_RESET], 0);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

static int add_caller(void *ctx, const struct weft_edge_key *key, const struct weft_edge *e)
{
	uint64_t *opened = ctx;

	opened[key->caller != 0] += e->opened;
	return 0;
}

START_TEST(callers_are_told_apart_when_asked)
{
	uint64_t opened[2] = {};
	struct books b = {};

	ops_services();
	for (int i = 0; i < 3; i++)
		ops[0].run(&b);
	plane_set_callers(mesh.plane, true);
	ops[0].run(&b);
	ck_assert_int_eq(maps_each_edge(mesh.maps, add_caller, opened), 0);
	ck_assert_uint_eq(opened[0], 3);
	ck_assert_uint_eq(opened[1], 1);
	expect_books(&b);
}
END_TEST

static Suite *accounting_suite(void)
{
	Suite *s = suite_create("accounting");
	TCase *c = suite_case(s, "accounting", 7200);

	tcase_add_loop_test(c, each_way, 0, (int)nr_ops);
	tcase_add_test(c, a_shared_socket_ends_with_its_last_holder);
	tcase_add_test(c, no_port_left_on_this_node);
	tcase_add_test(c, an_endpoint_that_never_answers);
	tcase_add_test(c, bytes_are_exact);
	tcase_add_test(c, callers_are_told_apart_when_asked);
	tcase_add_test(c, all_ways_at_once);
	return s;
}

int main(void)
{
	return suite_main("accounting", accounting_suite);
}

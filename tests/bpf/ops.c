/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "ops.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

void ops_services(void)
{
	static const struct listener l[] = {
		TCP_AT("127.0.0.2", 8080),
		TCP_AT("127.0.0.3", 8080),
		{ .ip = "127.0.0.4", .port = 8080, .proto = IPPROTO_TCP, .does = SERVER_RESETS },
		{ .ip = "127.0.0.5", .port = 8080, .proto = IPPROTO_TCP, .does = SERVER_CLOSES },
		UDP_AT("127.0.0.2", 5353),
		UDP_AT("127.0.0.3", 5353),
		TCP_AT("fd77::2", 8080),
	};
	struct service *s;

	ck_assert_int_eq(wire_hole(), 0);
	given_servers(l, sizeof(l) / sizeof(l[0]));
	s = given_service(&mesh, "web", IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_P2C_EWMA);
	given_endpoint(s, "127.0.0.2", 8080);
	given_endpoint(s, "127.0.0.3", 8080);
	s = given_service(&mesh, "web6", IPPROTO_TCP, "fd99::1", 80, WEFT_LB_LEAST_REQUEST);
	given_endpoint(s, "fd77::2", 8080);
	given_endpoint(given_service(&mesh, "resets", IPPROTO_TCP, "10.99.0.2", 80, WEFT_LB_RANDOM), "127.0.0.4", 8080);
	given_endpoint(given_service(&mesh, "closes", IPPROTO_TCP, "10.99.0.3", 80, WEFT_LB_RANDOM), "127.0.0.5", 8080);
	given_endpoint(given_service(&mesh, "dead", IPPROTO_TCP, "10.99.0.4", 80, WEFT_LB_RANDOM), "127.0.0.99", 8080);
	given_endpoint(given_service(&mesh, "hole", IPPROTO_TCP, "10.99.0.5", 80, WEFT_LB_RANDOM), "10.66.0.2", 8080);
	given_endpoint(given_service(&mesh, "nowhere", IPPROTO_TCP, "10.99.0.6", 80, WEFT_LB_RANDOM), "10.77.0.1",
		       8080);
	given_endpoint(given_service(&mesh, "dns", IPPROTO_UDP, "10.99.0.53", 53, WEFT_LB_ROUND_ROBIN), "127.0.0.2",
		       5353);
	given_endpoint(given_service(&mesh, "time", IPPROTO_UDP, "10.99.0.123", 123, WEFT_LB_ROUND_ROBIN), "127.0.0.3",
		       5353);
	publish_all(&mesh);
	mark(&mesh);
}

static void add(uint64_t *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void failed(struct books *b, enum weft_failure f)
{
	add(&b->opened);
	add(&b->failed[f]);
}

static void stood(struct books *b)
{
	add(&b->opened);
	add(&b->established);
	add(&b->closed);
}

/* The operation went otherwise than it should; the books will not balance either. */
static bool went_wrong(struct books *b, bool wrong, const char *what)
{
	if (wrong) {
		add(&b->trouble);
		snprintf(b->what, sizeof(b->what), "%s: %s", what, strerror(errno));
	}
	return wrong;
}

static int web(struct books *b)
{
	int fd = tcp_to("10.99.0.1", 80);

	if (went_wrong(b, fd < 0, "connect"))
		return -1;
	stood(b);
	return fd;
}

static void read_to_end(int fd)
{
	char buf[256];

	while (recv(fd, buf, sizeof(buf), 0) > 0)
		continue;
}

static void op_greeted(struct books *b)
{
	int fd = web(b);

	if (fd < 0)
		return;
	went_wrong(b, !*sock_greeting(fd), "greeting");
	close(fd);
}

static void op_v6(struct books *b)
{
	int fd = tcp_to("fd99::1", 80);

	if (went_wrong(b, fd < 0, "connect"))
		return;
	stood(b);
	went_wrong(b, strcmp(sock_greeting(fd), "[fd77::2]:8080") != 0, "greeting");
	close(fd);
}

static void op_mapped_nonblocking(struct books *b)
{
	int fd = tcp_start("::ffff:10.99.0.1", 80);

	if (went_wrong(b, fd < 0 || tcp_finish(fd, 5000), "connect"))
		return;
	stood(b);
	sock_greeting(fd);
	close_with_reset(fd);
}

static void op_closed_unread(struct books *b)
{
	int fd = web(b);

	if (fd >= 0)
		close(fd);
}

static void op_reset_by_client(struct books *b)
{
	int fd = web(b);

	if (fd >= 0)
		close_with_reset(fd);
}

static void op_half_closed(struct books *b)
{
	int fd = web(b);

	if (fd < 0)
		return;
	shutdown(fd, SHUT_WR);
	read_to_end(fd);
	close(fd);
}

static void op_disconnected(struct books *b)
{
	int fd = web(b);

	if (fd < 0)
		return;
	sock_disconnect(fd);
	/* The same socket again. */
	if (!went_wrong(b, sock_connect(fd, "10.99.0.1", 80), "connect after disconnect"))
		stood(b);
	close(fd);
}

static void op_closed_by_server(struct books *b)
{
	int fd = tcp_to("10.99.0.3", 80);

	if (went_wrong(b, fd < 0, "connect"))
		return;
	stood(b);
	read_to_end(fd);
	close(fd);
}

static void op_reset_by_server(struct books *b)
{
	int fd = tcp_to("10.99.0.2", 80);

	/* The reset may come before connect() has returned; the connection stood all the same. */
	if (went_wrong(b, fd < 0 && fd != -ECONNRESET, "connect"))
		return;
	stood(b);
	add(&b->failed[WEFT_FAIL_RESET]);
	if (fd < 0)
		return;
	read_to_end(fd);
	close(fd);
}

static void op_refused(struct books *b)
{
	if (!went_wrong(b, tcp_to("10.99.0.4", 80) != -ECONNREFUSED, "no refusal"))
		failed(b, WEFT_FAIL_REFUSED);
}

static void op_refused_then_connected(struct books *b)
{
	int fd = sock_tcp("10.99.0.4");

	if (!went_wrong(b, sock_connect(fd, "10.99.0.4", 80) != -ECONNREFUSED, "no refusal"))
		failed(b, WEFT_FAIL_REFUSED);
	if (!went_wrong(b, sock_connect(fd, "10.99.0.1", 80), "connect after refusal"))
		stood(b);
	close(fd);
}

static void op_aborted(struct books *b)
{
	int fd = tcp_start("10.99.0.5", 80);

	if (went_wrong(b, fd < 0, "start"))
		return;
	failed(b, WEFT_FAIL_ABORTED);
	close(fd);
}

static void op_no_route(struct books *b)
{
	if (!went_wrong(b, tcp_to("10.99.0.6", 80) != -ENETUNREACH, "there is a route"))
		failed(b, WEFT_FAIL_NOT_SENT);
}

static void op_no_route_then_connected(struct books *b)
{
	int fd = sock_tcp("10.99.0.6");

	if (!went_wrong(b, sock_connect(fd, "10.99.0.6", 80) != -ENETUNREACH, "there is a route"))
		failed(b, WEFT_FAIL_NOT_SENT);
	if (!went_wrong(b, sock_connect(fd, "10.99.0.1", 80), "connect after no route"))
		stood(b);
	close(fd);
}

static void op_udp(struct books *b)
{
	int fd = udp_to("10.99.0.53", 53);

	if (went_wrong(b, fd < 0, "udp connect"))
		return;
	stood(b);
	close(fd);
}

static void op_udp_reconnected(struct books *b)
{
	int fd = udp_to("10.99.0.53", 53);

	if (went_wrong(b, fd < 0 || sock_connect(fd, "10.99.0.123", 123), "udp connect"))
		return;
	stood(b);
	stood(b);
	went_wrong(b, strcmp(sock_greeting(fd), "127.0.0.3:5353") != 0, "udp greeting");
	close(fd);
}

static void op_udp_disconnected(struct books *b)
{
	int fd = udp_to("10.99.0.53", 53);

	if (went_wrong(b, fd < 0, "udp connect"))
		return;
	stood(b);
	sock_disconnect(fd);
	if (!went_wrong(b, sock_connect(fd, "10.99.0.53", 53), "udp connect"))
		stood(b);
	close(fd);
}

static void op_datagram(struct books *b)
{
	int fd = sock_udp("10.99.0.53");

	if (!went_wrong(b, udp_send(fd, "10.99.0.53", 53, "word"), "sendto"))
		add(&b->opened);
	close(fd);
}

static void op_shared_with_a_child(struct books *b)
{
	int fd = web(b);
	pid_t pid;

	if (fd < 0)
		return;
	pid = fork();
	if (pid == 0)
		_exit(0);
	close(fd);
	waitpid(pid, NULL, 0);
}

static void op_killed(struct books *b)
{
	int fds[6], kept[2];
	pid_t pid;
	char c;

	if (pipe(kept))
		return;
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 4; i++)
			fds[i] = web(b);
		fds[4] = tcp_start("10.99.0.5", 80);
		failed(b, WEFT_FAIL_ABORTED);
		op_udp(b);
		fds[5] = udp_to("10.99.0.123", 123);
		stood(b);
		went_wrong(b, fds[3] < 0 || fds[4] < 0 || fds[5] < 0, "child");
		(void)!write(kept[1], "r", 1);
		for (;;)
			pause();
	}
	(void)!read(kept[0], &c, 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(kept[0]);
	close(kept[1]);
}

static int pass(int over, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 'x';
	struct iovec v = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (fd < 0) {
		if (recvmsg(over, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
			return -1;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		return fd;
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(over, &m, 0) == 1 ? 0 : -1;
}

static void pass_on(struct books *b, bool taken)
{
	int pair[2], fd = web(b);

	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return;
	went_wrong(b, pass(pair[0], fd), "pass");
	close(fd);
	if (taken) {
		fd = pass(pair[1], -1);
		went_wrong(b, fd < 0 || !*sock_greeting(fd), "passed");
		close(fd);
	}
	/* Not taken: the descriptor dies in flight. */
	close(pair[0]);
	close(pair[1]);
}

static void op_passed(struct books *b)
{
	pass_on(b, true);
}

static void op_lost_in_flight(struct books *b)
{
	pass_on(b, false);
}

const struct op ops[] = {
	{ "greeted", 190, op_greeted },
	{ "v6", 60, op_v6 },
	{ "mapped, non-blocking", 60, op_mapped_nonblocking },
	{ "closed unread", 80, op_closed_unread },
	{ "reset by client", 60, op_reset_by_client },
	{ "half closed", 60, op_half_closed },
	{ "disconnected", 40, op_disconnected },
	{ "closed by server", 60, op_closed_by_server },
	{ "reset by server", 60, op_reset_by_server },
	{ "refused", 70, op_refused },
	{ "refused, then connected", 30, op_refused_then_connected },
	{ "aborted", 40, op_aborted },
	{ "no route", 30, op_no_route },
	{ "no route, then connected", 20, op_no_route_then_connected },
	{ "udp", 40, op_udp },
	{ "udp reconnected", 30, op_udp_reconnected },
	{ "udp disconnected", 20, op_udp_disconnected },
	{ "datagram", 20, op_datagram },
	{ "passed", 12, op_passed },
	{ "lost in flight", 8, op_lost_in_flight },
	{ "shared with a child", 6, op_shared_with_a_child },
	{ "killed", 4, op_killed },
};
const size_t nr_ops = sizeof(ops) / sizeof(ops[0]);

#define expect_sum(what, found, wanted)                                                                                \
	ck_assert_msg((found) == (wanted), "%s: counted %llu, happened %llu", what, (unsigned long long)(found),       \
		      (unsigned long long)(wanted))

void expect_books(const struct books *b)
{
	struct weft_edge e;
	static const char *const failure[] = {
#define X(id, name) name,
		WEFT_FAILURES(X)
#undef X
	};

	ck_assert_msg(!b->trouble, "%llu operations went wrong, the last: %s", (unsigned long long)b->trouble, b->what);
	expect_nothing_active(&mesh, 10000);
	/* The application is done; TCP may still be at it. */
	(void)WITHIN(5000, (e = edges_total(&mesh)).closed >= b->closed);
	expect_sum("opened", e.opened, b->opened);
	expect_sum("established", e.established, b->established);
	expect_sum("closed", e.closed, b->closed);
	for (int i = 0; i < WEFT_FAIL_MAX; i++)
		expect_sum(failure[i], e.failed[i], b->failed[i]);
	expect_sum("forwarded", happened(&mesh, WEFT_R_FORWARDED), b->opened);
	expect_audit_clean(&mesh);
}

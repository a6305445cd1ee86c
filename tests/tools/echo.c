/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * echo [--delay-ms N] ADDR:PORT... : serves TCP and UDP on each address. TCP: the first line of each connection is
 * "ADDR:PORT", then every byte comes back. UDP: each datagram is answered with "ADDR:PORT". Prints "ready" when all
 * ports are open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum role { LISTENER, DATAGRAMS, CONNECTION };

struct end {
	enum role role;
	int fd;
	const char *name;
};

/* A first line or an answer whose time has not come. The delay is the same for all, so they leave in the order they
 * came. */
struct due {
	struct due *next;
	uint64_t at_ms;
	struct end *end;
	struct sockaddr_storage to; /* datagrams */
	socklen_t len;
};

static struct due *due_first, **due_last = &due_first;
static unsigned delay_ms;
static int epoll_fd;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	char host[64];
	unsigned long port;
	char *end;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || !port || port > 65535)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (text[0] == '[' && colon[-1] == ']') {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text - 2), text + 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*v6);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*ret_len = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static struct end *end_new(enum role role, int fd, const char *name)
{
	struct end *e = malloc(sizeof(*e));

	if (!e) {
		fprintf(stderr, "echo: no memory\n");
		exit(1);
	}
	*e = (struct end){ .role = role, .fd = fd, .name = name };
	return e;
}

static void watch(struct end *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = e };

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e->fd, &ev);
}

static bool open_port(const char *name, enum role role)
{
	int type = role == LISTENER ? SOCK_STREAM : SOCK_DGRAM, on = 1, fd;
	struct sockaddr_storage a;
	socklen_t len = 0;

	if (!parse(name, &a, &len)) {
		fprintf(stderr, "echo: '%s' is no ADDR:PORT\n", name);
		return false;
	}
	fd = socket(a.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) || (role == LISTENER && listen(fd, 4096))) {
		fprintf(stderr, "echo: %s: %s\n", name, strerror(errno));
		return false;
	}
	watch(end_new(role, fd, name));
	return true;
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN || poll(&p, 1, 1000) != 1) {
			return;
		}
	}
}

static void answer(struct end *e, const struct sockaddr_storage *to, socklen_t len)
{
	char line[80];
	int n = snprintf(line, sizeof(line), e->role == CONNECTION ? "%s\n" : "%s", e->name);

	if (e->role == DATAGRAMS) {
		sendto(e->fd, line, (size_t)n, 0, (const struct sockaddr *)to, len);
		return;
	}
	send_all(e->fd, line, (size_t)n);
	watch(e);
}

static void answer_later(struct end *e, const struct sockaddr_storage *to, socklen_t len)
{
	struct due *d = delay_ms ? malloc(sizeof(*d)) : NULL;

	if (!d) {
		answer(e, to, len);
		return;
	}
	*d = (struct due){ .at_ms = now_ms() + delay_ms, .end = e, .len = len };
	if (to)
		d->to = *to;
	*due_last = d;
	due_last = &d->next;
}

/* Sends what is due; returns the time to wait for the next one, -1 for ever. */
static int answer_due(void)
{
	uint64_t now = now_ms();

	while (due_first && due_first->at_ms <= now) {
		struct due *d = due_first;

		due_first = d->next;
		if (!due_first)
			due_last = &due_first;
		answer(d->end, &d->to, d->len);
		free(d);
	}
	return due_first ? (int)(due_first->at_ms - now) : -1;
}

static void serve(struct end *e)
{
	static char buf[65536];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n;
	int fd;

	switch (e->role) {
	case LISTENER:
		while ((fd = accept4(e->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
			answer_later(end_new(CONNECTION, fd, e->name), NULL, 0);
		break;
	case DATAGRAMS:
		while (recvfrom(e->fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) >= 0) {
			answer_later(e, &from, len);
			len = sizeof(from);
		}
		break;
	case CONNECTION:
		while ((n = recv(e->fd, buf, sizeof(buf), 0)) > 0)
			send_all(e->fd, buf, (size_t)n);
		if (n < 0 && errno == EAGAIN)
			break;
		close(e->fd);
		free(e);
		break;
	}
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 65536, 65536 };
	struct epoll_event ev[64];
	int first = 1;

	if (argc > 2 && !strcmp(argv[1], "--delay-ms")) {
		delay_ms = (unsigned)strtoul(argv[2], NULL, 10);
		first = 3;
	}
	if (first >= argc || argv[first][0] == '-') {
		fprintf(stderr, "usage: echo [--delay-ms N] ADDR:PORT...\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = first; i < argc; i++)
		if (!open_port(argv[i], LISTENER) || !open_port(argv[i], DATAGRAMS))
			return 1;
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll_fd, ev, 64, answer_due());

		for (int i = 0; i < n; i++)
			serve(ev[i].data.ptr);
	}
}

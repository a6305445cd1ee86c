/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plane/plane.h"
#include "sockets.h"

struct port {
	const struct listener *l; /* of the port, or of the port that a connection came to */
	char name[NAME_LEN];
	int fd;
	bool listens;
};

int leave_cgroup(void)
{
	char root[256], path[300];
	FILE *f;

	if (plane_find_cgroup(root, sizeof(root)))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/cgroup.procs", root);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fprintf(f, "0\n");
	return fclose(f) ? -errno : 0;
}

static int port_open(struct port *p, const struct listener *l)
{
	int type = l->proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
	struct sockaddr_storage a;
	socklen_t len = sock_parse(l->ip, l->port, &a);
	int on = 1;

	p->l = l;
	p->listens = true;
	sock_format(&a, p->name);
	p->fd = socket(a.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (l->proto == IPPROTO_TCP) {
		int queue = 64;

		setsockopt(p->fd, IPPROTO_TCP, 23 /* TCP_FASTOPEN */, &queue, sizeof(queue));
	}
	if (bind(p->fd, (struct sockaddr *)&a, len) || (l->proto == IPPROTO_TCP && listen(p->fd, 4096)))
		return -errno;
	return 0;
}

static void greet(int fd, const char *name)
{
	char line[NAME_LEN + 1];
	int n = snprintf(line, sizeof(line), "%s\n", name);

	(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL);
}

/* A connection with a thread of its own. */
static void *serve_blocking(void *arg)
{
	struct port *p = arg;
	char buf[65536];
	ssize_t n;

	fcntl(p->fd, F_SETFL, 0);
	if (p->l->delay_us)
		usleep(p->l->delay_us);
	greet(p->fd, p->name);
	while ((n = recv(p->fd, buf, sizeof(buf), 0)) > 0) {
		if (p->l->does != SERVER_ECHOES)
			continue;
		for (ssize_t done = 0, r; done < n; done += r) {
			r = send(p->fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL);
			if (r <= 0)
				break;
		}
	}
	close(p->fd);
	free(p);
	return NULL;
}

static void serve_accepted(int epoll, const struct port *port, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct port *p;
	pthread_t thread;

	if (port->l->does == SERVER_RESETS || port->l->does == SERVER_CLOSES) {
		greet(fd, port->name);
		if (port->l->does == SERVER_RESETS)
			close_with_reset(fd);
		else
			close(fd);
		return;
	}
	p = malloc(sizeof(*p));
	if (!p) {
		close(fd);
		return;
	}
	*p = *port;
	p->fd = fd;
	p->listens = false;
	if (p->l->delay_us || p->l->does == SERVER_ECHOES) {
		if (pthread_create(&thread, NULL, serve_blocking, p) == 0) {
			pthread_detach(thread);
		} else {
			close(fd);
			free(p);
		}
		return;
	}
	greet(fd, p->name);
	ev.data.ptr = p;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void serve_datagrams(const struct port *p)
{
	char word[256], text[512];
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	ssize_t n;

	while ((n = recvfrom(p->fd, word, sizeof(word) - 1, 0, (struct sockaddr *)&a, &len)) >= 0) {
		word[n] = '\0';
		n = snprintf(text, sizeof(text), "%s %s", p->name, word);
		sendto(p->fd, text, (size_t)n, 0, (struct sockaddr *)&a, len);
		len = sizeof(a);
	}
}

static void serve_event(int epoll, struct port *p)
{
	char buf[16384];
	ssize_t n;
	int fd;

	if (p->listens && p->l->proto == IPPROTO_UDP) {
		serve_datagrams(p);
	} else if (p->listens) {
		while ((fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
			serve_accepted(epoll, p, fd);
	} else {
		while ((n = recv(p->fd, buf, sizeof(buf), 0)) > 0)
			continue;
		if (n == 0 || errno != EAGAIN) {
			close(p->fd);
			free(p);
		}
	}
}

static _Noreturn void serve(const struct listener *l, size_t n, int ready)
{
	struct port *ports = calloc(n, sizeof(*ports));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev[64];

	for (size_t i = 0; ports && i < n; i++) {
		ev[0].events = EPOLLIN;
		ev[0].data.ptr = &ports[i];
		if (port_open(&ports[i], &l[i])) {
			fprintf(stderr, "server: cannot listen on %s:%u: %s\n", l[i].ip, l[i].port, strerror(errno));
			_exit(1);
		}
		epoll_ctl(epoll, EPOLL_CTL_ADD, ports[i].fd, &ev[0]);
	}
	(void)!write(ready, "r", 1);
	close(ready);
	for (;;) {
		int k = epoll_wait(epoll, ev, 64, -1);

		for (int i = 0; i < k; i++)
			serve_event(epoll, ev[i].data.ptr);
	}
}

pid_t server_start(const struct listener *l, size_t n, int (*prepare)(void *ctx), void *ctx)
{
	char c;
	int ready[2];
	pid_t pid;
	ssize_t got;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		close(ready[0]);
		if (leave_cgroup() || (prepare && prepare(ctx)))
			_exit(1);
		serve(l, n, ready[1]);
	}
	close(ready[1]);
	got = read(ready[0], &c, 1);
	close(ready[0]);
	if (pid > 0 && got != 1) {
		server_stop(pid);
		return -1;
	}
	return pid;
}

void server_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

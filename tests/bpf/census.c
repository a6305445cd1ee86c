/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "census.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server.h"
#include "sockets.h"

#define FILES 65536

struct hall {
	struct census *c;
	int epoll; /* of the connections */
	int listener[CENSUS_PLACES];
	size_t nr;
	uint8_t place[FILES]; /* by descriptor */
};

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void raise_to(uint32_t *most, uint32_t value)
{
	if (value > *most)
		store(most, value);
}

/* Ends connections that a byte or an end came from, until there is none. Counted before the client can know. */
static void see_out(struct hall *h)
{
	struct epoll_event ev[64];
	char byte;
	int n;

	while ((n = epoll_wait(h->epoll, ev, 64, 0)) > 0)
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
				continue;
			store(&h->c->open[h->place[fd]], h->c->open[h->place[fd]] - 1);
			store(&h->c->all, h->c->all - 1);
			close(fd);
		}
}

static void take_in(struct hall *h, size_t place)
{
	struct census *c = h->c;
	int fd = accept4(h->listener[place], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || fd >= FILES)
		return;
	h->place[fd] = (uint8_t)place;
	epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev);
	__atomic_add_fetch(&c->accepted, 1, __ATOMIC_SEQ_CST);
	store(&c->open[place], c->open[place] + 1);
	store(&c->all, c->all + 1);
	raise_to(&c->most_unread, c->all);
	/* What ended before this one came is gone before this one counts. */
	see_out(h);
	raise_to(&c->most[place], c->open[place]);
	raise_to(&c->most_all, c->all);
}

static _Noreturn void attend(struct hall *h)
{
	struct pollfd p[CENSUS_PLACES + 1];

	for (size_t i = 0; i < h->nr; i++)
		p[i] = (struct pollfd){ .fd = h->listener[i], .events = POLLIN };
	p[h->nr] = (struct pollfd){ .fd = h->epoll, .events = POLLIN };
	for (;;) {
		poll(p, h->nr + 1, -1);
		see_out(h);
		for (size_t i = 0; i < h->nr; i++)
			if (p[i].revents)
				take_in(h, i);
	}
}

static bool open_hall(struct hall *h, const char *const *ip, uint16_t port)
{
	const struct rlimit files = { FILES, FILES };

	setrlimit(RLIMIT_NOFILE, &files);
	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (h->epoll < 0)
		return false;
	for (size_t i = 0; i < h->nr; i++) {
		h->listener[i] = sock_tcp(ip[i]);
		if (h->listener[i] < 0 || sock_bind(h->listener[i], ip[i], port) || listen(h->listener[i], 4096))
			return false;
	}
	return true;
}

struct census *census_start(const char *const *ip, size_t n, uint16_t port)
{
	struct census *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static struct hall hall;
	int ready[2];
	pid_t pid;
	char byte;

	if (c == MAP_FAILED || n > CENSUS_PLACES || pipe(ready))
		return NULL;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		close(ready[0]);
		hall = (struct hall){ .c = c, .nr = n };
		if (leave_cgroup() || !open_hall(&hall, ip, port))
			_exit(1);
		(void)!write(ready[1], "r", 1);
		close(ready[1]);
		attend(&hall);
	}
	c->pid = pid;
	close(ready[1]);
	n = (size_t)read(ready[0], &byte, 1);
	close(ready[0]);
	if (n == 1)
		return c;
	census_stop(c);
	return NULL;
}

void census_stop(struct census *c)
{
	server_stop(c->pid);
	munmap(c, sizeof(*c));
}

int census_is(const struct census *c, uint32_t n, unsigned ms)
{
	while (__atomic_load_n(&c->all, __ATOMIC_SEQ_CST) != n && ms--)
		usleep(1000);
	return __atomic_load_n(&c->all, __ATOMIC_SEQ_CST) == n;
}

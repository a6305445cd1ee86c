/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "crush.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sockets.h"

#define HOLD_MAX 64

struct runner {
	pthread_t thread;
	struct crush *c;
	pthread_barrier_t *start;
	uint32_t *now;
	unsigned seed;
	int fd[HOLD_MAX];
	unsigned held;
};

uint64_t crush_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int crush_end(const struct crush *c, int fd)
{
	char byte = 'x';
	int r = 0;

	if (c->udp || c->end == CRUSH_CLIENT_CLOSES) {
		close(fd);
		return 0;
	}
	if (c->end == CRUSH_RESETS) {
		close_with_reset(fd);
		return 0;
	}
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 0)
		r = errno ? -errno : -EPROTO;
	close(fd);
	return r;
}

static void raise_to(uint32_t *most, uint32_t value)
{
	uint32_t old = __atomic_load_n(most, __ATOMIC_SEQ_CST);

	while (value > old &&
	       !__atomic_compare_exchange_n(most, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		continue;
}

static void trouble(struct crush *c, int error)
{
	c->error = error;
	__atomic_add_fetch(&c->trouble, 1, __ATOMIC_SEQ_CST);
}

static void end_one(struct runner *w)
{
	unsigned i = (unsigned)rand_r(&w->seed) % w->held;
	int fd = w->fd[i], r;

	w->fd[i] = w->fd[--w->held];
	__atomic_sub_fetch(w->now, 1, __ATOMIC_SEQ_CST);
	r = crush_end(w->c, fd);
	if (r)
		trouble(w->c, r);
}

static void connect_one(struct runner *w)
{
	struct crush *c = w->c;
	int fd;

	fd = c->udp ? udp_to(c->vip, c->port) : c->unfinished ? tcp_start(c->vip, c->port) : tcp_to(c->vip, c->port);
	if (fd >= 0) {
		w->fd[w->held++] = fd;
		raise_to(&c->most, __atomic_add_fetch(w->now, 1, __ATOMIC_SEQ_CST));
		__atomic_add_fetch(&c->taken, 1, __ATOMIC_SEQ_CST);
	} else if (fd == -ECONNREFUSED) {
		__atomic_add_fetch(&c->refused, 1, __ATOMIC_SEQ_CST);
		/* Not every time: the pressure must last. */
		if (w->held && rand_r(&w->seed) % 4 == 0)
			end_one(w);
		else
			sched_yield();
	} else {
		trouble(c, fd);
	}
}

static void *run(void *arg)
{
	struct runner *w = arg;
	const struct crush *c = w->c;

	pthread_barrier_wait(w->start);
	for (uint64_t i = 0; i < c->each && (!c->until_ns || i < c->hold || crush_clock_ns() < c->until_ns); i++) {
		/* All have begun before the first one ends anything. */
		if (i == c->hold)
			pthread_barrier_wait(w->start);
		if (w->held == c->hold)
			end_one(w);
		connect_one(w);
	}
	while (w->held)
		end_one(w);
	return NULL;
}

int crush_run(struct crush *c)
{
	struct runner *w = calloc(c->threads, sizeof(*w));
	pthread_barrier_t start;
	uint32_t now = 0;
	unsigned n;
	int r = 0;

	if (!w || c->hold > HOLD_MAX || pthread_barrier_init(&start, NULL, c->threads)) {
		free(w);
		return -EINVAL;
	}
	for (n = 0; n < c->threads && !r; n++) {
		w[n] = (struct runner){ .c = c, .start = &start, .now = &now, .seed = n + 1 };
		r = -pthread_create(&w[n].thread, NULL, run, &w[n]);
	}
	if (r)
		abort(); /* the others wait at the barrier for ever */
	for (unsigned i = 0; i < n; i++)
		pthread_join(w[i].thread, NULL);
	pthread_barrier_destroy(&start);
	free(w);
	return 0;
}

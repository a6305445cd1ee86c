/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* socket, connect, close, again and again; only connect() is timed. */
#ifndef BENCH_CONNECT_LOOP_H
#define BENCH_CONNECT_LOOP_H

#include <netinet/in.h>

#include "rig.h"
#include "services.h"

#define SERVER_PORT 7000 /* where endpoints are, and where the direct variant goes */

/* Which of the services a loop connects to: @spread of them, evenly out of the first @of, beginning with @first. */
struct targets {
	uint32_t of, spread, first; /* in services of one protocol; of = 0: no service, the endpoint itself */
	bool again;		    /* UDP only: the same socket over and over */
};

static inline void targets_pick(const struct targets *t, bool udp, uint64_t *seed, struct sockaddr_in *ret)
{
	uint32_t j, i;

	ret->sin_family = AF_INET;
	if (!t->of) {
		ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		ret->sin_port = htons(SERVER_PORT);
		return;
	}
	j = t->first + (uint32_t)(random_next(seed) >> 33) % t->spread * (t->of / t->spread);
	i = 2 * j + udp;
	ret->sin_addr.s_addr = htonl(VIP_BASE + i);
	ret->sin_port = htons(VIP_PORT);
}

static inline int listener_open(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(SERVER_PORT) };
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {
		.tv_sec = 2
	}; /* of accept(): a connect that went elsewhere is an error, not a hang */
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 16))
		return -errno;
	return MOVE(fd, -1);
}

static inline int connect_udp(const struct sockaddr_in *to, struct samples *s)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t start = now_ns();

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		return -errno;
	samples_add(s, now_ns() - start);
	return 0;
}

/* The handshake over loopback is done when connect() returns; closed by RST, so that no port waits. */
static inline int connect_tcp(const struct sockaddr_in *to, int listener, struct samples *s)
{
	struct linger rst = { .l_onoff = 1, .l_linger = 0 };
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	_cleanup_(closep) int peer = -1;
	uint64_t start;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	start = now_ns();
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
		return -errno;
	samples_add(s, now_ns() - start);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return peer < 0 ? -errno : 0;
}

/* A datagram socket may connect as often as it likes: its record in the kernel is there already, and its last endpoint
 * is let go. */
static inline int connect_again(const struct targets *t, unsigned nr, uint64_t *seed, struct samples *s)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to;

	for (unsigned i = 0; fd >= 0 && i < nr; i++) {
		uint64_t start;

		targets_pick(t, true, seed, &to);
		start = now_ns();
		if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
			return -errno;
		samples_add(s, now_ns() - start);
	}
	return fd < 0 ? -errno : 0;
}

/* @nr connects; @s starts empty and ends sorted. CPU time of the whole cycle in *ret_cpu, ns per connect. */
static inline int connect_loop(const struct targets *t, bool udp, int listener, unsigned nr, uint64_t *seed,
			       struct samples *s, double *ret_cpu)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint64_t cpu = cpu_ns();
	int r = 0;

	s->nr = 0;
	if (t->again)
		r = connect_again(t, nr, seed, s);
	for (unsigned i = 0; !r && i < nr && !t->again; i++) {
		targets_pick(t, udp, seed, &to);
		r = udp ? connect_udp(&to, s) : connect_tcp(&to, listener, s);
	}
	*ret_cpu = nr ? (double)(cpu_ns() - cpu) / nr : 0;
	samples_sort(s);
	return r;
}

#endif

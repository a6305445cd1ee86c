/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Both ends of the traffic. A connection begins with one word: the size of its messages, and what to do with them. The
 * server takes one connection at a time, and so does the client.
 */
#ifndef BENCH_FLOW_PEER_H
#define BENCH_FLOW_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "rig.h"

#define MESSAGE_MAX   65536
#define F_BULK	      0x80000000u /* take everything until EOF, then send one byte */
#define F_CLOSE_AFTER 0x40000000u /* close after the first answer */
#define F_SIZE	      0x0fffffffu

static inline int read_all(int fd, char *buf, size_t len)
{
	while (len) {
		ssize_t n = read(fd, buf, len);

		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static inline int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static inline void set_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static inline void server_bulk(int fd, char *buf)
{
	ssize_t n;

	do
		n = read(fd, buf, MESSAGE_MAX);
	while (n > 0);
	write_all(fd, buf, 1);
}

static inline void server_serve(int fd, char *buf)
{
	uint32_t word;
	size_t size;

	set_nodelay(fd);
	if (read_all(fd, (char *)&word, sizeof(word)))
		return;
	if (word & F_BULK) {
		server_bulk(fd, buf);
		return;
	}
	size = word & F_SIZE;
	if (size < sizeof(word) || size > MESSAGE_MAX)
		return;
	/* The first word is part of the first message. */
	if (read_all(fd, buf, size - sizeof(word)) || write_all(fd, buf, size) || word & F_CLOSE_AFTER)
		return;
	while (!read_all(fd, buf, size) && !write_all(fd, buf, size))
		;
}

static inline int server_listen(uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
		return -errno;
	return MOVE(fd, -1);
}

static inline void server_loop(int listener)
{
	static char buf[MESSAGE_MAX];

	for (;;) {
		_cleanup_(closep) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			server_serve(fd, buf);
		else if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static inline int client_connect(const struct sockaddr_in *to)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		return -errno;
	set_nodelay(fd);
	return MOVE(fd, -1);
}

/* What one run of one variant did. */
struct flow_result {
	uint64_t requests, bytes, ns;
};

static inline int client_requests(const struct sockaddr_in *to, size_t size, uint64_t duration, struct samples *s,
				  struct flow_result *ret)
{
	static char buf[MESSAGE_MAX];
	uint32_t word = (uint32_t)size;
	_cleanup_(closep) int fd = client_connect(to);
	uint64_t begin = now_ns(), last = begin;
	int r = fd < 0 ? fd : 0;

	s->nr = 0;
	memset(ret, 0, sizeof(*ret));
	while (!r && last - begin < duration) {
		uint64_t start = last;

		memcpy(buf, &word, sizeof(word));
		r = write_all(fd, buf, size);
		if (!r)
			r = read_all(fd, buf, size);
		last = now_ns();
		samples_add(s, last - start);
		ret->requests++;
	}
	ret->bytes = ret->requests * size;
	ret->ns = last - begin;
	return r;
}

/* connect, request, response, close; the server closes first, so that the client's ports do not wait. */
static inline int client_crr(const struct sockaddr_in *to, size_t size, uint64_t duration, struct samples *s,
			     struct flow_result *ret)
{
	static char buf[MESSAGE_MAX];
	uint32_t word = (uint32_t)size | F_CLOSE_AFTER;
	uint64_t begin = now_ns(), last = begin;
	int r = 0;

	s->nr = 0;
	memset(ret, 0, sizeof(*ret));
	while (!r && last - begin < duration) {
		uint64_t start = last;
		_cleanup_(closep) int fd = client_connect(to);

		if (fd < 0)
			return fd;
		memcpy(buf, &word, sizeof(word));
		r = write_all(fd, buf, size);
		if (!r)
			r = read_all(fd, buf, size);
		if (!r && read(fd, buf, 1) != 0)
			r = -EPROTO;
		last = now_ns();
		samples_add(s, last - start);
		ret->requests++;
	}
	ret->bytes = ret->requests * size;
	ret->ns = last - begin;
	return r;
}

/* Writes of @size until the time is over; done when the other side has read all. */
static inline int client_bulk(const struct sockaddr_in *to, size_t size, uint64_t duration, struct samples *s,
			      struct flow_result *ret)
{
	static char buf[MESSAGE_MAX];
	uint32_t word = F_BULK;
	_cleanup_(closep) int fd = client_connect(to);
	uint64_t begin = now_ns(), last = begin;
	int r = fd < 0 ? fd : write_all(fd, (char *)&word, sizeof(word));

	s->nr = 0;
	memset(ret, 0, sizeof(*ret));
	while (!r && last - begin < duration) {
		uint64_t start = last;

		r = write_all(fd, buf, size);
		last = now_ns();
		samples_add(s, last - start);
		ret->requests++;
	}
	if (!r && shutdown(fd, SHUT_WR))
		r = -errno;
	if (!r)
		r = read_all(fd, buf, 1);
	ret->bytes = ret->requests * size;
	ret->ns = now_ns() - begin;
	return r;
}

#endif

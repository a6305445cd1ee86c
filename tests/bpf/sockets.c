/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

socklen_t sock_parse(const char *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1) {
		memcpy(ret, &v6, sizeof(v6));
		return sizeof(v6);
	}
	return 0;
}

char *sock_format(const struct sockaddr_storage *a, char text[NAME_LEN])
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;

		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
		snprintf(text, NAME_LEN, "%s:%u", ip, ntohs(v4->sin_port));
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

		inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
		snprintf(text, NAME_LEN, "[%s]:%u", ip, ntohs(v6->sin6_port));
	}
	return text;
}

static int sock_new(const char *like_ip, int type)
{
	const struct timeval patience = { .tv_sec = 5 };
	struct sockaddr_storage a;
	int fd;

	if (!sock_parse(like_ip, 0, &a))
		return -EINVAL;
	fd = socket(a.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

int sock_tcp(const char *like_ip)
{
	return sock_new(like_ip, SOCK_STREAM);
}

int sock_udp(const char *like_ip)
{
	return sock_new(like_ip, SOCK_DGRAM);
}

int sock_connect(int fd, const char *ip, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = sock_parse(ip, port, &a);

	return connect(fd, (struct sockaddr *)&a, len) ? -errno : 0;
}

int sock_bind(int fd, const char *ip, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = sock_parse(ip, port, &a);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* With a port of 0 the kernel may choose it at connect(), as a plain client's. */
	if (!port)
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&a, len) ? -errno : 0;
}

int sock_disconnect(int fd)
{
	struct sockaddr a = { .sa_family = AF_UNSPEC };

	return connect(fd, &a, sizeof(a)) ? -errno : 0;
}

static int connected(int fd, const char *ip, uint16_t port)
{
	int r;

	if (fd < 0)
		return fd;
	r = sock_connect(fd, ip, port);
	if (r) {
		close(fd);
		return r;
	}
	return fd;
}

int tcp_to(const char *ip, uint16_t port)
{
	return connected(sock_tcp(ip), ip, port);
}

int udp_to(const char *ip, uint16_t port)
{
	return connected(sock_udp(ip), ip, port);
}

int tcp_start(const char *ip, uint16_t port)
{
	int fd = sock_new(ip, SOCK_STREAM | SOCK_NONBLOCK);
	int r;

	if (fd < 0)
		return fd;
	r = sock_connect(fd, ip, port);
	if (r && r != -EINPROGRESS) {
		close(fd);
		return r;
	}
	return fd;
}

int tcp_finish(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		return -errno;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return -error;
}

const char *sock_peer(int fd)
{
	static __thread char text[NAME_LEN];
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	return getpeername(fd, (struct sockaddr *)&a, &len) ? "" : sock_format(&a, text);
}

const char *sock_name(int fd)
{
	static __thread char text[NAME_LEN];
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	return getsockname(fd, (struct sockaddr *)&a, &len) ? "" : sock_format(&a, text);
}

const char *sock_greeting(int fd)
{
	static __thread struct answer answer;
	char line[NAME_LEN];
	size_t n = 0;
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return "";
	if (type == SOCK_DGRAM) {
		if (send(fd, "who", 3, 0) != 3 || udp_receive(fd, &answer))
			return "";
		return answer.served_by;
	}
	while (n < sizeof(line) - 1) {
		if (recv(fd, line + n, 1, 0) != 1)
			return "";
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	snprintf(answer.served_by, sizeof(answer.served_by), "%s", line);
	return answer.served_by;
}

int udp_send(int fd, const char *ip, uint16_t port, const char *word)
{
	struct sockaddr_storage a;
	socklen_t len = sock_parse(ip, port, &a);

	return sendto(fd, word, strlen(word), 0, (struct sockaddr *)&a, len) < 0 ? -errno : 0;
}

int udp_parse(const char *text, struct answer *ret)
{
	return sscanf(text, "%63s %63s", ret->served_by, ret->word) == 2 ? 0 : -EPROTO;
}

int udp_receive(int fd, struct answer *ret)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char text[2 * NAME_LEN];
	ssize_t n = recvfrom(fd, text, sizeof(text) - 1, 0, (struct sockaddr *)&a, &len);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	sock_format(&a, ret->source);
	return udp_parse(text, ret);
}

int udp_ask(int fd, const char *ip, uint16_t port, const char *word, struct answer *ret)
{
	int r = udp_send(fd, ip, port, word);

	while (!r) {
		r = udp_receive(fd, ret);
		if (!r && !strcmp(ret->word, word))
			break;
	}
	return r;
}

void close_with_reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/listen.h"
#include "base/cleanup.h"
#include "model/service.h"

#define BACKLOG 64

int listen_tcp(const char *address)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	_cleanup_(closep) int fd = -1;
	struct weft_addr addr;
	const int one = 1;
	uint16_t port;
	bool is_four;
	int r;

	if (addr_port_parse(address, &addr, &port) < 0)
		return -EINVAL;
	is_four = weft_addr_is_v4(&addr);
	fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (is_four) {
		four.sin_port = htons(port);
		four.sin_addr.s_addr = weft_addr_word(&addr, 3);
		r = bind(fd, (const struct sockaddr *)(const void *)&four, sizeof(four));
	} else {
		six.sin6_port = htons(port);
		memcpy(&six.sin6_addr, addr.byte, sizeof(addr.byte));
		r = bind(fd, (const struct sockaddr *)(const void *)&six, sizeof(six));
	}
	if (r == -1 || listen(fd, BACKLOG) == -1)
		return -errno;
	return MOVE(fd, -1);
}

/* Makes the folder that @path lies in, unless it is there. */
static void make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = '\0';
	mkdir(folder, 0755); /* when that failed, bind() says so */
}

static bool somebody_answers(const struct sockaddr_un *at)
{
	_cleanup_(closep) int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd >= 0 && (connect(fd, (const struct sockaddr *)(const void *)at, sizeof(*at)) == 0 || errno == EAGAIN);
}

int listen_unix(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = -1;
	struct stat st;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	memcpy(at.sun_path, path, strlen(path));
	make_folder(path);
	if (somebody_answers(&at))
		return -EADDRINUSE;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)(const void *)&at, sizeof(at)) == -1 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if (listen(fd, BACKLOG) == -1)
		return -errno;
	return MOVE(fd, -1);
}

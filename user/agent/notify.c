/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/notify.h"
#include "base/cleanup.h"

int notify_send(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = -1;
	size_t len;

	if (!path || !*path)
		return 0;
	len = strlen(path);
	if ((*path != '/' && *path != '@') || len >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0'; /* abstract: the length says where it ends */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	len += offsetof(struct sockaddr_un, sun_path);
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)(const void *)&to,
		   (socklen_t)len) == -1)
		return -errno;
	return 0;
}

static int send_status(const char *first, const char *status)
{
	char message[768], *end;

	snprintf(message, sizeof(message), "%sSTATUS=%s", first, status);
	/* A line break would begin a message of its own. */
	end = strstr(message, "STATUS=");
	for (char *c = end; c && *c; c++)
		if (*c == '\n')
			*c = ' ';
	return notify_send(message);
}

int notify_ready(const char *status)
{
	return send_status("READY=1\n", status);
}

int notify_status(const char *status)
{
	return send_status("", status);
}

int notify_reloading(void)
{
	struct timespec now;
	char message[96];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	return notify_send(message);
}

int notify_stopping(void)
{
	return notify_send("STOPPING=1");
}

int notify_watchdog(void)
{
	return notify_send("WATCHDOG=1");
}

static int parse_u64(const char *text, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = n;
	return 0;
}

uint64_t notify_watchdog_ms(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t us, whose;

	if (parse_u64(getenv("WATCHDOG_USEC"), &us) < 0 || us == 0)
		return 0;
	if (pid && (parse_u64(pid, &whose) < 0 || whose != (uint64_t)getpid()))
		return 0;
	return us / 2000 ? us / 2000 : 1;
}

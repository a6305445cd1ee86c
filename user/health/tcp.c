/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A connection comes to stand. It is ended by a reset, as HAProxy ends its checks: nothing was said on it, and a closed
 * one would stay with us in TIME_WAIT for a minute, thousands of them for thousands of endpoints. */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <unistd.h>

#include "base/log.h"
#include "health/probe.h"

struct tcp_probe {
	struct probe p;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	unsigned closing;
};

static void on_closed(uv_handle_t *handle)
{
	struct tcp_probe *t = handle->data;

	if (--t->closing == 0)
		probe_free(&t->p);
}

static void end(struct tcp_probe *t)
{
	t->closing = 2;
	uv_close((uv_handle_t *)&t->poll, on_closed);
	uv_close((uv_handle_t *)&t->timer, on_closed);
	close(t->fd);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct tcp_probe *t = poll->data;
	socklen_t len = sizeof(int);
	int error = 0;

	/* The status of libuv says that there is an error, not which. */
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (!error)
		error = -status;
	if (error)
		probe_done(&t->p, false, "%s", log_strerror(-error));
	else
		probe_done(&t->p, true, "connected");
	end(t);
}

static void on_timeout(uv_timer_t *timer)
{
	struct tcp_probe *t = timer->data;

	probe_done(&t->p, false, "no answer within %u ms", t->p.check->timeout_ms);
	end(t);
}

static int begin_connect(struct probe *p, int *ret_fd)
{
	const struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage to;
	socklen_t len = probe_sockaddr(&p->addr, p->port, &to);
	int fd = probe_socket(p, to.ss_family, SOCK_STREAM, IPPROTO_TCP);

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (const struct sockaddr *)&to, len) == -1 && errno != EINPROGRESS) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int start(struct probe *p)
{
	struct tcp_probe *t = (struct tcp_probe *)p;
	uv_loop_t *loop = probe_loop(p);
	int r;

	r = begin_connect(p, &t->fd);
	if (r < 0)
		return r;
	r = uv_poll_init(loop, &t->poll, t->fd);
	if (r < 0) {
		close(t->fd);
		return r;
	}
	uv_timer_init(loop, &t->timer);
	t->poll.data = t->timer.data = t;
	uv_timer_start(&t->timer, on_timeout, p->check->timeout_ms, 0);
	uv_poll_start(&t->poll, UV_WRITABLE, on_writable);
	return 0;
}

static void stop(struct probe *p)
{
	end((struct tcp_probe *)p);
}

const struct probe_type probe_tcp = { sizeof(struct tcp_probe), start, stop };

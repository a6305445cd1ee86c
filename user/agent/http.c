/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* libmicrohttpd without threads: its epoll descriptor is one more that the loop polls, its timeout one more timer. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/http.h"
#include "agent/listen.h"
#include "agent/privs.h"
#include "agent/request.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "base/log.h"

#define CONNECTIONS_MAX 64u
#define IDLE_SECONDS	15u
#define REQUEST_BYTES	(size_t)(16 * 1024)
#define RETRY_MS	5000

struct server {
	struct request_door door;  /* first */
	const char *where;	   /* NULL: not wanted */
	struct MHD_Daemon *daemon; /* NULL: does not listen yet */
	uv_poll_t poll;
	uv_timer_t timer; /* while it listens: its next timeout; else: the next try */
	unsigned closing;
	bool complained;
};

struct http {
	struct server tcp, local;
	unsigned open; /* servers whose handles live */
};

static void on_timer(uv_timer_t *timer);

static void serve(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		uv_timer_start(&s->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&s->timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	serve(poll->data);
}

static void wake(struct request_door *door)
{
	serve((struct server *)(void *)door);
}

static struct MHD_Daemon *start_daemon(struct server *s, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_answer, &s->door,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				REQUEST_BYTES, MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL, MHD_OPTION_END);
}

/* 0 or negative errno. */
static int start_server(struct server *s)
{
	const union MHD_DaemonInfo *info;
	_cleanup_(closep) int fd = -1;
	int r;

	privs_enter(); /* a port below 1024 */
	fd = s->door.is_local ? listen_unix(s->where) : listen_tcp(s->where);
	privs_leave();
	if (fd < 0)
		return fd;
	s->daemon = start_daemon(s, fd);
	if (!s->daemon)
		return -ENOMEM;
	fd = -1; /* the daemon's now */
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	r = info ? uv_poll_init(&s->door.agent->loop, &s->poll, info->epoll_fd) : -ENOTSUP;
	if (r < 0) {
		MHD_stop_daemon(MOVE(s->daemon, NULL));
		return r;
	}
	s->poll.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	serve(s);
	return 0;
}

static void try_server(struct server *s)
{
	int r = start_server(s);

	if (r == 0) {
		if (s->complained)
			log_msg(LOG_L_INFO, "listening on %s now", s->where);
		return;
	}
	if (!s->complained)
		log_err(r, "cannot listen on %s for %s; trying again every %u s", s->where,
			s->door.is_local ? "`weft status`" : "metrics", RETRY_MS / 1000);
	s->complained = true;
	uv_timer_start(&s->timer, on_timer, RETRY_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct server *s = timer->data;

	if (s->daemon)
		serve(s);
	else
		try_server(s);
}

static void add_server(struct http *h, struct server *s, struct agent *a, const char *where, bool is_local)
{
	s->door = (struct request_door){ a, is_local, wake };
	s->where = where;
	uv_timer_init(&a->loop, &s->timer);
	s->timer.data = s;
	h->open++;
	if (where)
		try_server(s);
}

int http_new(struct agent *a, struct http **ret)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	add_server(h, &h->tcp, a, a->settings.metrics_listen, false);
	add_server(h, &h->local, a, a->settings.socket, true);
	*ret = h;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct server *s = handle->data;
	struct http *h = s->door.is_local ? (struct http *)(void *)((char *)s - offsetof(struct http, local))
					  : (struct http *)(void *)((char *)s - offsetof(struct http, tcp));

	if (--s->closing == 0 && --h->open == 0)
		free(h);
}

static void close_server(struct server *s)
{
	s->closing = 1 + (s->daemon != NULL);
	if (s->daemon) {
		uv_close((uv_handle_t *)&s->poll, on_closed);
		MHD_stop_daemon(MOVE(s->daemon, NULL));
		if (s->door.is_local)
			unlink(s->where);
	}
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	close_server(&h->tcp);
	close_server(&h->local);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>

#include "discovery/http_multi.h"

struct multi {
	uv_loop_t *loop;
	CURLM *curl;
	uv_timer_t timer;
	void (*done)(CURL *easy, CURLcode code);
	void (*closed)(void *ctx);
	void *ctx;
};

struct watched {
	uv_poll_t poll;
	struct multi *multi;
	curl_socket_t fd;
};

static void collect(struct multi *m)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(m->curl, &left))) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(m->curl, easy);
		m->done(easy, code);
	}
}

static void on_timeout(uv_timer_t *timer)
{
	struct multi *m = timer->data;
	int running;

	curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(m);
}

static int set_timer(CURLM *curl, long ms, void *ctx)
{
	struct multi *m = ctx;

	if (ms < 0)
		uv_timer_stop(&m->timer);
	else
		uv_timer_start(&m->timer, on_timeout, (uint64_t)ms, 0);
	return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	struct multi *m = w->multi;
	int running, flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(m->curl, w->fd, flags, &running);
	collect(m);
}

static void on_unwatched(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watched *watch_socket(struct multi *m, curl_socket_t fd)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (uv_poll_init(m->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->multi = m;
	w->fd = fd;
	curl_multi_assign(m->curl, fd, w);
	return w;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct watched *w = socket_ctx;
	struct multi *m = ctx;

	if (what == CURL_POLL_REMOVE) {
		if (w) {
			curl_multi_assign(m->curl, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, on_unwatched);
		}
		return 0;
	}
	if (!w)
		w = watch_socket(m, fd);
	if (!w)
		return 0; /* the call's time will run out */
	uv_poll_start(&w->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
		      on_poll);
	return 0;
}

int multi_new(uv_loop_t *loop, void (*done)(CURL *easy, CURLcode code), struct multi **ret)
{
	struct multi *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	m->curl = curl_multi_init();
	if (!m->curl) {
		free(m);
		return -ENOMEM;
	}
	m->loop = loop;
	m->done = done;
	uv_timer_init(loop, &m->timer);
	m->timer.data = m;
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	*ret = m;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct multi *m = handle->data;
	void (*closed)(void *ctx) = m->closed;
	void *ctx = m->ctx;

	free(m);
	if (closed)
		closed(ctx);
}

void multi_free(struct multi *m, void (*closed)(void *ctx), void *ctx)
{
	/* Closes what is kept open, and so takes its polls away. */
	curl_multi_cleanup(m->curl);
	m->closed = closed;
	m->ctx = ctx;
	uv_close((uv_handle_t *)&m->timer, on_closed);
}

int multi_add(struct multi *m, CURL *easy)
{
	return curl_multi_add_handle(m->curl, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void multi_remove(struct multi *m, CURL *easy)
{
	curl_multi_remove_handle(m->curl, easy);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* libcurl's multi interface on libuv: it says which sockets to watch and when to wake it. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "health/inside.h"
#include "health/web.h"

#define CA_SECONDS 600L /* as long a CA file is kept in memory; reading one with every check is dear */

struct web {
	struct health *health;
	CURLM *multi;
	uv_timer_t timer;
};

struct watched {
	uv_poll_t poll;
	struct web *web;
	curl_socket_t fd;
};

static void web_probe_free(struct web_probe *w)
{
	if (w->easy) {
		curl_multi_remove_handle(w->web->multi, w->easy);
		curl_easy_cleanup(w->easy);
	}
	curl_slist_free_all(w->connect_to);
	curl_slist_free_all(w->headers);
	free(w->body);
}

static void collect(struct web *web)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(web->multi, &left))) {
		struct web_probe *w;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&w);
		web_verdict(w, code);
		web_probe_free(w);
		probe_free(&w->p);
	}
}

static void on_timeout(uv_timer_t *timer)
{
	struct web *web = timer->data;
	int running;

	curl_multi_socket_action(web->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(web);
}

static int set_timer(CURLM *multi, long ms, void *ctx)
{
	struct web *web = ctx;

	if (ms < 0)
		uv_timer_stop(&web->timer);
	else
		uv_timer_start(&web->timer, on_timeout, (uint64_t)ms, 0);
	return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watched *s = poll->data;
	struct web *web = s->web;
	int running, flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(web->multi, s->fd, flags, &running);
	collect(web);
}

static void on_unwatched(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watched *watch_socket(struct web *web, curl_socket_t fd)
{
	struct watched *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (uv_poll_init(web->health->loop, &s->poll, fd) < 0) {
		free(s);
		return NULL;
	}
	s->poll.data = s;
	s->web = web;
	s->fd = fd;
	curl_multi_assign(web->multi, fd, s);
	return s;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct watched *s = socket_ctx;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (s) {
			curl_multi_assign(((struct web *)ctx)->multi, fd, NULL);
			uv_close((uv_handle_t *)&s->poll, on_unwatched);
		}
		return 0;
	}
	if (!s)
		s = watch_socket(ctx, fd);
	if (!s)
		return 0; /* the probe's time will run out */
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&s->poll, events, on_poll);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct web *web = handle->data;
	struct health *h = web->health;

	curl_multi_cleanup(web->multi);
	free(web);
	health_closed(h);
}

void web_free(struct web *web)
{
	if (web)
		uv_close((uv_handle_t *)&web->timer, on_closed);
}

static struct web *web_new(struct health *h)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web)
		return NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	web->multi = curl_multi_init();
	if (!web->multi) {
		free(web);
		return NULL;
	}
	web->health = h;
	uv_timer_init(h->loop, &web->timer);
	web->timer.data = web;
	curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web);
	curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web);
	health_opened(h);
	return web;
}

static int start(struct probe *p)
{
	struct web_probe *w = (struct web_probe *)p;
	int r;

	if (!p->health->web)
		p->health->web = web_new(p->health);
	w->web = p->health->web;
	if (!w->web)
		return -ENOMEM;
	w->grpc_status = -1;
	r = web_setup(w);
	if (r == 0) {
		curl_easy_setopt(w->easy, CURLOPT_CA_CACHE_TIMEOUT, CA_SECONDS);
		r = curl_multi_add_handle(w->web->multi, w->easy) == CURLM_OK ? 0 : -ENOMEM;
	}
	if (r < 0)
		web_probe_free(w);
	return r;
}

static void stop(struct probe *p)
{
	web_probe_free((struct web_probe *)p);
	probe_free(p);
}

const struct probe_type probe_web = { sizeof(struct web_probe), start, stop };

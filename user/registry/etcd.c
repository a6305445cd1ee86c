/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * etcd v3 by its HTTP gateway. Each source reads its prefix and then watches it on a connection of its own; whatever
 * goes wrong, it reads the prefix anew. One question a few seconds apart tells whether the server is alive: a watch
 * alone is silent for minutes when nothing changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/etcd.h"
#include "registry/providers.h"

#define TIMEOUT_MS   5000
#define BACKOFF_MOST 30000
#define READS	     10
#define PING_MS	     5000

/* Everybody begins anew, spread a little. */
static void restart_all(struct etcd *e, uint32_t ms)
{
	for (struct etcd_lookup *l = e->lookups; l; l = l->next)
		etcd_lookup_restart(l, ms ? jitter(ms) : 0);
	for (struct etcd_announcement *a = e->announcements; a; a = a->next)
		etcd_announcement_restart(a, ms ? jitter(ms) : 0);
}

void etcd_next_server(struct etcd *e)
{
	e->current = (e->current + 1) % e->servers.nr;
}

/* ---- authentication ---- */

static void drop_token(struct etcd *e)
{
	free(MOVE(e->token, NULL));
	free(MOVE(e->token_header, NULL));
}

static bool needs_token(const struct etcd *e)
{
	return options_text(e->r.options, "user", NULL) && !e->token;
}

static void on_auth_time(uv_timer_t *timer);

static void auth_again(struct etcd *e)
{
	uv_timer_start(&e->auth_timer, on_auth_time, backoff_next(&e->auth_backoff), 0);
}

static void on_auth(void *ctx, const struct http_response *res)
{
	struct etcd *e = ctx;
	char token[2048];

	e->auth = NULL;
	if (res->error) {
		registry_failed(&e->r, "%s: %s", e->servers.at[e->current], res->text);
		etcd_next_server(e);
		auth_again(e);
		return;
	}
	if (res->status != 200 || !etcd_text(res->body, res->body_len, "token", token, sizeof(token)) || !*token) {
		registry_failed(&e->r, "%s does not take the user and password (status %ld)", e->servers.at[e->current],
				res->status);
		auth_again(e);
		return;
	}
	e->token = strdup(token);
	if (!e->token || asprintf(&e->token_header, "Authorization: %s", token) < 0) {
		e->token_header = NULL;
		drop_token(e);
		auth_again(e);
		return;
	}
	backoff_reset(&e->auth_backoff);
	restart_all(e, 0);
}

static int authenticate(struct etcd *e)
{
	const char *user = options_text(e->r.options, "user", ""),
		   *file = options_text(e->r.options, "password-file", NULL);
	_cleanup_(freep) char *secret = file ? secret_read(file) : NULL;
	_cleanup_(freep) char *body = NULL, *url = NULL;
	struct http_request q = { .method = "POST", .tls = &e->tls, .on_done = on_auth, .ctx = e };

	if (e->auth || uv_is_active((uv_handle_t *)&e->auth_timer))
		return 0;
	if (file && !secret) {
		registry_failed(&e->r, "password-file %s cannot be read: %s", file, strerror(errno));
		auth_again(e);
		return 0;
	}
	body = etcd_auth_body(user, secret ? secret : options_text(e->r.options, "password", ""));
	if (!body || asprintf(&url, "%s/v3/auth/authenticate", e->servers.at[e->current]) < 0)
		return -ENOMEM;
	q.url = url;
	q.body = body;
	q.body_len = strlen(body);
	q.total_ms = e->timeout_ms;
	return http_start(e->r.http, &q, &e->auth);
}

static void on_auth_time(uv_timer_t *timer)
{
	struct etcd *e = timer->data;

	if (needs_token(e) && authenticate(e) < 0)
		auth_again(e);
}

/* ---- questions ---- */

int etcd_ask(struct etcd *e, struct etcd_request *q, struct http_call **ret)
{
	const char *headers[] = { "Content-Type: application/json", NULL, NULL };
	_cleanup_(freep) char *body = MOVE(q->body, NULL);
	_cleanup_(freep) char *url = NULL;
	struct http_request h = { .method = "POST",
				  .tls = &e->tls,
				  .headers = headers,
				  .on_data = q->on_data,
				  .on_done = q->on_done,
				  .ctx = q->ctx };
	int r;

	if (needs_token(e)) {
		r = authenticate(e);
		return r ? r : -EAGAIN;
	}
	if (!body || asprintf(&url, "%s%s", e->servers.at[e->current], q->path) < 0)
		return -ENOMEM;
	headers[1] = e->token_header;
	h.url = url;
	h.body = body;
	h.body_len = strlen(body);
	h.total_ms = q->stream ? 0 : e->timeout_ms;
	h.connect_ms = e->timeout_ms;
	return http_start(e->r.http, &h, ret);
}

bool etcd_good(struct etcd *e, const struct http_response *res, char *text, size_t len)
{
	char said[128];

	if (!res->error && res->status == 200)
		return true;
	if (res->error) {
		snprintf(text, len, "%s: %s", e->servers.at[e->current], res->text);
		return false;
	}
	etcd_text(res->body, res->body_len, "error", said, sizeof(said));
	snprintf(text, len, "%s answers status %ld%s%s", e->servers.at[e->current], res->status, *said ? ": " : "",
		 said);
	if (res->status == 401 || strstr(said, "auth"))
		drop_token(e);
	return false;
}

/* ---- is it alive? ---- */

static void on_ping_time(uv_timer_t *timer);

static void on_ping(void *ctx, const struct http_response *res)
{
	struct etcd *e = ctx;

	e->ping = NULL;
	uv_timer_start(&e->ping_timer, on_ping_time, jitter(PING_MS), 0);
	if (!res->error) {
		registry_heard(&e->r);
		return;
	}
	registry_failed(&e->r, "%s: %s", e->servers.at[e->current], res->text);
	etcd_next_server(e);
	restart_all(e, 100);
}

/* Its version: no rights are needed for that. */
static void on_ping_time(uv_timer_t *timer)
{
	struct etcd *e = timer->data;
	_cleanup_(freep) char *url = NULL;
	struct http_request q = { .tls = &e->tls, .total_ms = e->timeout_ms, .on_done = on_ping, .ctx = e };

	if (asprintf(&url, "%s/version", e->servers.at[e->current]) < 0 || e->ping)
		return;
	q.url = url;
	if (http_start(e->r.http, &q, &e->ping))
		uv_timer_start(&e->ping_timer, on_ping_time, PING_MS, 0);
}

/* ---- from beginning to end ---- */

static void free_texts(struct etcd *e)
{
	http_servers_done(&e->servers);
	drop_token(e);
}

static int etcd_open(struct registry *r)
{
	struct etcd *e = (struct etcd *)r;
	uint32_t reads = options_number(r->options, "reads-per-second", READS);
	int error;

	e->timeout_ms = options_ms(r->options, "timeout", TIMEOUT_MS);
	e->backoff_ms = options_ms(r->options, "backoff-max", BACKOFF_MOST);
	http_tls_from(r->options, &e->tls);
	error = http_servers_read(r, http_server_parse, "\"http://host:port\" or \"https://host:port\"", &e->servers);
	if (error)
		return error;
	pace_init(&e->pace, reads, reads, uv_now(r->loop));
	e->auth_backoff = (struct backoff){ .first_ms = 200, .most_ms = e->backoff_ms };
	uv_timer_init(r->loop, &e->ping_timer);
	uv_timer_init(r->loop, &e->auth_timer);
	e->ping_timer.data = e->auth_timer.data = e;
	e->handles = 2;
	uv_timer_start(&e->ping_timer, on_ping_time, jitter(PING_MS), 0);
	return 0;
}

void etcd_handle_closed(struct etcd *e)
{
	if (--e->handles)
		return;
	free_texts(e);
	registry_closed(&e->r);
}

static void on_closed(uv_handle_t *handle)
{
	etcd_handle_closed(handle->data);
}

static void etcd_close(struct registry *r)
{
	struct etcd *e = (struct etcd *)r;

	http_cancel(MOVE(e->auth, NULL));
	http_cancel(MOVE(e->ping, NULL));
	uv_close((uv_handle_t *)&e->ping_timer, on_closed);
	uv_close((uv_handle_t *)&e->auth_timer, on_closed);
}

static const char *const said[] = { "ttl", NULL };

const struct provider provider_etcd = {
	.said = said,
	.type = "etcd",
	.registry_size = sizeof(struct etcd),
	.lookup_size = sizeof(struct etcd_lookup),
	.announcement_size = sizeof(struct etcd_announcement),
	.open = etcd_open,
	.close = etcd_close,
	.start = etcd_start,
	.stop = etcd_stop,
	.announce = etcd_announce,
	.changed = etcd_changed,
	.withdraw = etcd_withdraw,
};

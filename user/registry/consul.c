/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Consul as a registry: its servers, one at a time, and how they are asked. A server that answers is kept; one that
 * fails is left for the next. Watches are in consul_watch.c, local endpoints in consul_register.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/consul.h"
#include "registry/providers.h"

#define TIMEOUT_MS     5000
#define TIMEOUT_MOST   600000
#define WAIT_MS	       300000
#define BACKOFF_MAX_MS 30000
#define PER_SECOND     100 /* reads of an agent beside us; each service has a limit of its own besides */
#define CONNECTIONS    128 /* a server stands 200 of one address (limits.http_max_conns_per_client) */
#define CONNECT_MS     3000
#define SILENT_MOST    2

/* ---- asking ---- */

static int token_header(struct consul *c, char **ret, char *why, size_t why_len)
{
	const char *token = options_text(c->r.options, "token", NULL);
	const char *file = options_text(c->r.options, "token-file", NULL);
	_cleanup_(freep) char *read = NULL;

	if (file) { /* anew each time: tokens are exchanged */
		read = secret_read(file);
		if (!read) {
			int r = -errno;

			snprintf(why, why_len, "cannot read the token in %s: %s", file, log_strerror(r));
			return r;
		}
		token = read;
	}
	if (!token || !*token)
		return 0;
	if (strpbrk(token, "\r\n")) {
		snprintf(why, why_len, "the token has more than one line");
		return -EINVAL;
	}
	if (asprintf(ret, "X-Consul-Token: %s", token) == -1) {
		*ret = NULL;
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	if (read)
		explicit_bzero(read, strlen(read));
	return 0;
}

int consul_ask(struct consul *c, const struct consul_ask *a, struct http_call **ret, char *why, size_t why_len)
{
	_cleanup_(freep) char *url = NULL;
	_cleanup_(freep) char *token = NULL;
	const char *headers[3] = { NULL };
	struct http_request q = { .method = a->method,
				  .headers = headers,
				  .body = a->body,
				  .body_len = a->body ? strlen(a->body) : 0,
				  .tls = &c->tls,
				  .gzip = true,
				  .connect_ms = CONNECT_MS,
				  .total_ms = a->total_ms,
				  .on_done = a->on_done,
				  .ctx = a->ctx };
	size_t nr = 0;
	int r = token_header(c, &token, why, why_len);

	if (r)
		return r;
	if (token)
		headers[nr++] = token;
	if (a->body)
		headers[nr++] = "Content-Type: application/json";
	if (!a->path || asprintf(&url, "%s%s", c->servers.at[a->server], a->path) == -1) {
		url = NULL;
		r = -ENOMEM;
	} else {
		q.url = url;
		r = http_start(c->r.http, &q, ret);
	}
	if (token)
		explicit_bzero(token, strlen(token));
	if (r)
		snprintf(why, why_len, "%s cannot be asked: %s", c->servers.at[a->server], log_strerror(r));
	return r;
}

bool consul_is_unwell(const struct http_response *res)
{
	return res->error || res->status >= 500 || res->status == 429;
}

static const char *transport(const struct http_response *res)
{
	switch (res->error) {
	case -ECONNREFUSED:
		return "cannot be connected to";
	case -ETIMEDOUT:
		return "does not answer in time";
	case -EHOSTUNREACH:
		return "has no address";
	case -ENOMEM:
		return "no memory to ask it";
	default:
		return NULL;
	}
}

void consul_why(const struct consul *c, size_t server, const struct http_response *res, char *ret, size_t len)
{
	const char *name = c->servers.nr > 1 ? "no server answers; the last one" : c->servers.at[server];
	const char *how = transport(res);
	char reason[200];

	consul_reason(res->body, reason, sizeof(reason));
	if (how)
		snprintf(ret, len, "%s %s", name, how);
	else if (res->error)
		snprintf(ret, len, "%s: %s", name, res->text);
	else if (res->status >= 500 || res->status == 429)
		snprintf(ret, len, "%s: status %ld%s%s", name, res->status, *reason ? ": " : "", reason);
	else
		snprintf(ret, len, "refused with status %ld%s%s", res->status, *reason ? ": " : "", reason);
}

void consul_leave(struct consul *c, size_t server)
{
	if (c->current == server)
		c->current = (server + 1) % c->servers.nr;
}

/* ---- probing ---- */

/*
 * A watch that says nothing for minutes is as watches are, and as a server is that hangs. So one small question is
 * asked beside them. A server that does not answer it is said to fail; when there are others its watches go to one of
 * them.
 */
static void probe_again(struct consul *c, uint32_t ms);

static void on_probed(void *ctx, const struct http_response *res)
{
	struct consul *c = ctx;
	char why[256];

	c->probe = NULL;
	if (!res->error) {
		c->silent = 0;
		/* The name of the leader, in quotes: there is one. */
		if (res->status == 200 && res->body_len > 4 && !c->down) {
			c->well_ms = uv_now(c->r.loop);
			registry_heard(&c->r);
		}
	} else if (++c->silent >= SILENT_MOST) {
		consul_why(c, c->probed, res, why, sizeof(why));
		registry_failed(&c->r, "%s", why);
		consul_leave(c, c->probed);
		if (c->servers.nr > 1)
			consul_watch_abandon(c, c->probed, why);
		c->silent = 0;
	}
	probe_again(c, c->silent ? c->timeout_ms / 10 : c->timeout_ms);
}

static void on_probe_timer(uv_timer_t *timer)
{
	struct consul *c = timer->data;
	char why[256];
	struct consul_ask ask = { .path = "/v1/status/leader",
				  .server = c->current,
				  .total_ms = c->timeout_ms,
				  .on_done = on_probed,
				  .ctx = c };

	/* Failing watches find out by themselves. */
	if (!c->nr_waiting || c->down || consul_ask(c, &ask, &c->probe, why, sizeof(why)))
		probe_again(c, c->timeout_ms);
	else
		c->probed = c->current;
}

static void probe_again(struct consul *c, uint32_t ms)
{
	uv_timer_start(&c->probe_timer, on_probe_timer, jitter(ms), 0);
}

/* ---- the registry ---- */

static int consul_open(struct registry *r)
{
	struct consul *c = (struct consul *)r;
	const struct options *o = r->options;
	uint32_t reads = options_number(o, "reads-per-second", PER_SECOND);
	int error = http_servers_read(r, http_server_parse, "\"http://host:port\" or \"https://host:port\"",
				      &c->servers);

	if (!error && !c->servers.nr) {
		registry_failed(r, "no server is written");
		http_servers_done(&c->servers);
		error = -EINVAL;
	}
	if (error)
		return error;
	http_tls_from(o, &c->tls);
	c->scope = (struct consul_scope){ .datacenter = options_text(o, "datacenter", NULL),
					  .namespace = options_text(o, "namespace", NULL),
					  .partition = options_text(o, "partition", NULL),
					  .consistency = options_text(o, "consistency", NULL) };
	c->timeout_ms = options_ms(o, "timeout", TIMEOUT_MS);
	if (c->timeout_ms > TIMEOUT_MOST)
		c->timeout_ms = TIMEOUT_MOST;
	c->wait_ms = options_ms(o, "wait", WAIT_MS);
	c->backoff_ms = options_ms(o, "backoff-max", BACKOFF_MAX_MS);
	c->most = options_number(o, "connections", CONNECTIONS);
	c->ready_end = &c->ready;
	pace_init(&c->pace, reads, reads, uv_now(r->loop));
	uv_timer_init(r->loop, &c->timer);
	uv_timer_init(r->loop, &c->probe_timer);
	c->timer.data = c->probe_timer.data = c;
	probe_again(c, c->timeout_ms);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct consul *c = handle->data;

	if (--c->closing)
		return;
	http_servers_done(&c->servers);
	registry_closed(&c->r);
}

static void consul_close(struct registry *r)
{
	struct consul *c = (struct consul *)r;

	http_cancel(MOVE(c->probe, NULL));
	c->closing = 2;
	uv_close((uv_handle_t *)&c->timer, on_closed);
	uv_close((uv_handle_t *)&c->probe_timer, on_closed);
}

static const char *const said[] = { "tags", "ttl", "deregister-after", NULL };

const struct provider provider_consul = {
	.said = said,
	.type = "consul",
	.registry_size = sizeof(struct consul),
	.lookup_size = sizeof(struct consul_lookup),
	.announcement_size = sizeof(struct consul_announcement),
	.open = consul_open,
	.close = consul_close,
	.start = consul_watch_start,
	.stop = consul_watch_stop,
	.announce = consul_announce,
	.changed = consul_announce_changed,
	.withdraw = consul_announce_withdraw,
};

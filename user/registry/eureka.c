/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Eureka as a registry: its servers, one at a time, and how they are asked. Polling is in eureka_watch.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/eureka.h"
#include "registry/providers.h"

#define TIMEOUT_MS   8000 /* as Netflix' client */
#define CONNECT_MS   5000
#define REFRESH_MS   30000
#define BACKOFF_MOST 30000
#define READS	     10

int eureka_ask(struct eureka *e, const struct eureka_ask *a, struct http_call **ret, char *why, size_t why_len)
{
	const char *file = options_text(e->r.options, "password-file", NULL);
	_cleanup_(freep) char *secret = file ? secret_read(file) : NULL;
	_cleanup_(freep) char *url = NULL;
	const char *headers[] = { "Accept: application/json",
				  a->body ? "Content-Type: application/json" : "X-Eureka-Accept: full", NULL };
	struct http_request q = { .method = a->method,
				  .headers = headers,
				  .body = a->body,
				  .body_len = a->body ? strlen(a->body) : 0,
				  .tls = &e->tls,
				  .user = options_text(e->r.options, "user", NULL),
				  .password = secret ? secret : options_text(e->r.options, "password", NULL),
				  .gzip = true,
				  .connect_ms = CONNECT_MS,
				  .total_ms = e->timeout_ms,
				  .on_data = a->on_data,
				  .on_done = a->on_done,
				  .ctx = a->ctx };
	int r = -ENOMEM;

	if (file && !secret) {
		r = -errno;
		snprintf(why, why_len, "password-file %s cannot be read: %s", file, log_strerror(r));
		return r;
	}
	if (a->path && asprintf(&url, "%s%s", e->servers.at[a->server], a->path) != -1) {
		q.url = url;
		r = http_start(e->r.http, &q, ret);
	} else {
		url = NULL;
	}
	if (secret)
		explicit_bzero(secret, strlen(secret));
	if (r)
		snprintf(why, why_len, "%s cannot be asked: %s", e->servers.at[a->server], log_strerror(r));
	return r;
}

void eureka_why(const struct eureka *e, size_t server, const struct http_response *res, char *ret, size_t len)
{
	const char *name = e->servers.at[server];

	if (res->error)
		snprintf(ret, len, "%s: %s", name, res->text);
	else if (res->status == 401)
		snprintf(ret, len, "%s refuses the user and password (status 401)", name);
	else if (res->status == 403)
		snprintf(ret, len, "%s does not serve its registry yet (status 403)", name);
	else
		snprintf(ret, len, "%s answers status %ld", name, res->status);
}

/* ---- from beginning to end ---- */

static int eureka_open(struct registry *r)
{
	struct eureka *e = (struct eureka *)r;
	const struct options *o = r->options;
	uint32_t reads = options_number(o, "reads-per-second", READS);
	int error = http_servers_read(r, eureka_server_parse, "\"http://host:port/eureka\"", &e->servers);

	if (!error && !e->servers.nr) {
		registry_failed(r, "no server is written");
		http_servers_done(&e->servers);
		error = -EINVAL;
	}
	if (error)
		return error;
	http_tls_from(o, &e->tls);
	e->timeout_ms = options_ms(o, "timeout", TIMEOUT_MS);
	e->backoff_ms = options_ms(o, "backoff-max", BACKOFF_MOST);
	e->refresh_ms = options_ms(o, "refresh", REFRESH_MS);
	e->no_deltas = !options_bool(o, "delta", true);
	pace_init(&e->pace, reads, reads, uv_now(r->loop));
	eureka_watch_open(e);
	return 0;
}

static void eureka_close(struct registry *r)
{
	struct eureka *e = (struct eureka *)r;

	http_servers_done(&e->servers);
	eureka_watch_close(e);
}

static const char *const said[] = { "vip", "secure-vip", "host-name", "ttl", NULL };

const struct provider provider_eureka = {
	.said = said,
	.type = "eureka",
	.registry_size = sizeof(struct eureka),
	.lookup_size = sizeof(struct eureka_lookup),
	.announcement_size = sizeof(struct eureka_announcement),
	.open = eureka_open,
	.close = eureka_close,
	.start = eureka_start,
	.stop = eureka_stop,
	.announce = eureka_announce,
	.changed = eureka_announce_changed,
	.withdraw = eureka_announce_withdraw,
};

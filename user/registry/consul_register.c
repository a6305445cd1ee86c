/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Local endpoints, registered with Consul's agent and kept alive by a check with a TTL: when nobody says for that long
 * that it is up, Consul calls it critical. Registering the same id again changes it in place, so an agent that starts
 * anew leaves no gap. An agent of Consul that has forgotten it is told again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/consul.h"

#define TTL_MS	      30000
#define GONE_MS	      3600000
#define GONE_LEAST    60000 /* Consul's own */
#define FIRST_MS      500
#define WITHDRAW_MOST 5000
#define ID_MOST	      256

static struct consul *consul_of(const struct consul_announcement *x)
{
	return (struct consul *)x->a.registry;
}

static void go(struct consul_announcement *x);

static void on_timer(uv_timer_t *timer)
{
	go(timer->data);
}

static void go_in(struct consul_announcement *x, uint32_t ms)
{
	uv_timer_start(&x->timer, on_timer, ms, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct consul_announcement *x = handle->data;

	free(x->id);
	free(x->check);
	announcement_withdrawn(&x->a);
}

static void end(struct consul_announcement *x)
{
	http_cancel(MOVE(x->call, NULL));
	uv_close((uv_handle_t *)&x->timer, on_closed);
}

/* ---- calls ---- */

static void fail(struct consul_announcement *x, const char *why)
{
	struct consul *c = consul_of(x);
	uint64_t now = uv_now(c->r.loop);

	announcement_failed(&x->a, "%s", why);
	x->failing_ms = x->failing_ms ? x->failing_ms : now;
	/* It belongs to one agent. By now that one calls it critical, and so does everybody if the agent is dead. */
	if (c->servers.nr > 1 && now - x->failing_ms > x->entry.ttl_ms) {
		x->server = (x->server + 1) % c->servers.nr;
		x->known = false;
		x->failing_ms = now;
	}
	go_in(x, backoff_next(&x->backoff));
}

static void on_told(void *ctx, const struct http_response *res)
{
	struct consul_announcement *x = ctx;
	char why[256];

	x->call = NULL;
	if (!res->error && res->status == 200) {
		x->known = true;
		x->failing_ms = 0;
		backoff_reset(&x->backoff);
		if (x->said != x->a.up) {
			go(x);
			return;
		}
		go_in(x, jitter(x->entry.ttl_ms / 3));
		announcement_done(&x->a);
		return;
	}
	/* 404; before Consul 1.11 it was 500. Its agent has begun anew, or somebody took it out. */
	if (!res->error && x->known && (res->status == 404 || res->status == 500)) {
		log_msg(LOG_L_INFO, "registry %s: %s is no longer known there (status %ld); registering it again",
			x->a.registry->name, x->id, res->status);
		x->known = false;
		go(x);
		return;
	}
	consul_why(consul_of(x), x->server, res, why, sizeof(why));
	fail(x, why);
}

static void on_withdrawn(void *ctx, const struct http_response *res)
{
	struct consul_announcement *x = ctx;
	char why[256];

	x->call = NULL;
	if (res->error || (res->status != 200 && res->status != 404)) {
		consul_why(consul_of(x), x->server, res, why, sizeof(why));
		log_msg(LOG_L_WARNING, "registry %s: %s could not be taken out (%s); it will turn critical by itself",
			x->a.registry->name, x->id, why);
	}
	end(x);
}

static int put(struct consul_announcement *x, const char *path, const char *id, const char *body,
	       void (*on_done)(void *ctx, const struct http_response *res), uint32_t total_ms, char *why,
	       size_t why_len)
{
	_cleanup_(freep) char *whole = consul_agent_path(path, id, &x->scope);

	return consul_ask(consul_of(x),
			  &(struct consul_ask){ .method = "PUT",
						.path = whole,
						.body = body,
						.server = x->server,
						.total_ms = total_ms,
						.on_done = on_done,
						.ctx = x },
			  &x->call, why, why_len);
}

/* Says what is so now: the whole of it to those who do not know it, else the state alone. */
static void go(struct consul_announcement *x)
{
	struct consul *c = consul_of(x);
	_cleanup_(freep) char *body = NULL;
	char why[256] = "no memory";

	x->entry.up = x->said = x->a.up;
	body = x->known ? consul_status_body(&x->entry) : consul_entry_body(&x->entry);
	if (!body || put(x, x->known ? "/v1/agent/check/update/" : "/v1/agent/service/register",
			 x->known ? x->check : "", body, on_told, c->timeout_ms, why, sizeof(why)))
		fail(x, why);
}

/* ---- the provider's ---- */

static int set_names(struct consul_announcement *x)
{
	const struct announcement *a = &x->a;
	const char *id = options_text(a->options, "id", NULL), *name = options_text(a->options, "service", a->service);
	int n;

	addr_format(&a->addr, x->address, sizeof(x->address));
	if (id)
		n = asprintf(&x->id, "%s", id);
	else
		n = asprintf(&x->id, "%s-%s-%u", name, x->address, a->port);
	if (n == -1) {
		x->id = NULL;
		return -ENOMEM;
	}
	if (n > ID_MOST)
		return -ENAMETOOLONG;
	if (asprintf(&x->check, "service:%s", x->id) == -1) {
		x->check = NULL;
		return -ENOMEM;
	}
	x->entry = (struct consul_entry){ .name = name,
					  .id = x->id,
					  .address = x->address,
					  .zone = a->registry->zone,
					  .port = a->port,
					  .weight = a->weight,
					  .tags = options_list(a->options, "tags"),
					  .labels = a->labels,
					  .nr_labels = a->nr_labels };
	return 0;
}

int consul_announce(struct announcement *a)
{
	struct consul_announcement *x = (struct consul_announcement *)a;
	struct consul *c = consul_of(x);
	int r = set_names(x);

	if (r) {
		announcement_failed(a, "%s", r == -ENAMETOOLONG ? "id: must be 256 bytes at most" : "no memory");
		free(MOVE(x->id, NULL));
		return r;
	}
	x->scope = (struct consul_scope){ .namespace = c->scope.namespace, .partition = c->scope.partition };
	x->entry.ttl_ms = options_ms(a->options, "ttl", TTL_MS);
	x->entry.gone_ms = options_ms(a->options, "deregister-after", GONE_MS);
	if (x->entry.gone_ms && x->entry.gone_ms < GONE_LEAST)
		x->entry.gone_ms = GONE_LEAST;
	x->backoff = (struct backoff){ .first_ms = FIRST_MS, .most_ms = c->backoff_ms };
	if (x->backoff.most_ms > x->entry.ttl_ms / 3)
		x->backoff.most_ms = x->entry.ttl_ms / 3;
	uv_timer_init(c->r.loop, &x->timer);
	x->timer.data = x;
	go_in(x, 0);
	return 0;
}

void consul_announce_changed(struct announcement *a)
{
	struct consul_announcement *x = (struct consul_announcement *)a;

	if (!x->call)
		go_in(x, 0);
}

/* Without what is known there is something to be taken out, too: what the agent before this one wrote. */
void consul_announce_withdraw(struct announcement *a)
{
	struct consul_announcement *x = (struct consul_announcement *)a;
	uint32_t ms = consul_of(x)->timeout_ms;
	char why[256];

	http_cancel(MOVE(x->call, NULL));
	uv_timer_stop(&x->timer);
	if (a->leave || put(x, "/v1/agent/service/deregister/", x->id, NULL, on_withdrawn,
			    ms < WITHDRAW_MOST ? ms : WITHDRAW_MOST, why, sizeof(why)))
		end(x);
}

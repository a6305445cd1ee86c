/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Local endpoints, registered with Eureka and kept alive by heartbeats, three in the lease. What is down is registered
 * as DOWN, as Netflix' client does. Registering the same id again changes it in place, so an agent that starts anew
 * leaves no gap. A server that does not know it any more says 404 to a heartbeat, and is told again.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/eureka.h"

#define TTL_MS	 90000
#define FIRST_MS 500

static struct eureka *eureka_of(const struct eureka_announcement *x)
{
	return (struct eureka *)x->a.registry;
}

static void go(struct eureka_announcement *x);

static void on_timer(uv_timer_t *timer)
{
	go(timer->data);
}

static void go_in(struct eureka_announcement *x, uint32_t ms)
{
	uv_timer_start(&x->timer, on_timer, ms, 0);
}

static void free_texts(struct eureka_announcement *x)
{
	free(x->id);
	free((char *)x->entry.host);
}

static void on_closed(uv_handle_t *handle)
{
	struct eureka_announcement *x = handle->data;

	free_texts(x);
	announcement_withdrawn(&x->a);
}

static void end(struct eureka_announcement *x)
{
	http_cancel(MOVE(x->call, NULL));
	uv_close((uv_handle_t *)&x->timer, on_closed);
}

static uint64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- answers ---- */

/* Servers tell each other: any of them will do, and only when none does is it a failure. */
static void fail(struct eureka_announcement *x, const char *why)
{
	size_t nr = eureka_of(x)->servers.nr;

	x->server = (x->server + 1) % nr;
	if (++x->tried < nr) {
		go_in(x, 0);
		return;
	}
	x->tried = 0;
	announcement_failed(&x->a, "%s%s", nr > 1 ? "no server answers; the last one, " : "", why);
	go_in(x, backoff_next(&x->backoff));
}

static void on_told(void *ctx, const struct http_response *res)
{
	struct eureka_announcement *x = ctx;
	char why[256];

	x->call = NULL;
	if (!res->error && res->status >= 200 && res->status < 300) {
		x->known = true;
		x->tried = 0;
		backoff_reset(&x->backoff);
		if (x->said != x->a.up) {
			go(x);
			return;
		}
		go_in(x, jitter(x->entry.ttl_ms / 3));
		announcement_done(&x->a);
		return;
	}
	/* 404: the lease is over, or the server has begun anew. 409: it has a newer entry than ours. */
	if (!res->error && x->known && (res->status == 404 || res->status == 409)) {
		log_msg(LOG_L_INFO, "registry %s: %s is no longer known there (status %ld); registering it again",
			x->a.registry->name, x->id, res->status);
		x->known = false;
		go(x);
		return;
	}
	eureka_why(eureka_of(x), x->server, res, why, sizeof(why));
	fail(x, why);
}

/* ---- questions ---- */

static int call(struct eureka_announcement *x, const char *method, const char *path, const char *body,
		void (*on_done)(void *ctx, const struct http_response *res), char *why, size_t len)
{
	return eureka_ask(eureka_of(x),
			  &(struct eureka_ask){ .method = method,
						.path = path,
						.body = body,
						.server = x->server,
						.on_done = on_done,
						.ctx = x },
			  &x->call, why, len);
}

/* Says what is so now: all of it to those who do not know it or when it has changed, else that we live. */
static void go(struct eureka_announcement *x)
{
	bool beat = x->known && x->said == x->a.up;
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *body = NULL;
	char why[256] = "no memory";

	if (x->call)
		return;
	if (!beat) {
		x->entry.up = x->said = x->a.up;
		x->entry.dirty_ms = unix_ms();
	}
	path = beat ? eureka_heartbeat_path(&x->entry) : eureka_app_path(&x->entry);
	body = beat ? NULL : eureka_entry_body(&x->entry);
	if ((!beat && !body) || call(x, beat ? "PUT" : "POST", path, body, on_told, why, sizeof(why)))
		fail(x, why);
}

/* ---- the end ---- */

static void take_out(struct eureka_announcement *x);

static void on_taken_out(void *ctx, const struct http_response *res)
{
	struct eureka_announcement *x = ctx;
	struct eureka *e = eureka_of(x);
	char why[256];

	x->call = NULL;
	if (!res->error && (res->status == 200 || res->status == 204 || res->status == 404)) {
		end(x);
		return;
	}
	if (++x->tried < e->servers.nr) {
		x->server = (x->server + 1) % e->servers.nr;
		take_out(x);
		return;
	}
	eureka_why(e, x->server, res, why, sizeof(why));
	log_msg(LOG_L_WARNING, "registry %s: %s could not be taken out (%s); its lease will end", e->r.name, x->id,
		why);
	end(x);
}

static void take_out(struct eureka_announcement *x)
{
	_cleanup_(freep) char *path = eureka_instance_path(&x->entry);
	char why[256];

	if (call(x, "DELETE", path, NULL, on_taken_out, why, sizeof(why)))
		end(x);
}

/* ---- the provider's ---- */

static int set_names(struct eureka_announcement *x)
{
	const struct announcement *a = &x->a;
	const struct options *o = a->options;
	const char *app = options_text(o, "application", a->service), *id = options_text(o, "id", NULL);
	char name[HOST_NAME_MAX + 1] = "localhost";

	addr_format(&a->addr, x->address, sizeof(x->address));
	gethostname(name, sizeof(name) - 1);
	x->entry = (struct eureka_entry){ .app = app,
					  .host = strdup(options_text(o, "host-name", name)),
					  .address = x->address,
					  .vip = options_text(o, "vip", NULL),
					  .secure_vip = options_text(o, "secure-vip", NULL),
					  .zone = a->registry->zone,
					  .port = a->port,
					  .weight = options_find(o, "weight") ? &a->weight : NULL,
					  .labels = a->labels,
					  .nr_labels = a->nr_labels,
					  .ttl_ms = options_ms(o, "ttl", TTL_MS) };
	/* As Spring's client: host:application:port, but by address, since a host may have several. */
	if (id)
		x->id = strdup(id);
	else if (asprintf(&x->id, "%s:%s:%u", x->address, app, a->port) == -1)
		x->id = NULL;
	x->entry.id = x->id;
	return x->id && x->entry.host ? 0 : -ENOMEM;
}

int eureka_announce(struct announcement *a)
{
	struct eureka_announcement *x = (struct eureka_announcement *)a;
	struct eureka *e = eureka_of(x);

	if (set_names(x)) {
		free_texts(x);
		return -ENOMEM;
	}
	x->backoff = (struct backoff){ .first_ms = FIRST_MS, .most_ms = e->backoff_ms };
	if (x->backoff.most_ms > x->entry.ttl_ms / 3)
		x->backoff.most_ms = x->entry.ttl_ms / 3;
	uv_timer_init(e->r.loop, &x->timer);
	x->timer.data = x;
	go_in(x, 0);
	return 0;
}

void eureka_announce_changed(struct announcement *a)
{
	struct eureka_announcement *x = (struct eureka_announcement *)a;

	if (!x->call)
		go_in(x, 0);
}

/* Without what is known there is something to be taken out, too: what the agent before this one wrote. */
void eureka_announce_withdraw(struct announcement *a)
{
	struct eureka_announcement *x = (struct eureka_announcement *)a;

	if (x->leaving)
		return;
	x->leaving = true;
	x->tried = 0;
	http_cancel(MOVE(x->call, NULL));
	uv_timer_stop(&x->timer);
	if (a->leave)
		end(x);
	else
		take_out(x);
}

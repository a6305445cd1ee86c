/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A local endpoint as a key with a lease: PREFIX/ID, which goes by itself when nobody keeps the lease alive. An agent
 * that starts anew puts the same key with a lease of its own, so that the end of the old lease does not take it away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/etcd.h"
#include "registry/instance_json.h"

#define TTL_MS 15000

static void step(struct etcd_announcement *a);

static struct etcd *etcd_of(const struct etcd_announcement *a)
{
	return (struct etcd *)a->a.registry;
}

static void on_timer(uv_timer_t *timer)
{
	step(timer->data);
}

static void later(struct etcd_announcement *a, uint32_t ms)
{
	uv_timer_start(&a->timer, on_timer, ms, 0);
}

/* Whatever was in force may be no more: the lease is asked about, or made, anew. */
void etcd_announcement_restart(struct etcd_announcement *a, uint32_t ms)
{
	http_cancel(MOVE(a->call, NULL));
	later(a, ms);
}

static void on_closed(uv_handle_t *handle)
{
	struct etcd_announcement *a = handle->data;

	free(a->key);
	free(a->value);
	announcement_withdrawn(&a->a);
}

static void finish(struct etcd_announcement *a)
{
	struct etcd_announcement **at = &etcd_of(a)->announcements;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	http_cancel(MOVE(a->call, NULL));
	uv_close((uv_handle_t *)&a->timer, on_closed);
}

static void failed(struct etcd_announcement *a, const char *text)
{
	if (a->leaving) { /* it goes when its lease has run out */
		finish(a);
		return;
	}
	announcement_failed(&a->a, "%s", text);
	etcd_next_server(etcd_of(a));
	later(a, backoff_next(&a->backoff));
}

static void ask(struct etcd_announcement *a, const char *path, char *body,
		void (*on_done)(void *ctx, const struct http_response *res))
{
	struct etcd_request q = { .path = path, .body = body, .on_done = on_done, .ctx = a };
	int r = etcd_ask(etcd_of(a), &q, &a->call);

	if (r && r != -EAGAIN)
		failed(a, "no memory");
	else if (r && a->leaving)
		finish(a);
}

static void settled(struct etcd_announcement *a)
{
	backoff_reset(&a->backoff);
	announcement_done(&a->a);
	later(a, a->ttl_s * 1000 / 3);
}

static void on_put(void *ctx, const struct http_response *res)
{
	struct etcd_announcement *a = ctx;
	char text[200];

	a->call = NULL;
	if (!etcd_good(etcd_of(a), res, text, sizeof(text))) {
		a->lease = 0; /* it may be what was not liked */
		failed(a, text);
		return;
	}
	a->written = true;
	a->wiped = false;
	if (a->a.up)
		settled(a);
	else
		step(a);
}

static void on_grant(void *ctx, const struct http_response *res)
{
	struct etcd_announcement *a = ctx;
	char text[200];

	a->call = NULL;
	if (!etcd_good(etcd_of(a), res, text, sizeof(text))) {
		failed(a, text);
		return;
	}
	a->lease = etcd_number(res->body, res->body_len, "ID", 0);
	if (a->lease)
		step(a);
	else
		failed(a, "the answer is no lease");
}

static void on_kept(void *ctx, const struct http_response *res)
{
	struct etcd_announcement *a = ctx;
	char text[200];

	a->call = NULL;
	if (!etcd_good(etcd_of(a), res, text, sizeof(text))) {
		failed(a, text);
		return;
	}
	if (etcd_result_number(res->body, res->body_len, "TTL", 0) > 0) {
		settled(a);
		return;
	}
	/* The server has forgotten the lease, and the key with it. */
	a->lease = 0;
	a->written = false;
	step(a);
}

static void on_deleted(void *ctx, const struct http_response *res)
{
	struct etcd_announcement *a = ctx;
	char text[200];

	a->call = NULL;
	if (!etcd_good(etcd_of(a), res, text, sizeof(text))) {
		failed(a, text);
		return;
	}
	a->written = false;
	a->wiped = true;
	if (a->leaving) {
		finish(a);
		return;
	}
	if (a->a.up) {
		step(a);
		return;
	}
	backoff_reset(&a->backoff);
	announcement_done(&a->a);
}

static char *lease_body(const char *key, int64_t value)
{
	char *body;

	return asprintf(&body, "{\"%s\":\"%" PRId64 "\"}", key, value) < 0 ? NULL : body;
}

/* The next thing that is missing. */
static void step(struct etcd_announcement *a)
{
	if (a->call)
		return;
	if (a->leaving || !a->a.up) {
		if (a->wiped && !a->leaving)
			return;
		ask(a, "/v3/kv/deleterange", etcd_delete_body(a->key), on_deleted);
	} else if (!a->lease) {
		ask(a, "/v3/lease/grant", lease_body("TTL", a->ttl_s), on_grant);
	} else if (!a->written) {
		ask(a, "/v3/kv/put", etcd_put_body(a->key, a->value, a->lease), on_put);
	} else {
		ask(a, "/v3/lease/keepalive", lease_body("ID", a->lease), on_kept);
	}
}

static int make_texts(struct etcd_announcement *a)
{
	const char *prefix = options_text(a->a.options, "prefix", ""), *id = options_text(a->a.options, "id", NULL);
	size_t len = strlen(prefix);
	char host[ADDR_TEXT_LEN], at[ADDR_TEXT_LEN];
	struct instance i = { .host = addr_format(&a->a.addr, host, sizeof(host)),
			      .port = a->a.port,
			      .labels = a->a.labels,
			      .nr_labels = a->a.nr_labels };

	if (!id)
		id = addr_port_format(&a->a.addr, a->a.port, at, sizeof(at));
	i.name = id;
	if (options_find(a->a.options, "weight"))
		i.weight = &a->a.weight;
	if (asprintf(&a->key, "%s%s%s", prefix, len && prefix[len - 1] == '/' ? "" : "/", id) < 0) {
		a->key = NULL;
		return -ENOMEM;
	}
	a->value = instance_write(&i);
	return a->value ? 0 : -ENOMEM;
}

int etcd_announce(struct announcement *announcement)
{
	struct etcd_announcement *a = (struct etcd_announcement *)announcement;
	struct etcd *e = etcd_of(a);

	a->ttl_s = (options_ms(announcement->options, "ttl", TTL_MS) + 999) / 1000;
	if (make_texts(a)) {
		free(a->key);
		return -ENOMEM;
	}
	a->backoff = (struct backoff){ .first_ms = 200, .most_ms = e->backoff_ms };
	uv_timer_init(e->r.loop, &a->timer);
	a->timer.data = a;
	a->next = e->announcements;
	e->announcements = a;
	later(a, 0);
	return 0;
}

void etcd_changed(struct announcement *announcement)
{
	struct etcd_announcement *a = (struct etcd_announcement *)announcement;

	a->wiped = false;
	if (!a->call)
		later(a, 0);
}

void etcd_withdraw(struct announcement *announcement)
{
	struct etcd_announcement *a = (struct etcd_announcement *)announcement;

	if (announcement->leave) {
		finish(a);
		return;
	}
	a->leaving = true;
	http_cancel(MOVE(a->call, NULL));
	step(a);
}

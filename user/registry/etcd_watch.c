/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One source: its prefix is read page by page, then watched from the revision of what was read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/etcd.h"

#define PAGE	  1000
#define LINE_MOST ((size_t)16 * 1024 * 1024)

static void step(struct etcd_lookup *l);

static struct etcd *etcd_of(const struct etcd_lookup *l)
{
	return (struct etcd *)l->l.registry;
}

static void on_timer(uv_timer_t *timer)
{
	step(timer->data);
}

void etcd_lookup_restart(struct etcd_lookup *l, uint32_t ms)
{
	if (l->stopping)
		return;
	http_cancel(MOVE(l->call, NULL));
	etcd_keys_done(&l->fresh);
	l->watching = false;
	l->len = 0;
	uv_timer_start(&l->timer, on_timer, ms, 0);
}

static void failed(struct etcd_lookup *l, const char *text)
{
	lookup_failed(&l->l, "%s", text);
	etcd_next_server(etcd_of(l));
	etcd_lookup_restart(l, backoff_next(&l->backoff));
}

static void publish(struct etcd_lookup *l)
{
	struct found f = { 0 };
	size_t odd;

	if (etcd_found(&l->keys, &f, &odd)) {
		found_done(&f);
		failed(l, "no memory");
		return;
	}
	if (odd)
		lookup_odd(&l->l, "%zu of the keys below %s are no endpoints", odd, l->prefix);
	lookup_found(&l->l, &f);
}

/* ---- watching ---- */

/* Negative errno ends the stream. */
static int take_line(struct etcd_lookup *l)
{
	struct etcd_news news;
	int r;

	if (!l->len)
		return 0;
	r = etcd_read_watch(l->line, l->len, &l->keys, &news);
	l->len = 0;
	if (r)
		return r;
	if (news.error || news.canceled)
		return -ECANCELED;
	registry_heard(l->l.registry);
	if (news.created)
		backoff_reset(&l->backoff);
	if (news.revision > l->revision)
		l->revision = news.revision;
	if (news.events)
		publish(l);
	return 0;
}

static int append(struct etcd_lookup *l, const char *data, size_t len)
{
	if (len > LINE_MOST - l->len)
		return -E2BIG;
	if (l->len + len > l->room) {
		size_t room = (l->len + len) * 2;
		char *more = realloc(l->line, room);

		if (!more)
			return -ENOMEM;
		l->line = more;
		l->room = room;
	}
	memcpy(l->line + l->len, data, len);
	l->len += len;
	return 0;
}

static int on_watch_data(void *ctx, const char *data, size_t len)
{
	struct etcd_lookup *l = ctx;
	int r = 0;

	while (!r && len) {
		const char *end = memchr(data, '\n', len);
		size_t piece = end ? (size_t)(end - data) : len;

		r = append(l, data, piece);
		if (!r && end)
			r = take_line(l);
		data += piece + (end != NULL);
		len -= piece + (end != NULL);
	}
	return r;
}

static void on_watch_done(void *ctx, const struct http_response *res)
{
	struct etcd_lookup *l = ctx;
	char text[200];

	l->call = NULL;
	/* Cancelled by the server, since what was asked for is compacted: the prefix is read anew. */
	if (res->error == -ECANCELED) {
		lookup_odd(&l->l, "the watch was cancelled");
		etcd_lookup_restart(l, backoff_next(&l->backoff));
		return;
	}
	if (etcd_good(etcd_of(l), res, text, sizeof(text)))
		snprintf(text, sizeof(text), "the watch has ended");
	failed(l, text);
}

static void watch(struct etcd_lookup *l)
{
	struct etcd_request q = { .path = "/v3/watch",
				  .body = etcd_watch_body(l->prefix, l->revision + 1),
				  .stream = true,
				  .on_data = on_watch_data,
				  .on_done = on_watch_done,
				  .ctx = l };
	int r;

	l->watching = true;
	l->len = 0;
	r = etcd_ask(etcd_of(l), &q, &l->call);
	if (r && r != -EAGAIN)
		failed(l, "no memory");
}

/* ---- reading ---- */

static void on_range_done(void *ctx, const struct http_response *res)
{
	struct etcd_lookup *l = ctx;
	struct etcd_range range;
	char text[200];
	int r;

	l->call = NULL;
	if (!etcd_good(etcd_of(l), res, text, sizeof(text))) {
		failed(l, text);
		return;
	}
	r = etcd_read_range(res->body, res->body_len, &l->fresh, &range);
	if (r) {
		failed(l, r == -ENOMEM ? "no memory" : "the answer is no range");
		return;
	}
	if (!l->revision || l->fresh.nr <= PAGE)
		l->revision = range.revision;
	if (range.more) {
		step(l);
		return;
	}
	etcd_keys_done(&l->keys);
	l->keys = l->fresh;
	l->fresh = (struct etcd_keys){ 0 };
	publish(l);
	if (!l->stopping && !uv_is_active((uv_handle_t *)&l->timer))
		watch(l);
}

/* The first page, or the one that follows. */
static void step(struct etcd_lookup *l)
{
	struct etcd *e = etcd_of(l);
	const struct etcd_key *after = l->fresh.nr ? &l->fresh.at[l->fresh.nr - 1] : NULL;
	uint32_t wait = after ? 0 : pace_take(&e->pace, uv_now(e->r.loop));
	struct etcd_request q = { .path = "/v3/kv/range", .on_done = on_range_done, .ctx = l };
	int r;

	if (wait) {
		uv_timer_start(&l->timer, on_timer, wait, 0);
		return;
	}
	q.body = etcd_range_body(l->prefix, after, after ? l->revision : 0, PAGE);
	r = etcd_ask(e, &q, &l->call);
	if (r && r != -EAGAIN)
		failed(l, "no memory");
}

/* ---- from beginning to end ---- */

int etcd_start(struct lookup *lookup)
{
	struct etcd_lookup *l = (struct etcd_lookup *)lookup;
	struct etcd *e = etcd_of(l);

	l->prefix = options_text(lookup->options, "prefix", "");
	l->backoff = (struct backoff){ .first_ms = 100, .most_ms = e->backoff_ms };
	uv_timer_init(e->r.loop, &l->timer);
	l->timer.data = l;
	l->next = e->lookups;
	e->lookups = l;
	uv_timer_start(&l->timer, on_timer, 0, 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct etcd_lookup *l = handle->data;

	etcd_keys_done(&l->keys);
	etcd_keys_done(&l->fresh);
	free(l->line);
	lookup_stopped(&l->l);
}

void etcd_stop(struct lookup *lookup)
{
	struct etcd_lookup *l = (struct etcd_lookup *)lookup, **at = &etcd_of(l)->lookups;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->stopping = true;
	http_cancel(MOVE(l->call, NULL));
	uv_close((uv_handle_t *)&l->timer, on_closed);
}

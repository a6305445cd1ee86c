/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One question for all sources: everything once, then what has changed, each `refresh`. The server says with each
 * change what everything would come to (a hash of how many instances are in which state); when ours comes to something
 * else, changes were missed and everything is asked for: at once for the first time; a server whose changes never lead
 * there (two versions side by side, filters) is not asked for more than one answer each `refresh`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/eureka.h"

#define WITHOUT_MS     600000 /* until it is tried again whether there are lists of changes */
#define DELTAS_LAST_MS 150000 /* a server keeps changes for 180 s */

static void ask(struct eureka *e);

static void on_timer(uv_timer_t *timer)
{
	ask(timer->data);
}

static void ask_in(struct eureka *e, uint32_t ms)
{
	if (!e->closing)
		uv_timer_start(&e->timer, on_timer, ms, 0);
}

/* Another server may answer: that something is wrong is said when each has failed. What one says of changes builds on
 * what itself has said before. */
static void failed(struct eureka *e, const char *why)
{
	size_t nr = e->servers.nr;

	e->refused = 0;
	e->current = (e->current + 1) % nr;
	if (nr > 1)
		e->want_all = true;
	if (++e->tried < nr) {
		log_msg(e->r.failing ? LOG_L_DEBUG : LOG_L_INFO, "registry %s: %s; asking %s", e->r.name, why,
			e->servers.at[e->current]);
		ask_in(e, 0);
		return;
	}
	e->tried = 0;
	registry_failed(&e->r, "%s%s", nr > 1 ? "no server answers; the last one, " : "", why);
	ask_in(e, backoff_next(&e->backoff));
}

/* ---- sources ---- */

static void tell(struct eureka *e, struct eureka_lookup *l)
{
	struct found f = { 0 };
	size_t odd;

	if (eureka_found(&e->table, &l->filter, &f, &odd)) {
		found_done(&f);
		lookup_failed(&l->l, "no memory");
		return;
	}
	if (odd)
		lookup_odd(&l->l, "%zu of its instances have no port or no address", odd);
	lookup_found(&l->l, &f);
}

/* With each answer, also without changes: each is one for every source. */
static void tell_all(struct eureka *e)
{
	for (struct eureka_lookup *l = e->lookups; l; l = l->next)
		tell(e, l);
}

/* ---- answers ---- */

static void good(struct eureka *e)
{
	const struct eureka_news *news = &e->reader.news;

	if (news->odd)
		registry_odd(&e->r, "%zu of %zu instances cannot be used", news->odd, news->instances);
	e->tried = 0;
	e->good_ms = uv_now(e->r.loop);
	backoff_reset(&e->backoff);
	registry_heard(&e->r);
	tell_all(e);
	ask_in(e, jitter(e->refresh_ms));
}

static void unreadable(struct eureka *e, int error)
{
	char why[256];

	if (error == -ENOMEM)
		snprintf(why, sizeof(why), "no memory");
	else
		snprintf(why, sizeof(why), "the answer of %s is %s", e->servers.at[e->current],
			 error == -E2BIG ? "too large" : "no list of applications");
	failed(e, why);
}

static void take_all(struct eureka *e)
{
	int r = eureka_reader_all(&e->reader, &e->table);

	if (r) {
		unreadable(e, r);
		return;
	}
	if (e->refused) {
		log_msg(LOG_L_INFO, "registry %s: no list of changes (status %ld); asking for everything each time",
			e->r.name, e->refused);
		e->without_ms = uv_now(e->r.loop) + WITHOUT_MS;
		e->refused = 0;
	}
	e->known = true;
	e->want_all = false;
	good(e);
}

static void missed(struct eureka *e, const char *ours, const char *theirs)
{
	registry_odd(&e->r, "changes lead to \"%s\", the server has \"%s\"; asking for everything", ours, theirs);
	e->want_all = true;
	ask_in(e, e->misses++ ? jitter(e->refresh_ms) : 0);
}

static void take_delta(struct eureka *e)
{
	const char *theirs = e->reader.news.hash;
	char ours[sizeof(e->reader.news.hash)];
	int r = eureka_reader_delta(&e->reader, &e->table);

	if (r) {
		unreadable(e, r);
		return;
	}
	eureka_hash(&e->table, ours, sizeof(ours));
	if (strcmp(ours, theirs)) {
		missed(e, ours, theirs);
		return;
	}
	e->misses = 0;
	good(e);
}

static int on_data(void *ctx, const char *data, size_t len)
{
	return eureka_reader_feed(&((struct eureka *)ctx)->reader, data, len);
}

static void take(struct eureka *e, const struct http_response *res)
{
	char why[256];

	if (e->reader.error) {
		unreadable(e, e->reader.error);
	} else if (!res->error && res->status == 200) {
		if (e->asked_all)
			take_all(e);
		else
			take_delta(e);
	} else if (!res->error && !e->asked_all && (res->status == 403 || res->status == 404)) {
		/* Changes are switched off there, or it does not serve at all: it says so to the next question. */
		e->refused = res->status;
		e->want_all = true;
		ask(e);
	} else {
		eureka_why(e, e->current, res, why, sizeof(why));
		failed(e, why);
	}
}

static void on_answer(void *ctx, const struct http_response *res)
{
	struct eureka *e = ctx;

	e->call = NULL;
	take(e, res);
	if (!e->call) /* else it is the next one's */
		eureka_reader_done(&e->reader);
}

static void ask(struct eureka *e)
{
	uint64_t now = uv_now(e->r.loop);
	bool all = !e->known || e->want_all || e->no_deltas || now < e->without_ms || now - e->good_ms > DELTAS_LAST_MS;
	_cleanup_(freep) char *path = eureka_apps_path(!all, options_text(e->r.options, "region", NULL));
	char why[256] = "no memory";
	uint32_t wait;

	if (e->call || e->closing || !e->lookups)
		return;
	wait = all ? pace_take(&e->pace, now) : 0;
	if (wait) {
		ask_in(e, wait);
		return;
	}
	e->asked_all = all;
	eureka_reader_begin(&e->reader);
	if (eureka_ask(e,
		       &(struct eureka_ask){
			       .path = path, .server = e->current, .on_data = on_data, .on_done = on_answer, .ctx = e },
		       &e->call, why, sizeof(why)))
		failed(e, why);
}

/* ---- from beginning to end ---- */

int eureka_start(struct lookup *lookup)
{
	struct eureka_lookup *l = (struct eureka_lookup *)lookup;
	struct eureka *e = (struct eureka *)lookup->registry;
	const struct options *o = lookup->options;

	l->filter = (struct eureka_filter){ .app = options_text(o, "application", NULL),
					    .vip = options_text(o, "vip", NULL),
					    .secure_vip = options_text(o, "secure-vip", NULL),
					    .secure = options_bool(o, "secure", options_find(o, "secure-vip") != NULL),
					    .statuses = options_list(o, "status") };
	if (!!l->filter.app + !!l->filter.vip + !!l->filter.secure_vip != 1) {
		lookup_failed(lookup, "write one of application, vip and secure-vip");
		return -EINVAL;
	}
	l->next = e->lookups;
	e->lookups = l;
	/* The next answer is for it, too; the first source makes the first question. */
	if (!uv_is_active((uv_handle_t *)&e->timer) || (e->known && !e->r.failing))
		ask_in(e, 0);
	return 0;
}

void eureka_stop(struct lookup *lookup)
{
	struct eureka_lookup **at = &((struct eureka *)lookup->registry)->lookups;

	while (&(*at)->l != lookup)
		at = &(*at)->next;
	*at = (*at)->next;
	lookup_stopped(lookup);
}

void eureka_watch_open(struct eureka *e)
{
	e->backoff = (struct backoff){ .first_ms = 500, .most_ms = e->backoff_ms };
	uv_timer_init(e->r.loop, &e->timer);
	e->timer.data = e;
}

static void on_closed(uv_handle_t *handle)
{
	struct eureka *e = handle->data;

	eureka_table_done(&e->table);
	registry_closed(&e->r);
}

void eureka_watch_close(struct eureka *e)
{
	e->closing = true;
	http_cancel(MOVE(e->call, NULL));
	eureka_reader_done(&e->reader);
	uv_close((uv_handle_t *)&e->timer, on_closed);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A service of Consul, watched by blocking queries: each asks for what is newer than an index, and is answered when
 * there is something newer or its wait is over. Anything that goes wrong is followed by a question without an index, so
 * that what is believed never rests on two servers that count differently, or on one that began to count anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/consul.h"

#define FIRST_MS       500
#define WAIT_MOST      600000 /* Consul's own */
#define CHANGES	       10     /* per second and service, and at once */
#define ROUND_MS       10000  /* when there are more services than connections: about so long until each had its turn */
#define SHORT_WAIT_MS  1000
#define IDLE_FIRST_MS  1000
#define IDLE_MOST_MS   15000
#define AT_ONCE_MS     300
#define WAKE_WITHIN_MS 1000

static struct consul *consul_of(const struct consul_lookup *w)
{
	return (struct consul *)w->l.registry;
}

/* ---- whose turn it is ---- */

static void on_done(void *ctx, const struct http_response *res);
static void fail(struct consul_lookup *w, bool registry, const char *why);

static void make_ready(struct consul_lookup *w)
{
	struct consul *c = consul_of(w);

	w->ready = true;
	w->next_ready = NULL;
	*c->ready_end = w;
	c->ready_end = &w->next_ready;
	consul_watch_pump(c);
}

static void on_timer(uv_timer_t *timer)
{
	make_ready(timer->data);
}

static void ask_in(struct consul_lookup *w, uint32_t ms)
{
	uv_timer_start(&w->timer, on_timer, ms, 0);
}

static void unready(struct consul_lookup *w)
{
	struct consul *c = consul_of(w);
	struct consul_lookup **at = &c->ready;

	if (!w->ready)
		return;
	while (*at != w)
		at = &(*at)->next_ready;
	*at = w->next_ready;
	if (c->ready_end == &w->next_ready)
		c->ready_end = at;
	w->ready = false;
}

/* With more services than connections nobody may sit on one for minutes. */
static uint32_t wait_for(const struct consul *c)
{
	uint32_t wait = jitter(c->wait_ms);

	if (c->nr_lookups > c->most) {
		wait = (uint32_t)(ROUND_MS * c->most / c->nr_lookups);
		wait = wait < SHORT_WAIT_MS ? SHORT_WAIT_MS : wait;
		wait = wait > c->wait_ms ? c->wait_ms : wait;
	}
	return wait > WAIT_MOST ? WAIT_MOST : wait;
}

static void ask(struct consul_lookup *w)
{
	struct consul *c = consul_of(w);
	_cleanup_(freep) char *path = NULL;
	uint32_t wait = wait_for(c);
	char why[256];
	int r;

	w->query.wait_ms = wait;
	path = consul_query_path(&w->query);
	w->server = c->current;
	w->began_ms = uv_now(c->r.loop);
	/* A server adds up to a sixteenth to the wait. */
	r = consul_ask(c,
		       &(struct consul_ask){ .path = path,
					     .server = w->server,
					     .total_ms = (w->query.index ? wait + wait / 16 : 0) + c->timeout_ms,
					     .on_done = on_done,
					     .ctx = w },
		       &w->call, why, sizeof(why));
	if (r)
		fail(w, false, why);
	else
		c->nr_waiting++;
}

static void on_token(uv_timer_t *timer)
{
	consul_watch_pump(timer->data);
}

void consul_watch_pump(struct consul *c)
{
	while (c->ready && c->nr_waiting < c->most) {
		struct consul_lookup *w = c->ready;
		uint32_t ms = pace_take(&c->pace, uv_now(c->r.loop));

		if (ms) {
			uv_timer_start(&c->timer, on_token, ms, 0);
			return;
		}
		unready(w);
		ask(w);
	}
}

/* ---- answers ---- */

/* @registry: it is not this service alone that suffers. */
static void fail(struct consul_lookup *w, bool registry, const char *why)
{
	struct consul *c = consul_of(w);

	if (!w->failing)
		w->failing_ms = uv_now(c->r.loop);
	w->failing = true;
	w->query.index = 0;
	ask_in(w, backoff_next(&w->backoff));
	if (!registry) {
		lookup_failed(&w->l, "%s", why);
		return;
	}
	consul_leave(c, w->server);
	registry_failed(&c->r, "%s", why);
}

/* Is it not this question alone that goes wrong? A server refuses one for a datacenter that it cannot reach with a 500,
 * too; then it answers others meanwhile. */
static bool is_server(const struct consul_lookup *w, const struct http_response *res)
{
	return res->error || (consul_is_unwell(res) && (!w->failing || consul_of(w)->well_ms <= w->failing_ms));
}

/* An answer. The first after an outage: those that wait to try again need not any longer, but not all at once. */
static void wake(struct consul *c)
{
	c->well_ms = uv_now(c->r.loop);
	if (!c->down)
		return;
	c->down = false;
	for (struct consul_lookup *w = c->lookups; w; w = w->next)
		if (w->failing && uv_is_active((uv_handle_t *)&w->timer) &&
		    uv_timer_get_due_in(&w->timer) > WAKE_WITHIN_MS)
			ask_in(w, jitter(WAKE_WITHIN_MS / 2));
}

/* Decides when to ask again. */
static void follow(struct consul_lookup *w, uint64_t got)
{
	struct consul *c = consul_of(w);
	uint64_t now = uv_now(c->r.loop), asked = w->query.index;
	uint32_t ms = pace_take(&w->pace, now);

	/* A question that should have waited did not, and nothing is new, or it goes backwards: a server that does not
	 * know how, or several of them behind one address. They are not asked again and again. */
	if (asked && got <= asked && now - w->began_ms < AT_ONCE_MS)
		ms = backoff_next(&w->idle);
	else if (asked)
		backoff_reset(&w->idle);
	if (!got)
		lookup_odd(&w->l, "an answer without a usable X-Consul-Index");
	w->query.index = consul_index_next(asked, got);
	w->failing = false;
	backoff_reset(&w->backoff);
	ask_in(w, ms);
}

static void take(struct consul_lookup *w, const struct http_response *res)
{
	const char *hidden = http_header(res->call, "X-Consul-Results-Filtered-By-ACLs");
	const char *leader = http_header(res->call, "X-Consul-KnownLeader");
	uint64_t got = consul_index_parse(http_header(res->call, "X-Consul-Index"));
	struct found found = { 0 };
	char why[256], sentence[320];
	unsigned odd;
	int r = consul_decode(res->body, res->body_len, &w->reading, &found, &odd, why, sizeof(why));

	if (odd)
		lookup_odd(&w->l, "%u instances or labels that cannot be used", odd);
	if (r) {
		snprintf(sentence, sizeof(sentence), "its answer makes no sense: %s", r == -ENOMEM ? "no memory" : why);
		fail(w, false, sentence);
		return;
	}
	/* Consul says "nothing" to those who may not see, and so may a server that has no leader to learn from. */
	if (!found.nr && hidden && !strcmp(hidden, "true")) {
		found_done(&found);
		fail(w, false, "the token may not read the service or its nodes");
		return;
	}
	if (!found.nr && leader && !strcmp(leader, "false")) {
		found_done(&found);
		fail(w, false, "the server has no leader, and knows nothing by itself");
		return;
	}
	wake(consul_of(w));
	follow(w, got);
	lookup_found(&w->l, &found); /* may stop us */
}

static void on_done(void *ctx, const struct http_response *res)
{
	struct consul_lookup *w = ctx;
	struct consul *c = consul_of(w);
	char why[256];

	w->call = NULL;
	c->nr_waiting--;
	if (!res->error && res->status == 200) {
		take(w, res);
	} else {
		consul_why(c, w->server, res, why, sizeof(why));
		c->down |= res->error != 0;
		if (!consul_is_unwell(res)) {
			registry_heard(&c->r);
			wake(c);
		}
		fail(w, is_server(w, res), why);
	}
	consul_watch_pump(c);
}

void consul_watch_abandon(struct consul *c, size_t server, const char *why)
{
	for (struct consul_lookup *w = c->lookups; w; w = w->next)
		if (w->call && w->server == server) {
			http_cancel(MOVE(w->call, NULL));
			c->nr_waiting--;
			fail(w, true, why);
		}
	consul_watch_pump(c);
}

/* ---- start and stop ---- */

/* Of services that have none; the core puts the same in the place of others. 0: none, or no number. */
static uint32_t own_port(const struct lookup *l)
{
	const char *port = options_text(l->options, "port", "");
	unsigned long n = *port >= '0' && *port <= '9' && strlen(port) <= 5 ? strtoul(port, NULL, 10) : 0;

	return n <= 65535 ? (uint32_t)n : 0;
}

static enum consul_health health_of(const struct lookup *l)
{
	const char *health = options_text(l->options, "health", "passing");

	return !strcmp(health, "any") ? CONSUL_ANY : !strcmp(health, "warning") ? CONSUL_WARNING : CONSUL_PASSING;
}

int consul_watch_start(struct lookup *l)
{
	struct consul_lookup *w = (struct consul_lookup *)l;
	struct consul *c = consul_of(w);

	if (options_find(l->options, "port") && !own_port(l)) {
		lookup_failed(l, "port: must be a number; services of Consul have one port");
		return -EINVAL;
	}
	w->reading = (struct consul_reading){ .health = health_of(l),
					      .port = own_port(l),
					      .zone_key = options_text(c->r.options, "zone-key", "zone") };
	w->query = (struct consul_query){ .service = options_text(l->options, "service", ""),
					  .expression = options_text(l->options, "expression", NULL),
					  .tags = options_list(l->options, "tags"),
					  .passing = w->reading.health == CONSUL_PASSING,
					  .scope = c->scope };
	w->query.scope.datacenter = options_text(l->options, "datacenter", c->scope.datacenter);
	w->query.scope.namespace = options_text(l->options, "namespace", c->scope.namespace);
	w->query.scope.partition = options_text(l->options, "partition", c->scope.partition);
	w->query.scope.near = options_text(l->options, "near", NULL);
	w->backoff = (struct backoff){ .first_ms = FIRST_MS, .most_ms = c->backoff_ms };
	w->idle = (struct backoff){ .first_ms = IDLE_FIRST_MS, .most_ms = IDLE_MOST_MS };
	pace_init(&w->pace, CHANGES, CHANGES, uv_now(c->r.loop));
	uv_timer_init(c->r.loop, &w->timer);
	w->timer.data = w;
	w->next = c->lookups;
	c->lookups = w;
	c->nr_lookups++;
	ask_in(w, 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct consul_lookup *w = handle->data;

	lookup_stopped(&w->l);
}

void consul_watch_stop(struct lookup *l)
{
	struct consul_lookup *w = (struct consul_lookup *)l, **at;
	struct consul *c = consul_of(w);

	if (w->call) {
		http_cancel(MOVE(w->call, NULL));
		c->nr_waiting--;
	}
	unready(w);
	for (at = &c->lookups; *at != w;)
		at = &(*at)->next;
	*at = w->next;
	c->nr_lookups--;
	uv_close((uv_handle_t *)&w->timer, on_closed);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/backoff.h"
#include "discovery/names.h"
#include "discovery/resolve.h"
#include "discovery/ttl.h"

#define BUCKETS	    1024u
#define HOSTS_MAX   64 /* addresses of a name in /etc/hosts */
#define HOSTS_TTL_S 10 /* how soon a change of it is seen */
#define FIRST_MS    1000
#define MOST_MS	    30000
#define PER_SECOND  200

/* Wants of one name. */
struct entry {
	struct names *names;
	struct entry *next; /* of the bucket */
	char *host;
	struct name_want *wants;
	uv_timer_t timer;
	uint64_t due_ms;	 /* when to look up; the timer may run earlier, to tell new wants */
	struct resolve *resolve; /* NULL: not under way */
	struct backoff backoff;
	struct name_addrs known;
	struct weft_addr *addrs; /* sorted; as they were told */
	size_t nr;
	bool answered, calling;
	char error[256];
};

struct name_want {
	struct entry *entry;
	struct name_want *next, **back;
	names_fn *on_answer;
	void *ctx;
	bool told;
};

struct names {
	uv_loop_t *loop;
	struct cares *cares;
	struct pace pace;
	struct ttl_bounds bounds;
	struct entry *bucket[BUCKETS];
	unsigned handles; /* timers, and c-ares */
	bool closing;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static void handle_closed(void *ctx)
{
	struct names *n = ctx;

	if (--n->handles || !n->closing)
		return;
	if (n->closed)
		n->closed(n->closed_ctx);
	free(n);
}

int names_new_with(uv_loop_t *loop, const struct cares_options *options, struct names **ret)
{
	struct names *n = calloc(1, sizeof(*n));
	char text[8];
	int r;

	if (!n)
		return -ENOMEM;
	r = cares_new(loop, options, &n->cares, text, sizeof(text));
	if (r) {
		free(n);
		return r;
	}
	n->loop = loop;
	n->handles = 1;
	n->bounds = (struct ttl_bounds){ TTL_MIN_MS, TTL_MAX_MS };
	pace_init(&n->pace, PER_SECOND, PER_SECOND, uv_now(loop));
	*ret = n;
	return 0;
}

int names_new(uv_loop_t *loop, struct names **ret)
{
	return names_new_with(loop, &(struct cares_options){ .ndots = -1 }, ret);
}

void names_set_ttl(struct names *n, uint32_t min_ms, uint32_t max_ms)
{
	n->bounds = (struct ttl_bounds){ min_ms, max_ms };
}

void names_free(struct names *n, void (*closed)(void *ctx), void *ctx)
{
	n->closing = true;
	n->closed = closed;
	n->closed_ctx = ctx;
	cares_free(n->cares, handle_closed, n);
}

/* ---- telling ---- */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct weft_addr));
}

/* Takes @addrs. */
static void tell(struct entry *e, struct weft_addr *addrs, size_t nr)
{
	struct name_want *w;
	size_t to = 0;

	qsort(addrs, nr, sizeof(*addrs), compare);
	for (size_t i = 0; i < nr; i++)
		if (!to || !weft_addr_equal(&addrs[to - 1], &addrs[i]))
			addrs[to++] = addrs[i];
	if (!e->answered || to != e->nr || memcmp(addrs, e->addrs, to * sizeof(*addrs)) != 0) {
		for (w = e->wants; w; w = w->next)
			w->told = false;
		free(e->addrs);
		e->addrs = addrs;
		e->nr = to;
	} else {
		free(addrs);
	}
	e->answered = true;
}

static void entry_free(struct entry *e);

/* Whoever is called may want and forget: so each time the search begins anew. False: nobody wants it any more. */
static bool call_wants(struct entry *e)
{
	struct name_want *w;

	e->calling = true;
	for (w = e->wants; w;) {
		if (w->told) {
			w = w->next;
			continue;
		}
		w->told = true;
		w->on_answer(w->ctx, e->addrs, e->nr);
		w = e->wants;
	}
	e->calling = false;
	if (e->wants)
		return true;
	entry_free(e);
	return false;
}

/* ---- looking up ---- */

static void on_timer(uv_timer_t *timer);

static void set_timer(struct entry *e, uint32_t ms)
{
	e->due_ms = uv_now(e->names->loop) + ms;
	uv_timer_start(&e->timer, on_timer, ms, 0);
}

static void fail(struct entry *e, const char *text)
{
	snprintf(e->error, sizeof(e->error), "%s", *text ? text : "not enough memory");
	set_timer(e, backoff_next(&e->backoff));
}

static void answered(struct entry *e, struct weft_addr *addrs, size_t nr, bool has_ttl, uint32_t ttl)
{
	backoff_reset(&e->backoff);
	*e->error = '\0';
	tell(e, addrs, nr);
	set_timer(e, ttl_ms(&e->names->bounds, has_ttl, ttl));
	call_wants(e); /* e may be gone */
}

static void on_resolved(void *ctx, struct resolved *r)
{
	struct entry *e = ctx;
	struct weft_addr *addrs;
	enum outcome outcome;
	bool has_ttl;
	uint32_t ttl;

	e->resolve = NULL;
	if (name_addrs_update(&e->known, r, &outcome, &has_ttl, &ttl)) {
		fail(e, "");
		return;
	}
	if (outcome == OUTCOME_FAILED) {
		fail(e, r->text);
		return;
	}
	addrs = calloc(e->known.nr[0] + e->known.nr[1] + 1, sizeof(*addrs));
	if (!addrs) {
		fail(e, "");
		return;
	}
	for (size_t i = 0; i < e->known.nr[0]; i++)
		addrs[i] = e->known.at[0][i];
	for (size_t i = 0; i < e->known.nr[1]; i++)
		addrs[e->known.nr[0] + i] = e->known.at[1][i];
	answered(e, addrs, e->known.nr[0] + e->known.nr[1], has_ttl, ttl);
}

static void look_up(struct entry *e)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA };
	struct names *n = e->names;
	_cleanup_(freep) struct weft_addr *addrs = calloc(HOSTS_MAX, sizeof(*addrs));
	uint32_t wait = pace_take(&n->pace, uv_now(n->loop));
	size_t nr;

	if (wait) {
		set_timer(e, wait);
		return;
	}
	if (!addrs) {
		fail(e, "");
		return;
	}
	nr = cares_hosts(n->cares, e->host, addrs, HOSTS_MAX);
	if (nr)
		answered(e, MOVE(addrs, NULL), nr, true, HOSTS_TTL_S);
	else if (resolve_start(n->cares, e->host, types, 2, on_resolved, e, &e->resolve))
		fail(e, "");
}

static bool has_untold(const struct entry *e)
{
	for (const struct name_want *w = e->wants; w; w = w->next)
		if (!w->told)
			return true;
	return false;
}

static void on_timer(uv_timer_t *timer)
{
	struct entry *e = timer->data;
	uint64_t now = uv_now(e->names->loop);

	if (e->answered && has_untold(e) && !call_wants(e))
		return;
	if (e->resolve)
		return;
	if (now < e->due_ms)
		uv_timer_start(&e->timer, on_timer, e->due_ms - now, 0);
	else
		look_up(e);
}

/* ---- wants ---- */

static struct entry **bucket_of(struct names *n, const char *host)
{
	uint32_t h = 2166136261u;

	for (const char *at = host; *at; at++)
		h = (h ^ (uint8_t)*at) * 16777619u;
	return &n->bucket[h % BUCKETS];
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct entry *e = handle->data;
	struct names *n = e->names;

	name_addrs_done(&e->known);
	free(e->addrs);
	free(e->host);
	free(e);
	handle_closed(n);
}

static void entry_free(struct entry *e)
{
	struct entry **at = bucket_of(e->names, e->host);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	resolve_cancel(MOVE(e->resolve, NULL));
	uv_close((uv_handle_t *)&e->timer, on_timer_closed);
}

/* In small letters. NULL: no memory. */
static char *canonical(const char *host)
{
	char *text = strdup(host);

	for (char *at = text; at && *at; at++)
		*at = (char)dns_lower((uint8_t)*at);
	return text;
}

/* Takes @host. NULL: no memory. */
static struct entry *entry_new(struct names *n, char *host)
{
	struct entry **at = bucket_of(n, host), *e = calloc(1, sizeof(*e));

	if (!e) {
		free(host);
		return NULL;
	}
	e->names = n;
	e->host = host;
	e->backoff = (struct backoff){ .first_ms = FIRST_MS, .most_ms = MOST_MS };
	e->next = *at;
	*at = e;
	uv_timer_init(n->loop, &e->timer);
	e->timer.data = e;
	n->handles++;
	set_timer(e, 0);
	return e;
}

/* NULL: no memory. */
static struct entry *entry_get(struct names *n, const char *host)
{
	char *name = canonical(host);
	struct entry *e;

	if (!name)
		return NULL;
	for (e = *bucket_of(n, name); e; e = e->next)
		if (!strcmp(e->host, name)) {
			free(name);
			return e;
		}
	return entry_new(n, name);
}

int names_want(struct names *n, const char *host, names_fn *on_answer, void *ctx, struct name_want **ret)
{
	_cleanup_(freep) struct name_want *w = calloc(1, sizeof(*w));
	struct dns_name name;
	struct entry *e;

	if (dns_name_parse(host, &name))
		return -EINVAL;
	e = w ? entry_get(n, host) : NULL;
	if (!e)
		return -ENOMEM;
	w->entry = e;
	w->on_answer = on_answer;
	w->ctx = ctx;
	w->next = e->wants;
	w->back = &e->wants;
	if (w->next)
		w->next->back = &w->next;
	e->wants = w;
	if (e->answered && !e->calling)
		uv_timer_start(&e->timer, on_timer, 0, 0);
	*ret = MOVE(w, NULL);
	return 0;
}

void names_forget(struct name_want *w)
{
	struct entry *e;

	if (!w)
		return;
	e = w->entry;
	*w->back = w->next;
	if (w->next)
		w->next->back = w->back;
	free(w);
	if (!e->wants && !e->calling)
		entry_free(e);
}

const char *names_error(const struct name_want *w)
{
	return *w->entry->error ? w->entry->error : NULL;
}

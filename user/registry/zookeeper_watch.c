/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One source: the children of a path, under a watch, and the content of those whose name does not say everything. Only
 * what is new or has changed is read; an answer for the core is made when everything that is wanted has been read.
 *
 * A watch that fires is gone, and is set again with the next question. The library sets them again itself when it
 * connects to another server within the session; after every connect the list is read anyway, and now and then the
 * path is asked how often its children have changed: clients are known to have lost watches.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper.h"

#define AT_ONCE	 256 /* contents that are asked for at a time */
#define FIRST_MS 200
#define AUDIT_MS 60000

static void step(struct zk_lookup *l);

static struct zk *zk_of(const struct zk_lookup *l)
{
	return (struct zk *)l->l.registry;
}

static struct zk_lookup *find(struct zk *z, uint64_t id)
{
	for (struct zk_lookup *l = z->lookups[id % ZK_BUCKETS]; l; l = l->next)
		if (l->id == id)
			return l;
	return NULL;
}

/* Whose answer it is; NULL: nobody's any more, or an old one. */
static struct zk_lookup *asker(const struct zk_ticket *t)
{
	struct zk_lookup *l = find(t->z, t->asker);

	return l && l->round == t->round ? l : NULL;
}

static void on_timer(uv_timer_t *timer)
{
	struct zk_lookup *l = timer->data;

	step(l);
	zk_pump(zk_of(l));
}

static void later(struct zk_lookup *l, uint64_t ms)
{
	if (!l->stopping)
		uv_timer_start(&l->timer, on_timer, ms, 0);
}

static void failed(struct zk_lookup *l, const char *what, int rc)
{
	lookup_failed(&l->l, "cannot read %s%s: %s", l->path, what, zk_error(rc));
	later(l, backoff_next(&l->backoff));
}

/* ---- watches ---- */

static void list_again(struct zk_lookup *l)
{
	l->want_list = true;
	if (l->listing || l->stopping)
		return;
	/* As Synapse's discovery_jitter: many readers need not come at once. */
	if (l->jitter_ms)
		later(l, (uint64_t)rand() % l->jitter_ms);
	else if (!uv_is_active((uv_handle_t *)&l->timer))
		step(l);
}

static struct zk_lookup *watcher(zhandle_t *handle, int type, void *ctx)
{
	if (type == ZOO_SESSION_EVENT)
		return NULL;
	return find((struct zk *)zoo_get_context(handle), (uint64_t)(uintptr_t)ctx);
}

static void on_children_event(zhandle_t *handle, int type, int state, const char *path, void *ctx)
{
	struct zk_lookup *l = watcher(handle, type, ctx);

	(void)state;
	(void)path;
	if (l)
		list_again(l);
}

static void on_child_event(zhandle_t *handle, int type, int state, const char *path, void *ctx)
{
	struct zk_lookup *l = watcher(handle, type, ctx);
	const char *name = strrchr(path, '/');
	struct zk_child *child = l && name ? zk_children_find(&l->children, name + 1) : NULL;

	(void)state;
	if (!child || type == ZOO_DELETED_EVENT) /* the list will say so */
		return;
	zk_child_want(&l->children, child);
	l->want_publish = true;
	step(l);
}

static void on_settings_event(zhandle_t *handle, int type, int state, const char *path, void *ctx)
{
	struct zk_lookup *l = watcher(handle, type, ctx);

	(void)state;
	(void)path;
	if (!l)
		return;
	l->want_settings = true;
	step(l);
}

static void *context(const struct zk_lookup *l)
{
	return (void *)(uintptr_t)l->id;
}

/* ---- the list ---- */

static void on_exists(int rc, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_lookup *l = asker(t);

	(void)stat;
	if (!l)
		return;
	l->listing = false;
	if (rc == ZNONODE) {
		l->pzxid = 0;
		zk_children_set(&l->children, NULL, 0);
		l->want_publish = true;
		step(l);
	} else if (zk_is_loss(rc)) {
		l->want_list = true;
	} else if (rc == ZOK) { /* it has come meanwhile */
		list_again(l);
	} else {
		l->want_list = true;
		failed(l, "", rc);
	}
}

static struct zk_ticket *ticket(struct zk_lookup *l, const char *name)
{
	return zk_ticket(zk_of(l), l->id, l->round, name);
}

/* There is no such path: it is watched until there is. */
static void wait_for_path(struct zk_lookup *l)
{
	struct zk_ticket *t = ticket(l, "");

	if (t && zoo_awexists(zk_of(l)->handle, l->path, on_children_event, context(l), on_exists, t) == ZOK) {
		l->listing = true;
		return;
	}
	zk_ticket_done(t);
	l->want_list = true;
	later(l, backoff_next(&l->backoff));
}

static void on_list(int rc, const struct String_vector *names, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_lookup *l = asker(t);

	if (!l)
		return;
	l->listing = false;
	if (zk_is_loss(rc)) {
		l->want_list = true;
		return;
	}
	if (rc == ZNONODE) {
		wait_for_path(l);
		return;
	}
	if (rc == ZOK && zk_children_set(&l->children, names->data, (size_t)names->count))
		rc = ZSYSTEMERROR;
	if (rc != ZOK) {
		l->want_list = true;
		failed(l, "", rc);
		return;
	}
	l->pzxid = stat->pzxid;
	l->want_publish = true;
	step(l);
}

static void list(struct zk_lookup *l)
{
	struct zk_ticket *t = ticket(l, "");

	if (t && zoo_awget_children2(zk_of(l)->handle, l->path, on_children_event, context(l), on_list, t) == ZOK) {
		l->want_list = false;
		l->listing = true;
		return;
	}
	zk_ticket_done(t);
	later(l, backoff_next(&l->backoff));
}

/* ---- contents ---- */

static void on_content(int rc, const char *text, int len, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_lookup *l = asker(t);
	struct zk_child *child = l ? zk_children_find(&l->children, t->name) : NULL;

	(void)stat;
	if (!l)
		return;
	l->reading--;
	if (child && zk_is_loss(rc))
		zk_child_state(&l->children, child, ZK_CHILD_WANTED);
	else if (child && rc != ZOK && child->text) /* what it said last stays */
		zk_child_state(&l->children, child, ZK_CHILD_KNOWN);
	else if (child && zk_child_read(&l->children, child, text, rc == ZOK && len > 0 ? (size_t)len : 0))
		later(l, backoff_next(&l->backoff));
	if (rc == ZNONODE) /* gone between the list and now; the watch on the list fires, or has */
		l->want_list = l->want_list || !l->listing;
	else if (rc != ZOK && !zk_is_loss(rc))
		lookup_odd(&l->l, "cannot read %s/%s: %s", l->path, t->name, zk_error(rc));
	step(l);
}

/* False: later. */
static bool read_one(struct zk_lookup *l, struct zk_child *child)
{
	struct zk *z = zk_of(l);
	uint32_t ms = pace_take(&z->pace, uv_now(z->r.loop));
	_cleanup_(freep) char *path = NULL;
	struct zk_ticket *t;

	if (ms) {
		later(l, ms);
		return false;
	}
	t = ticket(l, child->name);
	if (t && asprintf(&path, "%s/%s", strcmp(l->path, "/") ? l->path : "", child->name) >= 0 &&
	    zoo_awget(z->handle, path, on_child_event, context(l), on_content, t) == ZOK) {
		zk_child_state(&l->children, child, ZK_CHILD_READING);
		l->reading++;
		return true;
	}
	zk_ticket_done(t);
	later(l, backoff_next(&l->backoff));
	return false;
}

/* ---- settings ---- */

static void on_settings_exists(int rc, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_lookup *l = asker(t);

	(void)stat;
	if (!l || rc != ZOK)
		return;
	l->want_settings = true; /* they have come meanwhile */
	step(l);
}

/* There are none: the path is watched until there are. */
static void wait_for_settings(struct zk_lookup *l)
{
	struct zk_ticket *t = zk_ticket(zk_of(l), l->id, l->round, "");

	if (t && zoo_awexists(zk_of(l)->handle, l->settings_path, on_settings_event, context(l), on_settings_exists,
			      t) != ZOK)
		zk_ticket_done(t);
}

static void on_settings(int rc, const char *text, int len, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_lookup *l = asker(t);
	struct zk_settings fresh = { 0 };

	(void)stat;
	if (!l)
		return;
	l->reading_settings = false;
	if (zk_is_loss(rc)) {
		l->want_settings = true;
		return;
	}
	if (rc == ZOK && zk_read_settings(text, len > 0 ? (size_t)len : 0, &fresh))
		lookup_odd(&l->l, "%s does not hold settings: it is no JSON object, or not as it must be",
			   l->settings_path);
	else if (rc == ZOK || rc == ZNONODE)
		l->settings = fresh;
	else
		lookup_odd(&l->l, "cannot read %s: %s", l->settings_path, zk_error(rc));
	if (rc == ZNONODE)
		wait_for_settings(l);
	l->want_publish = true;
	step(l);
}

static void read_settings(struct zk_lookup *l)
{
	struct zk_ticket *t = ticket(l, "");

	if (t && zoo_awget(zk_of(l)->handle, l->settings_path, on_settings_event, context(l), on_settings, t) == ZOK) {
		l->want_settings = false;
		l->reading_settings = true;
		return;
	}
	zk_ticket_done(t);
	later(l, backoff_next(&l->backoff));
}

/* ---- what is found ---- */

static void apply_settings(const struct zk_lookup *l, struct found *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		if (l->settings.port)
			f->at[i].endpoint.port = l->settings.port;
		if (l->settings.has_weights && !l->settings.weights)
			f->at[i].endpoint.weight = 1;
	}
	if (l->settings.has_leader ? l->settings.leader : l->leader)
		zk_keep_leader(f);
}

static void publish(struct zk_lookup *l)
{
	struct found f = { 0 };
	size_t odd;

	l->want_publish = false;
	if (zk_children_found(&l->children, &l->how, &f, &odd)) {
		found_done(&f);
		l->want_publish = true;
		later(l, backoff_next(&l->backoff));
		return;
	}
	if (odd)
		lookup_odd(&l->l, "%zu of the nodes below %s are no endpoints", odd, l->path);
	apply_settings(l, &f);
	backoff_reset(&l->backoff);
	lookup_found(&l->l, &f);
}

/* Whatever is missing. */
static void step(struct zk_lookup *l)
{
	struct zk *z = zk_of(l);
	struct zk_child *child;

	if (l->stopping || !z->connected)
		return;
	if (l->want_list && !l->listing)
		list(l);
	if (l->want_settings && !l->reading_settings)
		read_settings(l);
	while (l->reading < AT_ONCE && (child = zk_children_next_wanted(&l->children)) && read_one(l, child))
		;
	if (l->want_publish && !l->want_list && !l->listing && !l->want_settings && !l->reading_settings &&
	    !l->reading && !l->children.wanted)
		publish(l);
}

/* ---- was a watch lost? ---- */

static void on_audit_time(uv_timer_t *timer);

static void on_audit(int rc, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_lookup *l = asker(t);

	if (!l || l->listing || l->want_list || rc != ZOK || stat->pzxid == l->pzxid)
		return;
	lookup_odd(&l->l, "%s has changed and the watch did not say so", l->path);
	list_again(l);
}

static void on_audit_time(uv_timer_t *timer)
{
	struct zk_lookup *l = timer->data;
	struct zk *z = zk_of(l);
	struct zk_ticket *t;

	uv_timer_start(timer, on_audit_time, jitter(AUDIT_MS), 0);
	if (!z->connected || l->listing || l->want_list)
		return;
	t = ticket(l, "");
	if (t && zoo_aexists(z->handle, l->path, 0, on_audit, t) != ZOK)
		zk_ticket_done(t);
	zk_pump(z);
}

/* ---- from beginning to end ---- */

void zk_lookup_connected(struct zk_lookup *l)
{
	/* Answers that are still out do not come any more. */
	l->round++;
	l->listing = l->reading_settings = false;
	l->reading = 0;
	zk_children_lost(&l->children);
	l->want_list = true;
	l->want_settings = l->settings_path != NULL;
	uv_timer_stop(&l->timer);
	step(l);
}

static void read_options(struct zk_lookup *l)
{
	const struct options *o = l->l.options;

	l->path = options_text(o, "path", "/");
	l->settings_path = options_text(o, "generator-config", l->path);
	if (!strcmp(l->settings_path, "disabled"))
		l->settings_path = NULL;
	l->how.decode = strcmp(options_text(o, "decode", "nerve"), "serverset") ? ZK_NERVE : ZK_SERVERSET;
	l->how.endpoint_name = options_text(o, "endpoint-name", NULL);
	l->leader = options_bool(o, "leader-election", false);
	l->jitter_ms = options_ms(o, "jitter", 0);
}

int zk_start(struct lookup *lookup)
{
	struct zk_lookup *l = (struct zk_lookup *)lookup;
	struct zk *z = zk_of(l);
	size_t len;

	read_options(l);
	len = strlen(l->path);
	if (*l->path != '/' || (len > 1 && l->path[len - 1] == '/') || strstr(l->path, "//")) {
		lookup_failed(lookup, "path '%s' is none: it begins with a slash, and does not end with one", l->path);
		return -EINVAL;
	}
	l->id = ++z->last_id;
	l->backoff = (struct backoff){ .first_ms = FIRST_MS,
				       .most_ms = options_ms(z->r.options, "backoff-max", 30000) };
	uv_timer_init(z->r.loop, &l->timer);
	uv_timer_init(z->r.loop, &l->audit_timer);
	l->timer.data = l->audit_timer.data = l;
	l->handles = 2;
	uv_timer_start(&l->audit_timer, on_audit_time, jitter(AUDIT_MS), 0);
	l->next = z->lookups[l->id % ZK_BUCKETS];
	z->lookups[l->id % ZK_BUCKETS] = l;
	l->want_list = true;
	l->want_settings = l->settings_path != NULL;
	later(l, 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct zk_lookup *l = handle->data;

	if (--l->handles)
		return;
	zk_children_done(&l->children);
	lookup_stopped(&l->l);
}

void zk_stop(struct lookup *lookup)
{
	struct zk_lookup *l = (struct zk_lookup *)lookup, **at = &zk_of(l)->lookups[l->id % ZK_BUCKETS];

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->stopping = true;
	uv_close((uv_handle_t *)&l->timer, on_closed);
	uv_close((uv_handle_t *)&l->audit_timer, on_closed);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A local endpoint as a node, as Nerve writes it. What is ephemeral belongs to the session, so that it goes when the
 * node dies; an agent that starts anew has a new session: it makes its own node first, and only then deletes what its
 * former life has left (zookeeper_sweep.c). The node is watched, since others can delete it.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper.h"

#define FIRST_MS 200

static void step(struct zk_announcement *a);

static struct zk *zk_of(const struct zk_announcement *a)
{
	return (struct zk *)a->a.registry;
}

struct zk_announcement *zk_announcement_asker(const struct zk_ticket *t)
{
	struct zk_announcement *a = t->z->announcements;

	while (a && a->id != t->asker)
		a = a->next;
	if (!a || a->round != t->round)
		return NULL;
	a->asked--;
	return a;
}

struct zk_ticket *zk_announcement_ticket(struct zk_announcement *a, const char *name)
{
	return zk_ticket(zk_of(a), a->id, a->round, name);
}

static void on_timer(uv_timer_t *timer)
{
	struct zk_announcement *a = timer->data;

	step(a);
	zk_pump(zk_of(a));
}

static void later(struct zk_announcement *a, uint64_t ms)
{
	if (!a->leaving)
		uv_timer_start(&a->timer, on_timer, ms, 0);
}

void zk_announcement_failed(struct zk_announcement *a, const char *what, const char *path, int rc)
{
	if (zk_is_loss(rc))
		return; /* zk_announcement_connected() begins anew */
	announcement_failed(&a->a, "cannot %s %s: %s", what, path, zk_error(rc));
	later(a, backoff_next(&a->backoff));
}

void zk_announcement_step(struct zk_announcement *a)
{
	step(a);
}

/* ---- the node is there ---- */

static void on_node_event(zhandle_t *handle, int type, int state, const char *path, void *ctx)
{
	struct zk *z = (struct zk *)zoo_get_context(handle);
	struct zk_announcement *a = z->announcements;

	(void)state;
	while (a && a->id != (uint64_t)(uintptr_t)ctx)
		a = a->next;
	if (!a || type == ZOO_SESSION_EVENT || !a->node || strcmp(a->node, path))
		return;
	a->confirmed = false; /* deleted, or written to by somebody else */
	later(a, backoff_next(&a->backoff));
}

static void on_confirmed(int rc, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	if (!a)
		return;
	/* One of a former session goes with it: ours is made beside it. */
	if (rc == ZNONODE || (rc == ZOK && a->ephemeral && stat->ephemeralOwner != t->z->session)) {
		free(MOVE(a->node, NULL));
		step(a);
	} else if (rc != ZOK) {
		zk_announcement_failed(a, "watch", t->name, rc);
	} else {
		a->confirmed = true;
		step(a);
	}
}

static void confirm(struct zk_announcement *a)
{
	struct zk_ticket *t = zk_announcement_ticket(a, a->node);

	if (t &&
	    zoo_awexists(zk_of(a)->handle, a->node, on_node_event, (void *)(uintptr_t)a->id, on_confirmed, t) == ZOK) {
		a->asked++;
		return;
	}
	zk_ticket_done(t);
	later(a, backoff_next(&a->backoff));
}

/* ---- making it ---- */

static void on_parent(int rc, const char *path, const void *data)
{
	(void)rc; /* that it is there already is fine; the node itself says what is wrong */
	(void)path;
	zk_ticket_done((struct zk_ticket *)data);
}

/* Every part of the path, without waiting: the server does one after the other. */
static void make_parents(struct zk_announcement *a)
{
	if (!*a->parent)
		return;
	for (char *at = strchr(a->parent + 1, '/'); at; at = strchr(at + 1, '/')) {
		struct zk_ticket *t = zk_announcement_ticket(a, "");

		*at = '\0';
		if (!t || zoo_acreate(zk_of(a)->handle, a->parent, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, on_parent, t) != ZOK)
			zk_ticket_done(t);
		*at = '/';
	}
	struct zk_ticket *t = zk_announcement_ticket(a, "");

	if (!t || zoo_acreate(zk_of(a)->handle, a->parent, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, on_parent, t) != ZOK)
		zk_ticket_done(t);
}

/* There is one of that name already. */
static void on_written(int rc, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	if (!a)
		return;
	if (rc == ZNONODE) {
		step(a);
	} else if (rc != ZOK) {
		zk_announcement_failed(a, "write", t->name, rc);
	} else if (a->ephemeral && stat->ephemeralOwner != t->z->session) {
		/* It would go with the session that it belongs to. There is a moment without it. */
		zk_doom(t->z, strdup(t->name), 0);
		later(a, FIRST_MS);
	} else {
		a->node = strdup(t->name);
		step(a);
	}
}

static void overwrite(struct zk_announcement *a, const char *path)
{
	struct zk_ticket *t = zk_announcement_ticket(a, path);

	if (t && zoo_aset(zk_of(a)->handle, path, a->body, (int)strlen(a->body), -1, on_written, t) == ZOK) {
		a->asked++;
		return;
	}
	zk_ticket_done(t);
	later(a, backoff_next(&a->backoff));
}

static void on_created(int rc, const char *path, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	if (!a) { /* withdrawn meanwhile */
		if (rc == ZOK)
			zk_doom(t->z, strdup(path), 0);
		return;
	}
	if (rc == ZOK) {
		free(a->node);
		a->node = strdup(path);
		a->confirmed = false;
		step(a);
	} else if (rc == ZNODEEXISTS) {
		overwrite(a, t->name);
	} else if (rc == ZNONODE) {
		if (a->parents_made)
			announcement_failed(&a->a, "there is no %s, and it cannot be made", a->parent);
		make_parents(a);
		later(a, a->parents_made ? backoff_next(&a->backoff) : 0);
		a->parents_made = true;
	} else {
		zk_announcement_failed(a, "make", t->name, rc);
	}
}

/* Whoever has a password keeps the node for itself; everybody may read it. */
static const struct ACL_vector *rights(const struct zk_announcement *a)
{
	static struct ACL own[2];
	static struct ACL_vector list = { 2, own };

	if (!options_text(zk_of(a)->r.options, "user", NULL))
		return &ZOO_OPEN_ACL_UNSAFE;
	own[0] = (struct ACL){ .perms = ZOO_PERM_READ, .id = ZOO_ANYONE_ID_UNSAFE };
	own[1] = (struct ACL){ .perms = ZOO_PERM_ALL, .id = ZOO_AUTH_IDS };
	return &list;
}

static void make(struct zk_announcement *a)
{
	int flags = (a->ephemeral ? ZOO_EPHEMERAL : 0) | (a->sequential ? ZOO_SEQUENCE : 0);
	_cleanup_(freep) char *path = NULL;
	struct zk_ticket *t;

	if (asprintf(&path, "%s/%s", a->parent, a->stem) < 0)
		path = NULL;
	t = path ? zk_announcement_ticket(a, path) : NULL;
	if (t && zoo_acreate(zk_of(a)->handle, path, a->body, (int)strlen(a->body), rights(a), flags, on_created, t) ==
			 ZOK) {
		a->asked++;
		return;
	}
	zk_ticket_done(t);
	later(a, backoff_next(&a->backoff));
}

/* ---- taking it back ---- */

static void on_deleted(int rc, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	if (!a)
		return;
	if (rc != ZOK && rc != ZNONODE) {
		zk_announcement_failed(a, "delete", t->name, rc);
		return;
	}
	free(MOVE(a->node, NULL));
	step(a);
}

static void take_back(struct zk_announcement *a)
{
	struct zk_ticket *t = zk_announcement_ticket(a, a->node);

	if (t && zoo_adelete(zk_of(a)->handle, a->node, -1, on_deleted, t) == ZOK) {
		a->asked++;
		return;
	}
	zk_ticket_done(t);
	later(a, backoff_next(&a->backoff));
}

/* ---- what is missing ---- */

static void step(struct zk_announcement *a)
{
	if (a->leaving || a->asked || !zk_of(a)->connected)
		return;
	/* What persists may be there from before, and is used again; what is ephemeral is replaced. */
	if (!a->swept && (!a->ephemeral || !a->a.up || a->confirmed))
		zk_announcement_sweep(a);
	else if (!a->a.up && a->node)
		take_back(a);
	else if (a->a.up && !a->node)
		make(a);
	else if (a->a.up && !a->confirmed)
		confirm(a);
	else {
		backoff_reset(&a->backoff);
		announcement_done(&a->a);
	}
}

/* So that readers that go by the time of the last change see that somebody lives (Nerve's ttl_seconds). */
static void on_renewed(int rc, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	(void)stat;
	if (!a)
		return;
	if (rc == ZOK)
		step(a);
	else
		zk_announcement_failed(a, "write", t->name, rc);
}

static void on_ttl(uv_timer_t *timer)
{
	struct zk_announcement *a = timer->data;
	struct zk_ticket *t;

	uv_timer_start(timer, on_ttl, a->ttl_ms, 0);
	if (!a->node || !a->a.up || a->asked || !zk_of(a)->connected)
		return;
	t = zk_announcement_ticket(a, a->node);
	if (t && zoo_aset(zk_of(a)->handle, a->node, a->body, (int)strlen(a->body), -1, on_renewed, t) == ZOK)
		a->asked++;
	else
		zk_ticket_done(t);
	zk_pump(zk_of(a));
}

void zk_announcement_connected(struct zk_announcement *a, bool new_session)
{
	a->round++; /* answers that are still out do not come any more */
	a->asked = 0;
	a->confirmed = a->parents_made = false;
	if (new_session)
		a->swept = false;
	if (new_session && a->ephemeral)
		free(MOVE(a->node, NULL));
	uv_timer_stop(&a->timer);
	step(a);
}

/* ---- from beginning to end ---- */

static void free_texts(struct zk_announcement *a)
{
	free((char *)a->own.name);
	free(a->parent);
	free(a->body);
	free(a->stem);
	free(a->node);
}

static int make_stem(struct zk_announcement *a)
{
	int r = options_bool(a->a.options, "path-encoding", false) ? zk_name_for(a->body, &a->stem) : -E2BIG;

	if (r == -E2BIG)
		r = asprintf(&a->stem, "%s_", a->own.name) < 0 ? -ENOMEM : 0;
	return r;
}

static int make_texts(struct zk_announcement *a)
{
	const char *path = options_text(a->a.options, "path", "/");
	char host[HOST_NAME_MAX + 1] = "localhost";

	gethostname(host, sizeof(host) - 1);
	addr_format(&a->a.addr, a->host, sizeof(a->host));
	a->own = (struct instance){ .host = a->host,
				    .port = a->a.port,
				    .name = strdup(options_text(a->a.options, "id", host)),
				    .weight = options_find(a->a.options, "weight") ? &a->a.weight : NULL,
				    .haproxy_server_options = options_text(a->a.options, "haproxy-server-options",
									   NULL),
				    .labels = a->a.labels,
				    .nr_labels = a->a.nr_labels };
	a->parent = strdup(strcmp(path, "/") ? path : "");
	if (!a->own.name || !a->parent)
		return -ENOMEM;
	a->body = instance_write(&a->own);
	return a->body ? make_stem(a) : -ENOMEM;
}

int zk_announce(struct announcement *announcement)
{
	struct zk_announcement *a = (struct zk_announcement *)announcement;
	struct zk *z = zk_of(a);
	const char *path = options_text(announcement->options, "path", "/"),
		   *type = options_text(announcement->options, "node-type", "ephemeral_sequential");
	size_t len = strlen(path);

	if (*path != '/' || (len > 1 && path[len - 1] == '/') || strstr(path, "//") || make_texts(a)) {
		free_texts(a);
		return -EINVAL;
	}
	a->ephemeral = !strncmp(type, "ephemeral", 9);
	a->sequential = strstr(type, "sequential") != NULL;
	a->ttl_ms = a->ephemeral ? 0 : options_ms(announcement->options, "ttl", 0);
	a->id = ++z->last_id;
	a->backoff = (struct backoff){ .first_ms = FIRST_MS,
				       .most_ms = options_ms(z->r.options, "backoff-max", 30000) };
	uv_timer_init(z->r.loop, &a->timer);
	uv_timer_init(z->r.loop, &a->ttl_timer);
	a->timer.data = a->ttl_timer.data = a;
	a->handles = 2;
	if (a->ttl_ms)
		uv_timer_start(&a->ttl_timer, on_ttl, (uint64_t)rand() % a->ttl_ms, 0);
	a->next = z->announcements;
	z->announcements = a;
	later(a, 0);
	return 0;
}

void zk_announce_changed(struct announcement *announcement)
{
	struct zk_announcement *a = (struct zk_announcement *)announcement;

	if (!announcement->up)
		a->swept = false; /* whatever says that we are up is to go */
	later(a, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct zk_announcement *a = handle->data;

	if (--a->handles)
		return;
	free_texts(a);
	announcement_withdrawn(&a->a);
}

void zk_announce_withdraw(struct announcement *announcement)
{
	struct zk_announcement *a = (struct zk_announcement *)announcement, **at = &zk_of(a)->announcements;

	if (a->leaving)
		return;
	a->leaving = true;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	/* Not at once: with other settings it is made anew, and then there is no moment without it. */
	if (announcement->leave)
		zk_of(a)->leave = true;
	else if (a->node)
		zk_doom(zk_of(a), MOVE(a->node, NULL), FIRST_MS);
	uv_close((uv_handle_t *)&a->timer, on_closed);
	uv_close((uv_handle_t *)&a->ttl_timer, on_closed);
}

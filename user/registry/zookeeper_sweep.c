/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Nodes that say the same as an announcement of ours and that it does not have as its own: of the agent's former life,
 * or made by a question whose answer was lost. One that persists is taken over, the others are deleted.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper.h"

static struct zk *zk_of(const struct zk_announcement *a)
{
	return (struct zk *)a->a.registry;
}

/* @path says what we say. */
static void found_own(struct zk_announcement *a, const char *path)
{
	if (a->node && !strcmp(a->node, path))
		return;
	if (!a->ephemeral && a->a.up && !a->node)
		a->node = strdup(path);
	else
		zk_doom(zk_of(a), strdup(path), 0);
}

static void on_read(int rc, const char *text, int len, const struct Stat *stat, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	(void)stat;
	if (!a)
		return;
	if (rc == ZOK && zk_is_own("", text, len > 0 ? (size_t)len : 0, &a->own))
		found_own(a, t->name);
	zk_announcement_step(a);
}

static void look_at(struct zk_announcement *a, const char *name)
{
	_cleanup_(freep) char *path = NULL;
	struct zk_ticket *t;

	if (asprintf(&path, "%s/%s", a->parent, name) < 0) {
		path = NULL;
		return;
	}
	if (zk_is_own(name, "", 0, &a->own)) {
		found_own(a, path);
		return;
	}
	if (strncmp(name, a->own.name, strlen(a->own.name)))
		return;
	t = zk_announcement_ticket(a, path);
	if (t && zoo_aget(zk_of(a)->handle, path, 0, on_read, t) == ZOK)
		a->asked++;
	else
		zk_ticket_done(t);
}

static void on_names(int rc, const struct String_vector *names, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_announcement *a = zk_announcement_asker(t);

	if (!a)
		return;
	if (rc != ZOK && rc != ZNONODE) {
		zk_announcement_failed(a, "read", a->parent, rc);
		return;
	}
	a->swept = true;
	for (int i = 0; rc == ZOK && i < names->count; i++)
		look_at(a, names->data[i]);
	zk_announcement_step(a);
}

void zk_announcement_sweep(struct zk_announcement *a)
{
	struct zk_ticket *t = zk_announcement_ticket(a, "");

	if (t && zoo_aget_children(zk_of(a)->handle, *a->parent ? a->parent : "/", 0, on_names, t) == ZOK) {
		a->asked++;
		return;
	}
	zk_ticket_done(t);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Nodes that are to go whatever becomes of who made them: asked for again until the server says that they are gone. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper.h"

#define AGAIN_MS 500

struct zk_doomed {
	struct zk_doomed *next;
	char *path;
	uint64_t due_ms;
	bool asked;
};

static void on_time(uv_timer_t *timer);

static void drop(struct zk *z, const char *path)
{
	struct zk_doomed **at = &z->doomed, *d;

	while (*at && strcmp((*at)->path, path))
		at = &(*at)->next;
	d = *at;
	if (!d)
		return;
	*at = d->next;
	free(d->path);
	free(d);
}

static struct zk_doomed *find(struct zk *z, const char *path)
{
	struct zk_doomed *d = z->doomed;

	while (d && strcmp(d->path, path))
		d = d->next;
	return d;
}

static bool is_used(const struct zk *z, const char *path)
{
	for (const struct zk_announcement *a = z->announcements; a; a = a->next)
		if (a->node && !strcmp(a->node, path))
			return true;
	return false;
}

static void on_deleted(int rc, const void *data)
{
	_cleanup_(zk_ticket_donep) struct zk_ticket *t = (struct zk_ticket *)data;
	struct zk_doomed *d = find(t->z, t->name);

	if (d)
		d->asked = false;
	if (zk_is_loss(rc))
		return;
	if (rc != ZOK && rc != ZNONODE)
		registry_odd(&t->z->r, "cannot delete %s: %s", t->name, zk_error(rc));
	drop(t->z, t->name);
}

static void ask(struct zk *z, struct zk_doomed *d)
{
	struct zk_ticket *t = zk_ticket(z, 0, 0, d->path);

	if (t && zoo_adelete(z->handle, d->path, -1, on_deleted, t) == ZOK)
		d->asked = true;
	else
		zk_ticket_done(t);
}

static void run(struct zk *z, uint64_t now)
{
	struct zk_doomed *next;

	for (struct zk_doomed *d = z->doomed; d && z->connected; d = next) {
		next = d->next;
		if (d->asked || now < d->due_ms)
			continue;
		if (is_used(z, d->path))
			drop(z, d->path);
		else
			ask(z, d);
	}
}

static void on_time(uv_timer_t *timer)
{
	struct zk *z = timer->data;

	run(z, uv_now(z->r.loop));
	if (z->doomed)
		uv_timer_start(timer, on_time, AGAIN_MS, 0);
	zk_pump(z);
}

void zk_doom(struct zk *z, char *path, uint32_t after_ms)
{
	struct zk_doomed *d = find(z, path);

	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d) {
			free(path);
			return;
		}
		d->next = z->doomed;
		d->path = path;
		z->doomed = d;
	} else {
		free(path);
	}
	d->due_ms = uv_now(z->r.loop) + after_ms;
	uv_timer_start(&z->doomed_timer, on_time, after_ms, 0);
}

void zk_doomed_connected(struct zk *z)
{
	for (struct zk_doomed *d = z->doomed; d; d = d->next)
		d->asked = false;
	run(z, uv_now(z->r.loop));
}

void zk_doomed_flush(struct zk *z)
{
	run(z, UINT64_MAX);
}

void zk_doomed_open(struct zk *z)
{
	uv_timer_init(z->r.loop, &z->doomed_timer);
	z->doomed_timer.data = z;
	z->handles++;
}

static void on_closed(uv_handle_t *handle)
{
	zk_handle_closed(handle->data);
}

void zk_doomed_close(struct zk *z)
{
	while (z->doomed)
		drop(z, z->doomed->path);
	uv_close((uv_handle_t *)&z->doomed_timer, on_closed);
}

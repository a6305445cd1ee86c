/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"
#include "discovery/workloads.h"

#define GATHER_MS 200

struct lines {
	char **at;
	size_t nr, capacity;
};

static void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->nr; i++)
		free(l->at[i]);
	free(l->at);
}

static int add_line(void *ctx, const struct workload *w)
{
	struct lines *l = ctx;

	if (l->nr == l->capacity) {
		size_t want = l->capacity ? l->capacity * 2 : 64;
		char **more = reallocarray(l->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->capacity = want;
	}
	if (asprintf(&l->at[l->nr], "%s %s %s %s\n", w->uid, w->space, w->name, *w->account ? w->account : "-") == -1)
		return -ENOMEM;
	l->nr++;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect(const struct discovery *d, struct lines *ret)
{
	int r = 0;

	for (size_t i = 0; !r && i < d->nr_registries; i++) {
		const struct registry *g = d->registries[i]->registry;

		if (g && g->type->each_workload)
			r = g->type->each_workload(g, add_line, ret);
	}
	if (ret->nr)
		qsort(ret->at, ret->nr, sizeof(*ret->at), by_text);
	return r;
}

/* By rename, so that a reader has the old ones or the new ones. */
static int write_file(const char *dir, const struct lines *l)
{
	_cleanup_(freep) char *path = NULL, *fresh = NULL;
	bool good;
	FILE *f;

	if (asprintf(&path, "%s/" WORKLOADS_FILE, dir) == -1 || asprintf(&fresh, "%s.new", path) == -1)
		return -ENOMEM;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	f = fopen(fresh, "we");
	if (!f)
		return -errno;
	for (size_t i = 0; i < l->nr; i++)
		fputs(l->at[i], f);
	good = !ferror(f);
	if (fclose(f) || !good || rename(fresh, path))
		return -errno;
	return 0;
}

static void write_down(struct discovery *d)
{
	_cleanup_(lines_done) struct lines l = { 0 };
	int r;

	if (!d->state_dir || !d->workloads_dirty)
		return;
	r = collect(d, &l);
	if (!r)
		r = write_file(d->state_dir, &l);
	if (r)
		log_msg(LOG_L_WARNING, "names of workloads cannot be written to %s: %s", d->state_dir, log_strerror(r));
	d->workloads_dirty = false;
}

static void on_timer(uv_timer_t *timer)
{
	write_down(timer->data);
}

void workloads_changed(struct discovery *d)
{
	d->workloads_dirty = true;
	if (!d->closing && !uv_is_active((uv_handle_t *)&d->workloads_timer))
		uv_timer_start(&d->workloads_timer, on_timer, GATHER_MS, 0);
}

void registry_workloads_changed(struct registry *r)
{
	workloads_changed(r->core->discovery);
}

void workloads_open(struct discovery *d)
{
	uv_timer_init(d->o.loop, &d->workloads_timer);
	d->workloads_timer.data = d;
	d->handles++;
}

static void on_closed(uv_handle_t *handle)
{
	discovery_handle_closed(handle->data);
}

void workloads_close(struct discovery *d)
{
	uv_close((uv_handle_t *)&d->workloads_timer, on_closed);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* inotify by hand: libuv's own watcher reports writes before they are done, and does not know IN_CLOSE_WRITE. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/watch.h"
#include "base/cleanup.h"
#include "base/log.h"

#define CHANGED_MAX 256 /* names remembered one by one */
#define FOLDER_MASK                                                                                                    \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF |        \
	 IN_ONLYDIR)
#define ABOVE_MASK (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct folder {
	char *path;
	int wd;
	bool above; /* stands for a folder below it that is not there */
};

struct watch {
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	unsigned closing; /* handles not yet closed */
	watch_fn *fn;
	void *ctx;
	struct folder *folder;
	size_t nr_folders;
	char *changed[CHANGED_MAX + 1];
	size_t nr_changed;
	bool pending, unknown; /* something changed; more than .changed says */
	uint64_t next_ms;      /* when fn may be called again */
};

static void forget_changes(struct watch *w)
{
	for (size_t i = 0; i < w->nr_changed; i++)
		free(w->changed[i]);
	w->nr_changed = 0;
	w->changed[0] = NULL;
	w->pending = w->unknown = false;
}

static void note_change(struct watch *w, const char *folder, const char *name)
{
	char *path;

	w->pending = true;
	if (w->unknown || !name)
		goto unknown;
	if (asprintf(&path, "%s/%s", folder, name) == -1)
		goto unknown;
	for (size_t i = 0; i < w->nr_changed; i++) {
		if (strcmp(w->changed[i], path) == 0) {
			free(path);
			return;
		}
	}
	if (w->nr_changed == CHANGED_MAX) {
		free(path);
		goto unknown;
	}
	w->changed[w->nr_changed++] = path;
	w->changed[w->nr_changed] = NULL;
	return;
unknown:
	w->unknown = true;
}

/* A file that was just made is empty; its writer closes it later. Links and folders are complete from birth. */
static bool is_complete(const char *folder, const char *name)
{
	_cleanup_(freep) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/%s", folder, name) == -1) {
		path = NULL;
		return true;
	}
	return lstat(path, &st) == -1 || !S_ISREG(st.st_mode) || st.st_nlink > 1;
}

static void on_event(struct watch *w, const struct inotify_event *e)
{
	const char *name = e->len ? e->name : NULL;

	if (e->mask & IN_Q_OVERFLOW)
		note_change(w, NULL, NULL);
	for (size_t i = 0; i < w->nr_folders; i++) {
		const struct folder *f = &w->folder[i];

		if (f->wd != e->wd || e->mask & IN_IGNORED)
			continue;
		if (f->above || !name)
			note_change(w, NULL, NULL);
		else if (!(e->mask & IN_CREATE) || is_complete(f->path, name))
			note_change(w, f->path, name);
	}
}

static void report(struct watch *w)
{
	char *changed[CHANGED_MAX + 1];
	size_t nr = w->nr_changed;
	bool unknown = w->unknown;
	uint64_t start = uv_hrtime(), took_ms;

	/* What changes while fn runs belongs to the next report. */
	memcpy(changed, w->changed, sizeof(changed));
	w->nr_changed = 0;
	forget_changes(w);
	w->fn(w->ctx, unknown ? NULL : (const char *const *)changed);
	for (size_t i = 0; i < nr; i++)
		free(changed[i]);
	/* A quarter of one CPU at most: what is cheap may be done often, and a stray file delays nobody. */
	took_ms = (uv_hrtime() - start) / 1000000;
	uv_update_time(w->poll.loop);
	w->next_ms = uv_now(w->poll.loop) + (3 * took_ms < WATCH_PAUSE_MS ? 3 * took_ms : WATCH_PAUSE_MS);
}

static void on_timer(uv_timer_t *timer)
{
	struct watch *w = timer->data;

	if (w->pending)
		report(w);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	_Alignas(struct inotify_event) char buffer[16384];
	struct watch *w = poll->data;
	uint64_t now;
	ssize_t n;

	while ((n = read(w->fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(const void *)at;

			on_event(w, e);
			at += sizeof(*e) + e->len;
		}
	}
	if (!w->pending || uv_is_active((uv_handle_t *)&w->timer))
		return;
	uv_update_time(poll->loop);
	now = uv_now(poll->loop);
	if (now >= w->next_ms)
		report(w);
	else
		uv_timer_start(&w->timer, on_timer, w->next_ms - now, 0);
}

static void free_folders(struct folder *f, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(f[i].path);
	free(f);
}

/* Watches @path or what is above it. The kernel gives a folder that is watched already the number that it has. */
static int add_folder(struct watch *w, const char *path, struct folder *ret)
{
	_cleanup_(freep) char *at = strdup(path);
	_cleanup_(freep) char *name = strdup(path);
	size_t len = strlen(path);
	bool above = false;
	struct stat st;
	char *slash;
	int wd;

	if (!at || !name)
		return -ENOMEM;
	for (;;) {
		wd = inotify_add_watch(w->fd, at, (above ? ABOVE_MASK : FOLDER_MASK) | IN_MASK_ADD);
		if (wd != -1 && (!above || stat(path, &st) == -1))
			break;
		if (wd != -1) { /* made between our two looks: no event tells of it */
			memcpy(at, path, len + 1);
			above = false;
			continue;
		}
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		slash = strrchr(at, '/');
		if (!slash || strcmp(at, "/") == 0)
			return -ENOENT;
		slash[slash == at] = '\0';
		above = true;
	}
	*ret = (struct folder){ MOVE(name, NULL), wd, above };
	return 0;
}

static bool is_watched(const struct folder *f, size_t nr, int wd)
{
	for (size_t i = 0; i < nr; i++)
		if (f[i].wd == wd)
			return true;
	return false;
}

int watch_folders(struct watch *w, char *const *folders)
{
	struct folder *now;
	size_t nr = 0, n = 0;
	bool more = false;
	int r = 0;

	while (folders && folders[n])
		n++;
	now = calloc(n ? n : 1, sizeof(*now));
	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int failed = add_folder(w, folders[i], &now[nr]);

		if (failed < 0)
			r = failed;
		else
			nr++;
	}
	for (size_t i = 0; i < w->nr_folders; i++) {
		if (!is_watched(now, nr, w->folder[i].wd))
			inotify_rm_watch(w->fd, w->folder[i].wd);
	}
	for (size_t i = 0; i < nr; i++)
		more |= !is_watched(w->folder, w->nr_folders, now[i].wd);
	free_folders(w->folder, w->nr_folders);
	w->folder = now;
	w->nr_folders = nr;
	return r < 0 ? r : more;
}

int watch_new(uv_loop_t *loop, watch_fn *fn, void *ctx, struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->ctx = ctx;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd == -1) {
		r = -errno;
		free(w);
		return r;
	}
	r = uv_poll_init(loop, &w->poll, w->fd);
	if (r < 0) {
		close(w->fd);
		free(w);
		return r;
	}
	uv_timer_init(loop, &w->timer);
	w->poll.data = w->timer.data = w;
	uv_poll_start(&w->poll, UV_READABLE, on_readable);
	*ret = w;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;

	if (--w->closing)
		return;
	close(w->fd);
	forget_changes(w);
	free_folders(w->folder, w->nr_folders);
	free(w);
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	w->closing = 2;
	uv_close((uv_handle_t *)&w->poll, on_closed);
	uv_close((uv_handle_t *)&w->timer, on_closed);
}

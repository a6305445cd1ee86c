/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* inotify by hand, as in the agent: libuv's own watcher reports writes before they are done. One for all files. */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "registry/envoy.h"

#define MASK                                                                                                           \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF |        \
	 IN_ONLYDIR)

static void on_event(struct envoy *e, const struct inotify_event *event)
{
	const char *name = event->len && !(event->mask & IN_Q_OVERFLOW) ? event->name : NULL;
	bool done = (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0;

	for (struct envoy_file *f = e->files; f; f = f->next)
		if ((event->mask & IN_Q_OVERFLOW) || f->wd == event->wd)
			envoy_file_moved(f, name, done);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct envoy *e = poll->data;
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(e->inotify_fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)&buffer[at];

		on_event(e, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

static void open_it(struct envoy *e)
{
	e->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (e->inotify_fd < 0)
		return;
	if (uv_poll_init(e->r.loop, &e->inotify, e->inotify_fd)) {
		close(e->inotify_fd);
		e->inotify_fd = -1;
		return;
	}
	e->inotify.data = e;
	e->handles++;
	uv_poll_start(&e->inotify, UV_READABLE, on_readable);
}

int envoy_inotify_watch(struct envoy *e, const char *dir)
{
	if (e->inotify_fd < 0)
		open_it(e);
	return e->inotify_fd < 0 ? -1 : inotify_add_watch(e->inotify_fd, dir, MASK);
}

static void on_closed(uv_handle_t *handle)
{
	struct envoy *e = handle->data;

	close(e->inotify_fd);
	e->inotify_fd = -1;
	envoy_handle_closed(e);
}

void envoy_inotify_close(struct envoy *e)
{
	if (e->inotify_fd >= 0)
		uv_close((uv_handle_t *)&e->inotify, on_closed);
}

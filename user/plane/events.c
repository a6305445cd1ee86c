/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>

#include <bpf/libbpf.h>

#include "plane/events.h"

struct plane_events {
	struct ring_buffer *ring;
	plane_event_fn *fn;
	void *ctx;
};

static int on_record(void *ctx, void *data, size_t size)
{
	struct plane_events *e = ctx;

	/* A newer weft of the same layout may say more than we know. */
	if (size >= sizeof(struct weft_event))
		e->fn(e->ctx, data);
	return 0;
}

int plane_events_new(const struct maps *m, plane_event_fn *fn, void *ctx, struct plane_events **ret)
{
	struct plane_events *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->fn = fn;
	e->ctx = ctx;
	errno = 0;
	e->ring = ring_buffer__new(m->fd[PLANE_MAP_EVENTS], on_record, e, NULL);
	if (!e->ring) {
		free(e);
		return errno ? -errno : -ENOMEM;
	}
	*ret = e;
	return 0;
}

int plane_events_fd(const struct plane_events *e)
{
	return ring_buffer__epoll_fd(e->ring);
}

int plane_events_read(struct plane_events *e)
{
	int n = ring_buffer__consume(e->ring);

	return n < 0 ? n : 0;
}

void plane_events_free(struct plane_events *e)
{
	if (!e)
		return;
	ring_buffer__free(e->ring);
	free(e);
}

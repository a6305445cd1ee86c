/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Walks over the hashes, in batches, and over the sockets. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/walk.h"

#define BATCH 512

/* What a walk needs beside the map: two cursors, which change places, and room for a batch. */
struct batch {
	size_t key_size, value_size;
	uint32_t room;
	char *keys, *values;
	bool begun;
	uint32_t cursor[2];
};

static void batch_done(struct batch *b)
{
	free(b->keys);
	free(b->values);
}

static int batch_grow(struct batch *b, uint32_t room)
{
	char *keys = reallocarray(b->keys, room, b->key_size);
	char *values;

	if (!keys)
		return -ENOMEM;
	b->keys = keys;
	values = reallocarray(b->values, room, b->value_size);
	if (!values)
		return -ENOMEM;
	b->values = values;
	b->room = room;
	return 0;
}

/* The next elements; their number in *ret. 0: there may be more; -ENOENT: these were the last. */
static int batch_next(struct batch *b, int fd, uint32_t *ret)
{
	uint32_t n;
	int r;

	for (;;) {
		n = b->room;
		r = bpf_map_lookup_batch(fd, b->begun ? &b->cursor[0] : NULL, &b->cursor[1], b->keys, b->values, &n,
					 NULL);
		/* One bucket holds more than there is room for; it was not begun. */
		if (r == -ENOSPC && b->room < 1u << 20) {
			r = batch_grow(b, b->room * 2);
			if (r)
				return r;
			continue;
		}
		if (r && r != -ENOENT)
			return r;
		b->begun = true;
		b->cursor[0] = b->cursor[1];
		*ret = n;
		return r;
	}
}

int walk_hash(int fd, size_t key_size, size_t value_size, walk_fn *fn, void *ctx)
{
	_cleanup_(batch_done) struct batch b = { .key_size = key_size, .value_size = value_size };
	int r, last = 0;
	uint32_t n;

	r = batch_grow(&b, BATCH);
	if (r)
		return r;
	while (!last) {
		last = batch_next(&b, fd, &n);
		if (last && last != -ENOENT)
			return last;
		for (uint32_t i = 0; i < n; i++) {
			r = fn(ctx, b.keys + i * key_size, b.values + i * value_size);
			if (r)
				return r;
		}
	}
	return 0;
}

struct frontend_walk {
	int (*fn)(void *ctx, const struct weft_frontend_key *key, const struct weft_frontend *value);
	void *ctx;
};

static int walk_frontend(void *ctx, const void *key, const void *value)
{
	const struct weft_frontend_key *k = key;
	const struct frontend_walk *w = ctx;

	/* Other scopes are reserved; the agent keeps decoys there while many addresses change hands. */
	return k->scope ? 0 : w->fn(w->ctx, k, value);
}

int maps_each_frontend(const struct maps *m,
		       int (*fn)(void *ctx, const struct weft_frontend_key *key, const struct weft_frontend *value),
		       void *ctx)
{
	struct frontend_walk w = { fn, ctx };

	return walk_hash(m->fd[PLANE_MAP_FRONTENDS], sizeof(struct weft_frontend_key), sizeof(struct weft_frontend),
			 walk_frontend, &w);
}

struct edge_walk {
	int (*fn)(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value);
	void *ctx;
};

static int walk_edge(void *ctx, const void *key, const void *value)
{
	const struct edge_walk *w = ctx;

	return w->fn(w->ctx, key, value);
}

int maps_each_edge(const struct maps *m,
		   int (*fn)(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value), void *ctx)
{
	struct edge_walk w = { fn, ctx };

	return walk_hash(m->fd[PLANE_MAP_EDGES], sizeof(struct weft_edge_key), sizeof(struct weft_edge), walk_edge, &w);
}

int maps_each_flow(const struct maps *m, int (*fn)(void *ctx, const struct weft_flow_record *record), void *ctx)
{
	_cleanup_(closep) int fd = -1;
	struct weft_flow_record records[64];
	size_t have = 0, whole;
	char path[4096];
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/iter_flow", m->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	for (;;) {
		n = read(fd, (char *)records + have, sizeof(records) - have);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			return have ? -EPROTO : 0;
		have += (size_t)n;
		whole = have / sizeof(records[0]);
		for (size_t i = 0; i < whole; i++) {
			r = fn(ctx, &records[i]);
			if (r)
				return r;
		}
		have -= whole * sizeof(records[0]);
		memmove(records, &records[whole], have);
	}
}

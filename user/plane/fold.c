/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Rows of weft_edges whose callers are gone, folded into one. Only the agent writes the rows of WEFT_CALLER_GONE. */
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/state.h"

struct fold {
	bool (*gone)(void *ctx, uint64_t caller);
	void *ctx;
	struct weft_edge_key *keys;
	size_t nr, room;
};

static void fold_done(struct fold *f)
{
	free(f->keys);
}

static int note_gone(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	struct fold *f = ctx;
	size_t want = f->room ? f->room * 2 : 256;
	struct weft_edge_key *more;

	if (!key->caller || key->caller == WEFT_CALLER_GONE || !f->gone(f->ctx, key->caller))
		return 0;
	if (f->nr == f->room) {
		more = reallocarray(f->keys, want, sizeof(*more));
		if (!more)
			return -ENOMEM;
		f->keys = more;
		f->room = want;
	}
	f->keys[f->nr++] = *key;
	return 0;
}

/* Every field of a row is a counter of 64 bits. */
static void edge_add(struct weft_edge *to, const struct weft_edge *from)
{
	const __u64 *add = (const __u64 *)from;
	__u64 *sum = (__u64 *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += add[i];
}

static int fold_row(int fd, const struct weft_edge_key *key)
{
	struct weft_edge_key sum_key = *key;
	struct weft_edge row, sum = { 0 };
	int r;

	sum_key.caller = WEFT_CALLER_GONE;
	r = bpf_map_lookup_elem(fd, &sum_key, &sum);
	if (r && r != -ENOENT)
		return r;
	r = bpf_map_lookup_elem(fd, key, &row);
	if (r)
		return r == -ENOENT ? 0 : r;
	edge_add(&sum, &row);
	/* First the old row: when there is no room for the sum, the place that it leaves is one. */
	r = bpf_map_delete_elem(fd, key);
	if (r)
		return r == -ENOENT ? 0 : r;
	return bpf_map_update_elem(fd, &sum_key, &sum, BPF_ANY);
}

int plane_fold_callers(struct plane *p, bool (*gone)(void *ctx, uint64_t caller), void *ctx, unsigned *ret_folded)
{
	_cleanup_(fold_done) struct fold f = { .gone = gone, .ctx = ctx };
	int r;

	r = maps_each_edge(p->m, note_gone, &f);
	for (size_t i = 0; !r && i < f.nr; i++)
		r = fold_row(p->m->fd[PLANE_MAP_EDGES], &f.keys[i]);
	if (!r)
		*ret_folded = (unsigned)f.nr;
	return r;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rows of weft_edges whose caller or endpoint is gone. A counter must not fall because its endpoint was removed, so
 * such rows are added to one that stands for all of their kind: caller WEFT_CALLER_GONE, or backend 0 of the service.
 * Only the agent writes those.
 */
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/state.h"

struct move {
	struct weft_edge_key from, to; /* to.service 0: nowhere, the service itself is gone */
};

struct moves {
	const struct plane *p;
	bool (*gone)(void *ctx, uint64_t caller);
	void *ctx;
	struct move *move;
	size_t nr, room;
};

static void moves_done(struct moves *f)
{
	free(f->move);
}

static int moves_add(struct moves *f, const struct weft_edge_key *from, const struct weft_edge_key *to)
{
	size_t want = f->room ? f->room * 2 : 256;
	struct move *more;

	if (f->nr == f->room) {
		more = reallocarray(f->move, want, sizeof(*more));
		if (!more)
			return -ENOMEM;
		f->move = more;
		f->room = want;
	}
	f->move[f->nr++] = (struct move){ *from, *to };
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

static int move_row(int fd, const struct move *m)
{
	struct weft_edge row, sum = { 0 };
	int r;

	if (m->to.service) {
		r = bpf_map_lookup_elem(fd, &m->to, &sum);
		if (r && r != -ENOENT)
			return r;
		r = bpf_map_lookup_elem(fd, &m->from, &row);
		if (r)
			return r == -ENOENT ? 0 : r;
		edge_add(&sum, &row);
	}
	/* First the old row: when there is no room for the sum, the place that it leaves is one. */
	r = bpf_map_delete_elem(fd, &m->from);
	if (r)
		return r == -ENOENT ? 0 : r;
	return m->to.service ? bpf_map_update_elem(fd, &m->to, &sum, BPF_ANY) : 0;
}

static int move_all(const struct moves *f)
{
	int r = 0;

	for (size_t i = 0; !r && i < f->nr; i++)
		r = move_row(f->p->m->fd[PLANE_MAP_EDGES], &f->move[i]);
	return r;
}

static int note_gone(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	struct moves *f = ctx;
	struct weft_edge_key to = *key;

	if (!key->caller || key->caller == WEFT_CALLER_GONE || !f->gone(f->ctx, key->caller))
		return 0;
	to.caller = WEFT_CALLER_GONE;
	return moves_add(f, key, &to);
}

int plane_fold_callers(struct plane *p, bool (*gone)(void *ctx, uint64_t caller), void *ctx, unsigned *ret_folded)
{
	_cleanup_(moves_done) struct moves f = { .p = p, .gone = gone, .ctx = ctx };
	int r;

	r = maps_each_edge(p->m, note_gone, &f);
	if (!r)
		r = move_all(&f);
	if (!r)
		*ret_folded = (unsigned)f.nr;
	return r;
}

static bool service_lives(const struct plane *p, uint32_t id)
{
	return id && id < p->m->capacity[PLANE_MAP_SERVICES] && p->held[id].state != HOLDING_FREE;
}

static bool endpoint_lives(const struct plane *p, const struct weft_edge_key *key)
{
	const struct weft_backend *b = &p->m->backends[key->backend];

	return key->backend < p->m->capacity[PLANE_MAP_BACKENDS] && b->gen == key->gen &&
	       b->flags & WEFT_BACKEND_F_USED;
}

static int note_stale(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	struct moves *f = ctx;
	struct weft_edge_key to = *key;
	bool service = service_lives(f->p, key->service);

	if (service && (!key->backend || endpoint_lives(f->p, key)))
		return 0;
	to.service = service ? key->service : 0;
	to.backend = 0;
	to.gen = 0;
	return moves_add(f, key, &to);
}

void edges_reclaim(struct plane *p)
{
	_cleanup_(moves_done) struct moves f = { .p = p };

	/* What did not work is tried again in the next round. */
	if (maps_each_edge(p->m, note_stale, &f) == 0 && move_all(&f) == 0)
		p->edges_stale = false;
}

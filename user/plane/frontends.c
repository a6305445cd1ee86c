/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses into weft_frontends. The hash is preallocated, so the kernel uses an element that was given back at once
 * for the next insertion, while a program may still stand on it and would read another address's service. Hence: no
 * insertion between a removal and the end of a grace period; insertions come first and removals last, so that an apply
 * waits once at most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/state.h"

#define INSERT_BATCH 4096

static struct weft_frontend_key frontend_key(const struct service *s, size_t i)
{
	return (struct weft_frontend_key){
		.addr = s->frontends[i].addr,
		.port_be = htons(s->frontends[i].port),
		.proto = s->proto,
	};
}

int frontends_plan(struct plane *p, uint32_t service, const struct service *s, bool wanted)
{
	int r;

	for (size_t i = 0; i < s->nr_frontends; i++) {
		const struct weft_frontend_key key = frontend_key(s, i);

		r = fronts_want(&p->fronts, &key, wanted ? service : 0);
		if (r)
			return r;
	}
	return 0;
}

void frontends_keep(struct plane *p)
{
	for (struct front *e = fronts_first(&p->fronts); e; e = fronts_next(&p->fronts, e))
		if ((e->have && p->held[e->have].undone) || (e->want && p->held[e->want].undone))
			e->want = e->have;
}

static void count(const struct plane *p, uint64_t *ret_inserts, uint64_t *ret_removals)
{
	*ret_inserts = *ret_removals = 0;
	for (struct front *e = fronts_first(&p->fronts); e; e = fronts_next(&p->fronts, e)) {
		*ret_inserts += !e->have && e->want;
		*ret_removals += e->have && !e->want;
	}
}

int frontends_check(struct plane *p, struct plane_error *err)
{
	uint32_t capacity = p->m->capacity[PLANE_MAP_FRONTENDS];
	uint64_t inserts, removals;

	count(p, &inserts, &removals);
	if (p->fronts.nr_have + inserts - removals <= capacity)
		return 0;
	return plane_fail(err, -ENOSPC, "limits.frontends is %u, the services have %llu addresses; nothing was changed",
			  capacity, (unsigned long long)(p->fronts.nr_have + inserts - removals));
}

static int fail(struct plane_error *err, int r, const char *what)
{
	return plane_fail(err, r, "cannot %s map 'weft_frontends': %s", what, log_strerror(r));
}

static int wait_clean(struct plane *p, struct plane_error *err)
{
	int r = p->fronts_dirty ? pass_grace(p) : 0;

	return r ? plane_fail(err, r, "cannot wait for running programs: %s", log_strerror(r)) : 0;
}

/* Inserted keys must be new ones: a batch knows no flag that would say so. */
struct batch {
	struct weft_frontend_key key[INSERT_BATCH];
	struct weft_frontend value[INSERT_BATCH];
	struct front *front[INSERT_BATCH];
	uint32_t nr;
};

static int flush(struct plane *p, struct batch *b)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = b->nr;
	int r;

	if (!b->nr)
		return 0;
	r = bpf_map_update_batch(p->m->fd[PLANE_MAP_FRONTENDS], b->key, b->value, &done, &opts);
	if (!r)
		done = b->nr;
	for (uint32_t i = 0; i < done && i < b->nr; i++)
		b->front[i]->have = b->front[i]->want;
	p->fronts.nr_have += done;
	b->nr = 0;
	return r;
}

static int insert_all(struct plane *p)
{
	_cleanup_(freep) struct batch *b = malloc(sizeof(*b));
	struct front *e;
	int r;

	if (!b)
		return -ENOMEM;
	b->nr = 0;
	for (e = fronts_first(&p->fronts); e; e = fronts_next(&p->fronts, e)) {
		if (e->have || !e->want)
			continue;
		b->key[b->nr] = e->key;
		b->value[b->nr] = (struct weft_frontend){ e->want };
		b->front[b->nr++] = e;
		if (b->nr < INSERT_BATCH)
			continue;
		r = flush(p, b);
		if (r)
			return r;
	}
	return flush(p, b);
}

int frontends_add(struct plane *p, struct plane_error *err)
{
	uint64_t inserts, removals;
	int r = 0;

	count(p, &inserts, &removals);
	/* No room for old and new side by side: then the old ones go first. */
	if (p->fronts.nr_have + inserts > p->m->capacity[PLANE_MAP_FRONTENDS])
		r = frontends_remove(p, err);
	if (!r && inserts)
		r = wait_clean(p, err);
	if (r)
		return r;
	r = inserts ? insert_all(p) : 0;
	if (r)
		return fail(err, r, "insert into");
	r = frontends_move(p);
	return r ? fail(err, r, "replace an element of") : 0;
}

int frontends_remove(struct plane *p, struct plane_error *err)
{
	int r;

	for (struct front *e = fronts_first(&p->fronts); e; e = fronts_next(&p->fronts, e)) {
		if (!e->have || e->want)
			continue;
		p->fronts_dirty = true;
		p->resting = true;
		r = bpf_map_delete_elem(p->m->fd[PLANE_MAP_FRONTENDS], &e->key);
		if (r && r != -ENOENT)
			return fail(err, r, "remove an element of");
		e->have = 0;
		p->fronts.nr_have--;
	}
	return 0;
}

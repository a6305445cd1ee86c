/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses that go from one service to another. At no moment may such an address be no service, so its element is
 * replaced (BPF_EXIST): readers see the old or the new one. The kernel takes a spare element of this CPU for the new
 * one, and the old one becomes the spare: the next replacement on this CPU would write another address's service under
 * the eyes of a program that still stands on it. A grace period between any two replacements is safe, and takes 10 ms
 * each.
 *
 * For many at once there are decoys: keys that no program looks up. After each replacement one of them is given the
 * value that the replaced element had. That uses the spare up, and whoever still stands on it reads what was there
 * before; the decoy's own old element, which nobody stands on, is the next spare. One grace period later the decoys are
 * removed.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "plane/state.h"

#define DECOY_SCOPE 0xff
#define DECOYS_MAX  1024u

static int replace(struct plane *p, const struct weft_frontend_key *key, uint32_t service)
{
	struct weft_frontend value = { service };

	return bpf_map_update_elem(p->m->fd[PLANE_MAP_FRONTENDS], key, &value, BPF_EXIST);
}

static struct weft_frontend_key decoy(uint32_t i)
{
	struct weft_frontend_key key = { .scope = DECOY_SCOPE };

	memcpy(key.addr.byte, &i, sizeof(i));
	return key;
}

static bool is_move(const struct front *e)
{
	return e->have && e->want && e->have != e->want;
}

/* What every replacement leaves behind. */
static void moved(struct plane *p, struct front *e)
{
	e->have = e->want;
	p->fronts_dirty = true;
	p->resting = true;
}

static int move_one(struct plane *p, struct front *e)
{
	int r;

	r = p->fronts_dirty ? pass_grace(p) : 0;
	if (!r)
		r = replace(p, &e->key, e->want);
	if (!r)
		moved(p, e);
	return r;
}

/* Moves up to @nr addresses from *at on, on one CPU, with decoys that are there. */
static int move_some(struct plane *p, struct front **at, uint32_t nr)
{
	struct front *e = *at;
	uint32_t done = 0;
	int r = 0;

	for (; e && done < nr && !r; e = fronts_next(&p->fronts, e)) {
		const struct weft_frontend_key key = decoy(done);
		uint32_t was = e->have;

		if (!is_move(e))
			continue;
		r = replace(p, &e->key, e->want);
		if (r)
			break;
		moved(p, e);
		r = replace(p, &key, was);
		done++;
	}
	*at = e;
	return r;
}

static void remove_decoys(struct plane *p, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		const struct weft_frontend_key key = decoy(i);

		bpf_map_delete_elem(p->m->fd[PLANE_MAP_FRONTENDS], &key);
	}
}

/* Decoys in, addresses moved, grace period, decoys out. */
static int move_batch(struct plane *p, struct front **at, uint32_t nr)
{
	const struct weft_frontend none = { 0 };
	int late, r;

	r = p->fronts_dirty ? pass_grace(p) : 0;
	for (uint32_t i = 0; i < nr && !r; i++) {
		const struct weft_frontend_key key = decoy(i);

		r = bpf_map_update_elem(p->m->fd[PLANE_MAP_FRONTENDS], &key, &none, BPF_ANY);
	}
	if (!r)
		r = move_some(p, at, nr);
	/* Before the wait nobody may get the decoys' elements; should it fail, they stay for the next agent to remove.
	 */
	late = pass_grace(p);
	if (!late)
		remove_decoys(p, nr);
	return r ? r : late;
}

static uint32_t count_moves(struct plane *p, const struct front *e)
{
	uint32_t n = 0;

	for (; e; e = fronts_next(&p->fronts, e))
		n += is_move(e);
	return n;
}

/* Spares are a CPU's: all replacements of a batch must be made on one. */
static bool stay_on_cpu(cpu_set_t *ret_before)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(*ret_before), ret_before))
		return false;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}

int frontends_move(struct plane *p)
{
	uint32_t left, room, capacity = p->m->capacity[PLANE_MAP_FRONTENDS];
	struct front *e = fronts_first(&p->fronts);
	cpu_set_t before;
	bool pinned;
	int r = 0;

	left = count_moves(p, e);
	if (!left)
		return 0;
	pinned = left > 1 && stay_on_cpu(&before);
	while (left && !r && pinned) {
		room = capacity > p->fronts.nr_have ? capacity - p->fronts.nr_have : 0;
		room = room < left ? room : left;
		room = room < DECOYS_MAX ? room : DECOYS_MAX;
		if (room < 2)
			break;
		r = move_batch(p, &e, room);
		left -= room;
	}
	if (pinned)
		sched_setaffinity(0, sizeof(before), &before);
	for (; e && !r; e = fronts_next(&p->fronts, e))
		if (is_move(e))
			r = move_one(p, e);
	return r;
}

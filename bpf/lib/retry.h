/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The endpoint that a connect goes on to: any usable one that it has not tried. */
#ifndef WEFT_BPF_RETRY_H
#define WEFT_BPF_RETRY_H

#include "lib/pick.h"
#include "weft/handshake.h"

#define RETRY_DRAWS 4
#define RETRY_SCAN  64

/* What a connect has tried, or cannot use. */
struct tried {
	__u32 nr;
	__u32 id[2 * WEFT_TRIES];
};

static __always_inline bool retry_was_tried(const struct tried *t, __u32 id)
{
	for (__u32 i = 0; i < 2 * WEFT_TRIES; i++)
		if (i < t->nr && t->id[i] == id)
			return true;
	return false;
}

/* In one level: some draws by weight, then the slots in order. */
__weak __noinline __u32 retry_in_level(__u32 spec_id, __u32 level, const struct tried *t)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	__u32 start = bpf_get_prandom_u32();
	const struct weft_level *l;

	l = spec ? pick_level_at(spec, level) : NULL;
	if (!l || !t)
		return 0;
	for (__u32 i = 0; i < RETRY_DRAWS + RETRY_SCAN; i++) {
		const struct weft_bstate *state;
		__u32 id;

		if (!l->nr_slots || i >= RETRY_DRAWS + l->nr_slots)
			return 0;
		if (i < RETRY_DRAWS)
			id = pick_random(l);
		else
			id = pick_slot(l->slot_base + (start + i) % l->nr_slots);
		if (retry_was_tried(t, id) || !pick_ready(id, spec->service))
			continue;
		state = bpf_map_lookup_elem(&weft_bstate, &id);
		if (state && pick_in_service(id, state, 0) && pick_has_room(spec, state))
			return id;
	}
	return 0;
}

/* An endpoint that @t does not name, or 0. Nothing is taken yet. */
__weak __noinline __u32 retry_pick(__u32 spec_id, const struct tried *t)
{
	const struct weft_spec *spec = bpf_map_lookup_elem(&weft_specs, &spec_id);
	__u32 first = 0, id;

	if (!spec || !t || !spec->nr_levels)
		return 0;
	if (spec->nr_levels > 1)
		first = pick_level(spec_id, 0);
	id = retry_in_level(spec_id, first, t);
	WEFT_ROLLED
	for (__u32 i = 0; i < WEFT_LEVELS && !id; i++) {
		if (i >= spec->nr_levels)
			break;
		if (i != first)
			id = retry_in_level(spec_id, i, t);
	}
	return id;
}

#endif

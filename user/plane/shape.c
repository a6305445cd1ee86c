/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a service looks like in the arena: for each level its slots, and after them its maglev table. */
#include <errno.h>
#include <stdlib.h>

#include "lb/tables.h"
#include "plane/state.h"

static int scratch_reserve(struct scratch *s, size_t nr)
{
	uint16_t *weights;
	uint64_t *keys;
	uint8_t *level;

	if (nr <= s->room)
		return 0;
	weights = reallocarray(s->weights, nr, sizeof(*weights));
	if (!weights)
		return -ENOMEM;
	s->weights = weights;
	keys = reallocarray(s->keys, nr, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	s->keys = keys;
	level = reallocarray(s->level, nr, sizeof(*level));
	if (!level)
		return -ENOMEM;
	s->level = level;
	s->room = nr;
	return 0;
}

void scratch_done(struct scratch *s)
{
	free(s->weights);
	free(s->keys);
	free(s->level);
}

static size_t slots_max(const struct service *want)
{
	return want->nr_endpoints > WEFT_SLOTS_PER_SERVICE ? want->nr_endpoints : WEFT_SLOTS_PER_SERVICE;
}

/* To the slots of one level, endpoints of the others have weight 0. */
static void weigh_level(struct scratch *x, const struct service *want, unsigned level)
{
	for (size_t i = 0; i < want->nr_endpoints; i++)
		x->weights[i] = x->level[i] == level ? want->endpoints[i].weight : 0;
}

int shape_make(struct plane *p, const struct service *want, struct shape *ret)
{
	struct scratch *x = &p->scratch;
	struct shape s = { 0 };

	if (scratch_reserve(x, want->nr_endpoints + 1))
		return -ENOMEM;
	lb_levels(want, p->zone, &s.levels, x->level);
	for (unsigned i = 0; i < s.levels.nr; i++) {
		weigh_level(x, want, i);
		s.nr_slots[i] = (uint32_t)lb_slots_count(x->weights, want->nr_endpoints, slots_max(want));
		s.table_size[i] = want->lb == WEFT_LB_MAGLEV ? want->maglev_size : 0;
		s.total += s.nr_slots[i] + s.table_size[i];
	}
	*ret = s;
	return 0;
}

int shape_fill(struct plane *p, const struct service *want, const struct shape *s, bool tables, uint32_t *slots)
{
	struct scratch *x = &p->scratch;
	int r = 0;

	for (size_t i = 0; tables && want->lb == WEFT_LB_MAGLEV && i < want->nr_endpoints; i++)
		x->keys[i] = lb_endpoint_key(want->endpoints[i].addr.byte, want->endpoints[i].port);
	for (unsigned i = 0; i < s->levels.nr && !r; i++) {
		weigh_level(x, want, i);
		r = lb_slots_fill(x->weights, want->nr_endpoints, slots_max(want), slots, s->nr_slots[i]);
		slots += s->nr_slots[i];
		if (!r && tables && s->table_size[i])
			r = lb_maglev_fill(x->keys, x->weights, want->nr_endpoints, slots, s->table_size[i]);
		slots += s->table_size[i];
	}
	return r;
}

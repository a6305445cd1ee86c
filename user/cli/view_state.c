/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who is in service and how the load is shared, by the arithmetic of weft/level.h that runs in the kernel. */
#include "cli/view.h"
#include "plane/standing.h"

uint32_t view_out(const struct view *v, uint32_t backend)
{
	return maps_out(v->maps, backend);
}

bool view_is_ready(const struct view *v, uint32_t backend)
{
	return maps_is_ready(v->maps, backend);
}

const char *view_state(const struct view *v, uint32_t backend)
{
	return maps_state(v->maps, backend);
}

uint32_t view_slots(const struct weft_spec *spec)
{
	uint32_t nr = 0;

	for (unsigned i = 0; i < spec->nr_levels; i++)
		nr += spec->level[i].nr_slots;
	return nr;
}

struct view_levels view_levels(const struct view *v, const struct weft_spec *spec)
{
	struct view_levels l = { .nr = spec->nr_levels };
	const struct weft_sstate *s = spec->service < v->maps->capacity[PLANE_MAP_SSTATE]
					      ? &v->maps->sstate[spec->service]
					      : NULL;

	for (unsigned i = 0; i < l.nr; i++) {
		uint32_t endpoints = spec->level[i].nr_backends;

		l.unavailable[i] = s ? s->unavailable[i] : 0;
		l.loads.health[i] = weft_level_health(endpoints, l.unavailable[i]);
		l.loads.cap[i] = spec->level[i].cap;
		l.endpoints += endpoints;
		l.available += l.unavailable[i] < endpoints ? endpoints - l.unavailable[i] : 0;
	}
	if (l.nr == 1) /* the kernel does not compute with one */
		l.loads.load[0] = WEFT_WHOLE;
	else
		weft_level_loads(&l.loads);
	l.panic = spec->panic_percent && (uint64_t)l.available * 100 < (uint64_t)l.endpoints * spec->panic_percent;
	return l;
}

double view_share(const struct view *v, uint32_t backend)
{
	return v->share[backend];
}

void view_shares(struct view *v)
{
	for (size_t i = 0; i < v->nr_services; i++) {
		uint32_t id = v->services[i].id;
		const struct weft_spec *spec = view_spec(v, id);
		uint64_t usable[WEFT_LEVELS] = { 0 };
		struct view_levels l;
		const uint32_t *ids;
		size_t nr;

		if (!spec)
			continue;
		l = view_levels(v, spec);
		ids = view_backends(v, id, &nr);
		for (size_t k = 0; k < nr; k++)
			if (view_is_ready(v, ids[k]) && v->maps->backends[ids[k]].level < WEFT_LEVELS)
				usable[v->maps->backends[ids[k]].level] += v->slots[ids[k]];
		for (size_t k = 0; k < nr; k++) {
			uint8_t level = v->maps->backends[ids[k]].level;

			if (view_is_ready(v, ids[k]) && level < WEFT_LEVELS && usable[level])
				v->share[ids[k]] = (double)l.loads.load[level] * 100 / WEFT_WHOLE * v->slots[ids[k]] /
						   (double)usable[level];
		}
	}
}

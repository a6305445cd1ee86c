/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Taking endpoints out of service and back, beside the programs that do the same. */
#include <errno.h>

#include "plane/maps.h"
#include "weft/outlier.h"

uint32_t *maps_unavailable(const struct maps *m, uint32_t backend)
{
	const struct weft_backend *b = &m->backends[backend];

	if (!(__atomic_load_n(&b->flags, __ATOMIC_RELAXED) & WEFT_BACKEND_F_READY) || b->level >= WEFT_LEVELS ||
	    b->service >= m->capacity[PLANE_MAP_SSTATE])
		return NULL;
	return &m->sstate[b->service].unavailable[b->level];
}

static bool is_endpoint(const struct maps *m, uint32_t backend, uint32_t gen)
{
	return backend && backend < m->capacity[PLANE_MAP_BACKENDS] &&
	       m->backends[backend].flags & WEFT_BACKEND_F_USED && m->backends[backend].gen == gen;
}

int maps_out_set(const struct maps *m, uint32_t backend, uint32_t gen, uint32_t bits)
{
	if (!m->writable)
		return -EPERM;
	if (!is_endpoint(m, backend, gen))
		return -ENOENT;
	return weft_out_set(&m->bstate[backend], maps_unavailable(m, backend), bits);
}

int maps_out_clear(const struct maps *m, uint32_t backend, uint32_t gen, uint32_t bits)
{
	if (!m->writable)
		return -EPERM;
	if (!is_endpoint(m, backend, gen))
		return -ENOENT;
	return weft_out_clear(&m->bstate[backend], maps_unavailable(m, backend), bits);
}

int maps_uneject(const struct maps *m, uint32_t backend, uint64_t now_ns)
{
	const struct weft_backend *b = &m->backends[backend];

	if (!m->writable)
		return -EPERM;
	if (b->service >= m->capacity[PLANE_MAP_SSTATE])
		return -ENOENT;
	return weft_outlier_return(&m->bstate[backend], &m->sstate[b->service], maps_unavailable(m, backend),
				   UINT64_MAX, now_ns);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Walk of weft_affinity, apart since only people ask for it. The map is an LRU: what is evicted during the walk may be
 * missed. */
#include <bpf/bpf.h>
#include <errno.h>

#include "plane/maps.h"

int maps_each_affinity(const struct maps *m,
		       int (*fn)(void *ctx, const struct weft_affinity_key *key, const struct weft_affinity *value),
		       void *ctx)
{
	int fd = m->fd[PLANE_MAP_AFFINITY];
	struct weft_affinity_key key, next;
	struct weft_affinity value;
	const void *from = NULL;
	/* The kernel begins anew when the key it stood on is gone: an end for the case that this happens again and
	 * again. */
	uint32_t left = m->capacity[PLANE_MAP_AFFINITY];
	int r;

	while (left-- && bpf_map_get_next_key(fd, from, &next) == 0) {
		if (bpf_map_lookup_elem(fd, &next, &value) == 0) {
			r = fn(ctx, &next, &value);
			if (r)
				return r;
		}
		key = next;
		from = &key;
	}
	return 0;
}

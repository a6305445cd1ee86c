/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How full each map is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plane/walk.h"

static int count_element(void *ctx, const void *key, const void *value)
{
	*(uint64_t *)ctx += 1;
	return 0;
}

static int count_flow(void *ctx, const struct weft_flow_record *record)
{
	*(uint64_t *)ctx += 1;
	return 0;
}

static uint64_t count_services(const struct maps *m)
{
	uint64_t n = 0;

	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_SERVICES]; i++)
		n += m->services[i].flags & WEFT_SERVICE_F_USED;
	return n;
}

static uint64_t count_specs(const struct maps *m, uint64_t *ret_slots)
{
	uint64_t n = 0;

	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_SPECS]; i++) {
		if (!(m->specs[i].flags & WEFT_SPEC_F_USED))
			continue;
		n++;
		*ret_slots += spec_slots(&m->specs[i]);
	}
	return n;
}

static uint64_t count_backends(const struct maps *m)
{
	uint64_t n = 0;

	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_BACKENDS]; i++)
		n += m->backends[i].flags & WEFT_BACKEND_F_USED;
	return n;
}

/* Kernel memory of a map, "memlock: N" in fdinfo; 0 when the kernel does not say. */
static uint64_t map_bytes(int fd)
{
	_cleanup_(fclosep) FILE *f = NULL;
	unsigned long long bytes = 0;
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	return bytes;
}

static int count_entries(const struct maps *m, enum plane_map id, uint64_t *ret)
{
	uint64_t slots = 0;

	switch (id) {
	case PLANE_MAP_FRONTENDS:
		return walk_hash(m->fd[id], sizeof(struct weft_frontend_key), sizeof(struct weft_frontend),
				 count_element, ret);
	case PLANE_MAP_AFFINITY:
		return walk_hash(m->fd[id], sizeof(struct weft_affinity_key), sizeof(struct weft_affinity),
				 count_element, ret);
	case PLANE_MAP_EDGES:
		return walk_hash(m->fd[id], sizeof(struct weft_edge_key), sizeof(struct weft_edge), count_element, ret);
	case PLANE_MAP_HANDSHAKES:
		return walk_hash(m->fd[id], sizeof(struct weft_tuple), sizeof(struct weft_handshake), count_element,
				 ret);
	case PLANE_MAP_NAT:
		return walk_hash(m->fd[id], sizeof(struct weft_nat_key), sizeof(struct weft_nat), count_element, ret);
	case PLANE_MAP_FLOWS:
		return maps_each_flow(m, count_flow, ret);
	case PLANE_MAP_SERVICES:
	case PLANE_MAP_SSTATE:
		*ret = count_services(m);
		return 0;
	case PLANE_MAP_SPECS:
		*ret = count_specs(m, &slots);
		return 0;
	case PLANE_MAP_SLOTS:
		count_specs(m, ret);
		return 0;
	case PLANE_MAP_BACKENDS:
	case PLANE_MAP_BSTATE:
		*ret = count_backends(m);
		return 0;
	case PLANE_MAP_PEERS:  /* cannot be walked */
	case PLANE_MAP_EVENTS: /* nor can a ring buffer */
		return 0;
	case PLANE_MAP_CONFIG:
	case PLANE_MAP_COUNTS:
		*ret = m->capacity[id];
		return 0;
	case PLANE_MAP_MAX:
		break;
	}
	return -EINVAL;
}

int maps_usage(const struct maps *m, enum plane_map id, struct map_usage *ret)
{
	struct map_usage u = { .capacity = m->capacity[id] };
	int r;

	r = count_entries(m, id, &u.entries);
	if (r && r != -EOPNOTSUPP)
		return r;
	u.bytes = map_bytes(m->fd[id]);
	*ret = u;
	return 0;
}

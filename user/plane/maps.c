/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "plane/maps.h"

/* How a map must look, and where in struct maps its memory goes. */
struct shape {
	size_t value_size;
	size_t pointer; /* offset in struct maps; 0: not mapped */
};

static const struct shape shapes[PLANE_MAP_MAX] = {
	[PLANE_MAP_CONFIG] = { sizeof(struct weft_config), offsetof(struct maps, config) },
	[PLANE_MAP_FRONTENDS] = { sizeof(struct weft_frontend), 0 },
	[PLANE_MAP_SERVICES] = { sizeof(struct weft_service), offsetof(struct maps, services) },
	[PLANE_MAP_SPECS] = { sizeof(struct weft_spec), offsetof(struct maps, specs) },
	[PLANE_MAP_SLOTS] = { sizeof(struct weft_slot_group), offsetof(struct maps, slots) },
	[PLANE_MAP_BACKENDS] = { sizeof(struct weft_backend), offsetof(struct maps, backends) },
	[PLANE_MAP_BSTATE] = { sizeof(struct weft_bstate), offsetof(struct maps, bstate) },
	[PLANE_MAP_SSTATE] = { sizeof(struct weft_sstate), offsetof(struct maps, sstate) },
	[PLANE_MAP_FLOWS] = { sizeof(struct weft_flow), 0 },
	[PLANE_MAP_PEERS] = { sizeof(struct weft_peers), 0 },
	[PLANE_MAP_AFFINITY] = { sizeof(struct weft_affinity), 0 },
	[PLANE_MAP_COUNTS] = { sizeof(__u64), 0 },
	[PLANE_MAP_EDGES] = { sizeof(struct weft_edge), 0 },
	[PLANE_MAP_EVENTS] = { 0, 0 }, /* a ring buffer */
	[PLANE_MAP_HANDSHAKES] = { sizeof(struct weft_handshake), 0 },
	[PLANE_MAP_NAT] = { sizeof(struct weft_nat), 0 },
};

static const char *const names[PLANE_MAP_MAX] = {
#define X(id, name, text) name,
	PLANE_MAPS(X)
#undef X
};

static const char *const texts[PLANE_MAP_MAX] = {
#define X(id, name, text) text,
	PLANE_MAPS(X)
#undef X
};

const char *plane_map_name(enum plane_map id)
{
	return names[id];
}

const char *plane_map_text(enum plane_map id)
{
	return texts[id];
}

char *plane_dir(const char *bpffs, const char *instance, char *path, size_t len)
{
	int n = snprintf(path, len, "%s/weft/%s", bpffs, instance);

	return n < 0 || (size_t)n >= len ? NULL : path;
}

static void **map_memory(struct maps *m, enum plane_map id)
{
	return shapes[id].pointer ? (void **)((char *)m + shapes[id].pointer) : NULL;
}

static size_t map_length(const struct maps *m, enum plane_map id)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t elements = m->capacity[id];

	if (id == PLANE_MAP_SLOTS)
		elements /= WEFT_SLOT_GROUP;
	return (elements * shapes[id].value_size + page - 1) / page * page;
}

void maps_close(struct maps *m)
{
	if (!m)
		return;
	for (int id = 0; id < PLANE_MAP_MAX; id++) {
		void **memory = map_memory(m, id);

		if (memory && *memory)
			munmap(*memory, map_length(m, id));
		closep(&m->fd[id]);
	}
	free(m->dir);
	free(m);
}

static int map_open(struct maps *m, enum plane_map id)
{
	void **memory = map_memory(m, id), *at;
	/* A descriptor opened read-only cannot be mapped shared, not even for reading: what is mapped is guarded by
	 * PROT_READ. */
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = m->writable || memory ? 0 : BPF_F_RDONLY);
	int prot = m->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[4096];
	int n;

	n = snprintf(path, sizeof(path), "%s/%s", m->dir, names[id]);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	/* Asked of the file first: bpf() answers EPERM to strangers whether the pin is there or not. */
	if (access(path, F_OK) == -1)
		return -errno;
	m->fd[id] = bpf_obj_get_opts(path, &opts);
	if (m->fd[id] < 0)
		return m->fd[id];
	n = bpf_obj_get_info_by_fd(m->fd[id], &info, &len);
	if (n < 0)
		return n;
	if (info.value_size != shapes[id].value_size)
		return -EPROTO;
	m->capacity[id] = id == PLANE_MAP_SLOTS ? info.max_entries * WEFT_SLOT_GROUP : info.max_entries;
	if (!memory)
		return 0;
	at = mmap(NULL, map_length(m, id), prot, MAP_SHARED, m->fd[id], 0);
	if (at == MAP_FAILED)
		return -errno;
	*memory = at;
	return 0;
}

static struct maps *maps_new(const char *dir, bool writable)
{
	struct maps *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	for (int id = 0; id < PLANE_MAP_MAX; id++)
		m->fd[id] = -1;
	m->writable = writable;
	m->dir = strdup(dir);
	if (!m->dir) {
		free(m);
		return NULL;
	}
	return m;
}

int maps_open(const char *dir, bool writable, struct maps **ret, uint32_t *ret_abi)
{
	_cleanup_(maps_closep) struct maps *m = maps_new(dir, writable);
	int r;

	if (!m)
		return -ENOMEM;
	r = map_open(m, PLANE_MAP_CONFIG);
	if (r)
		return r;
	/* Written last by who made the maps: without it they are half made. */
	if (!m->config->abi)
		return -ENOENT;
	if (ret_abi)
		*ret_abi = m->config->abi;
	if (m->config->abi != WEFT_ABI)
		return -EPROTO;
	for (int id = PLANE_MAP_CONFIG + 1; id < PLANE_MAP_MAX; id++) {
		r = map_open(m, id);
		if (r)
			return r;
	}
	*ret = MOVE(m, NULL);
	return 0;
}

int maps_counts(const struct maps *m, uint64_t ret_counts[WEFT_R_MAX])
{
	_cleanup_(freep) uint64_t *values = NULL;
	uint64_t sums[WEFT_R_MAX] = { 0 };
	int r, cpus = libbpf_num_possible_cpus();

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint32_t key = 0; key < WEFT_R_MAX; key++) {
		/* An older weft of the same ABI may have had fewer reasons. */
		if (key >= m->capacity[PLANE_MAP_COUNTS])
			break;
		r = bpf_map_lookup_elem(m->fd[PLANE_MAP_COUNTS], &key, values);
		if (r < 0)
			return r;
		for (int cpu = 0; cpu < cpus; cpu++)
			sums[key] += values[cpu];
	}
	memcpy(ret_counts, sums, sizeof(sums));
	return 0;
}

int maps_find_frontend(const struct maps *m, const struct weft_addr *addr, uint16_t port, uint8_t proto)
{
	struct weft_frontend_key key = { .addr = *addr, .port_be = htons(port), .proto = proto };
	struct weft_frontend value;
	int r;

	r = bpf_map_lookup_elem(m->fd[PLANE_MAP_FRONTENDS], &key, &value);
	return r < 0 ? r : (int)value.service;
}

const struct weft_spec *maps_spec(const struct maps *m, uint32_t service)
{
	uint32_t spec;

	if (!service || service >= m->capacity[PLANE_MAP_SERVICES])
		return NULL;
	spec = __atomic_load_n(&m->services[service].spec, __ATOMIC_ACQUIRE);
	return spec && spec < m->capacity[PLANE_MAP_SPECS] ? &m->specs[spec] : NULL;
}

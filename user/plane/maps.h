/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The pinned maps, opened. Arrays are mapped into memory, so reading them costs no system call. The agent opens them
 * writable, the CLI and the metrics page read-only; both work while no agent runs. Everything below folder
 * <bpffs>/weft/<instance>.
 */
#ifndef PLANE_MAPS_H
#define PLANE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/abi.h"
#include "weft/handshake.h"

/* Columns: id, name (of the map and of its pin), what it is, in a few words. */
#define PLANE_MAPS(X)                                                                                                  \
	X(CONFIG, "weft_config", "node-wide switches")                                                                 \
	X(FRONTENDS, "weft_frontends", "service address to service")                                                   \
	X(SERVICES, "weft_services", "service names and what is published")                                            \
	X(SPECS, "weft_specs", "published versions of services")                                                       \
	X(SLOTS, "weft_slots", "weighted slots and maglev tables")                                                     \
	X(BACKENDS, "weft_backends", "endpoints")                                                                      \
	X(BSTATE, "weft_bstate", "what the kernel knows of each endpoint")                                             \
	X(SSTATE, "weft_sstate", "what the kernel knows of each service")                                              \
	X(FLOWS, "weft_flows", "connection of each socket")                                                            \
	X(PEERS, "weft_peers", "services that an unconnected UDP socket talks to")                                     \
	X(AFFINITY, "weft_affinity", "session affinity")                                                               \
	X(COUNTS, "weft_counts", "how often each thing happened")                                                      \
	X(EDGES, "weft_edges", "traffic from each caller to each endpoint")                                            \
	X(EVENTS, "weft_events", "what the operator's log is told")                                                    \
	X(HANDSHAKES, "weft_handshakes", "connects under way that may fail over")                                      \
	X(NAT, "weft_nat", "translation of connections that failed over")

enum plane_map {
#define X(id, name, text) PLANE_MAP_##id,
	PLANE_MAPS(X)
#undef X
		PLANE_MAP_MAX
};

struct maps {
	char *dir;
	int fd[PLANE_MAP_MAX];		  /* -1 when not open */
	uint32_t capacity[PLANE_MAP_MAX]; /* max_entries; 0 for socket storage */
	bool writable;
	/* mapped arrays, indexed as the ABI says; NULL when not mapped */
	struct weft_config *config;
	struct weft_service *services;
	struct weft_spec *specs;
	uint32_t *slots;
	struct weft_backend *backends;
	struct weft_bstate *bstate;
	struct weft_sstate *sstate;
};

const char *plane_map_name(enum plane_map id);
const char *plane_map_text(enum plane_map id);

/*
 * Opens and maps every pin under @dir. 0; -ENOENT: nothing is loaded there; -EPERM/-EACCES; -EPROTO: pinned by a weft
 * of another WEFT_ABI (the number found in *ret_abi when not NULL). *ret untouched on failure.
 */
int maps_open(const char *dir, bool writable, struct maps **ret, uint32_t *ret_abi);
void maps_close(struct maps *m); /* NULL is fine */
static inline void maps_closep(struct maps **m)
{
	maps_close(*m);
}

/* "<bpffs>/weft/<instance>"; returns @path or NULL when @len is too small. */
char *plane_dir(const char *bpffs, const char *instance, char *path, size_t len);

/* Sums over the CPUs. 0 or negative errno. */
int maps_counts(const struct maps *m, uint64_t ret_counts[WEFT_R_MAX]);

/* Each calls @fn for every element until it returns non-zero, which is passed on. Elements may come and go meanwhile;
 * none is seen twice. */
int maps_each_frontend(const struct maps *m,
		       int (*fn)(void *ctx, const struct weft_frontend_key *key, const struct weft_frontend *value),
		       void *ctx);
int maps_each_edge(const struct maps *m,
		   int (*fn)(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value), void *ctx);
int maps_each_affinity(const struct maps *m,
		       int (*fn)(void *ctx, const struct weft_affinity_key *key, const struct weft_affinity *value),
		       void *ctx);
/*
 * Walks the sockets that hold an endpoint, in all network namespaces, through the pinned iterator; the walk also brings
 * the bytes of living connections into weft_edges. -EOPNOTSUPP: this kernel has no such iterator.
 */
int maps_each_flow(const struct maps *m, int (*fn)(void *ctx, const struct weft_flow_record *record), void *ctx);

/* Looks an address up as the hook does. Port in host order. The service id, or -ENOENT. */
int maps_find_frontend(const struct maps *m, const struct weft_addr *addr, uint16_t port, uint8_t proto);
/* The spec that @service has published, or NULL. */
const struct weft_spec *maps_spec(const struct maps *m, uint32_t service);

/* Slots and maglev tables of all levels of @spec lie side by side, from level[0].slot_base on: how many. */
static inline uint64_t spec_slots(const struct weft_spec *spec)
{
	uint64_t n = 0;

	for (int i = 0; i < WEFT_LEVELS; i++)
		n += (uint64_t)spec->level[i].nr_slots + spec->level[i].table_size;
	return n;
}

/*
 * Change weft_bstate.out of an endpoint and, as the programs do, the counters of its service. 1: it was a change; 0:
 * not; -ENOENT: {backend, gen} is no endpoint any more; -EPERM: the maps are read-only.
 */
int maps_out_set(const struct maps *m, uint32_t backend, uint32_t gen, uint32_t bits);
int maps_out_clear(const struct maps *m, uint32_t backend, uint32_t gen, uint32_t bits);
/* Ends an ejection before its time. 1: done; 0: it is not ejected; -ENOENT, -EPERM. */
int maps_uneject(const struct maps *m, uint32_t backend, uint64_t now_ns);
/* The counter that goes with .out, for the functions of weft/outlier.h; NULL: the endpoint is not in service. */
uint32_t *maps_unavailable(const struct maps *m, uint32_t backend);

/* Elements in use: of hashes by walking, of arrays by their USED flags, of slots by the specs in use. */
struct map_usage {
	uint64_t entries, capacity, bytes; /* bytes: kernel memory, from fdinfo; 0 when unknown */
};
int maps_usage(const struct maps *m, enum plane_map id, struct map_usage *ret);

/*
 * Recount: counters of endpoints and services against the sockets that hold places, and against the endpoints that are
 * out of service. Things come and go while it looks, so a difference counts as drift only when it stays the same over
 * @passes looks (>= 2) at a counter that did not move. Columns: id, word, what is counted.
 */
#define DRIFTS(X)                                                                                                      \
	X(ACTIVE, "connections", "sockets that hold a place")                                                          \
	X(PENDING, "pending", "those of them whose handshake is not done")                                             \
	X(EJECTED, "ejected", "endpoints that are ejected")                                                            \
	X(UNAVAILABLE, "unavailable", "endpoints of a level that take no connections")

enum drift_what {
#define X(id, name, text) DRIFT_##id,
	DRIFTS(X)
#undef X
};
const char *drift_name(enum drift_what what);

struct drift {
	uint32_t service, backend; /* backend 0: a counter of the service itself */
	enum drift_what what;
	uint32_t level;		/* of UNAVAILABLE */
	int64_t counted, found; /* what the counter says; what there is */
};
struct audit {
	uint64_t backends, sockets; /* looked at */
	size_t nr_drift;
	struct drift *drift; /* free() */
};
int maps_audit(const struct maps *m, unsigned passes, struct audit *ret);
/* Adds found - counted to the counters; needs writable maps. */
int maps_repair(const struct maps *m, const struct audit *a);

#endif

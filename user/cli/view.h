/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps as people ask about them: services by name, endpoints by service and address. Made in one pass; names are
 * copies, and every index that was read is checked, since the agent may publish meanwhile.
 */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/service.h"
#include "plane/maps.h"
#include "weft/level.h"

struct view_frontend {
	struct weft_addr addr;
	uint16_t port; /* host order */
	uint8_t proto;
	uint32_t service;
};

struct view_service {
	uint32_t id;
	uint32_t serial;
	char name[WEFT_NAME_LEN];
};

struct view {
	const struct maps *maps;
	uint64_t now_ns;		 /* CLOCK_MONOTONIC, the clock of the maps */
	uint64_t boot_ns;		 /* CLOCK_BOOTTIME, that of weft_config.applied_ns */
	struct view_frontend *frontends; /* by service, address, port, protocol */
	size_t nr_frontends, capacity_frontends;
	struct view_service *services; /* by name */
	size_t nr_services;
	uint32_t *by_id;    /* [service id]: index into services + 1, 0 when not there */
	uint32_t *backends; /* ids by service, address, port, id */
	size_t nr_backends;
	uint32_t *slots; /* [backend id]: in how many slots (maglev: table rows) of its service it stands */
	double *share;	 /* [backend id]: see view_share() */
};

/* Reads everything. Frontends are read from the kernel when their map is open; tests add theirs. 0 or negative errno.
 */
int view_read(const struct maps *m, struct view **ret);
void view_free(struct view *v); /* NULL is fine */
static inline void view_freep(struct view **v)
{
	view_free(*v);
}

int view_add_frontend(struct view *v, const struct weft_frontend_key *key, uint32_t service);
void view_sort_frontends(struct view *v);

const struct view_service *view_find(const struct view *v, const char *name);	 /* NULL: not there */
const struct view_service *view_find_id(const struct view *v, uint32_t service); /* NULL: not there */
/* The frontends of @service; *ret_nr of them. */
const struct view_frontend *view_frontends(const struct view *v, uint32_t service, size_t *ret_nr);
/* The ids of the backends of @service, the draining ones too. */
const uint32_t *view_backends(const struct view *v, uint32_t service, size_t *ret_nr);
/* The published spec when it can be trusted: in range, and its extents too. NULL else. */
const struct weft_spec *view_spec(const struct view *v, uint32_t service);

uint32_t view_slots(const struct weft_spec *spec); /* weighted slots of all its levels */

struct view_total {
	size_t endpoints, ready, ejected;
	uint64_t active, opened, established, failed, refused;
};
/* Sums over the endpoints of @service that are there now. */
struct view_total view_total(const struct view *v, uint32_t service);

/* "ready", "draining", "off", or why it is out of service: "drained", "ejected", "unhealthy", "not-ready". */
const char *view_state(const struct view *v, uint32_t backend);
/* Takes new connections now. */
bool view_is_ready(const struct view *v, uint32_t backend);
/* Bits of .out of an endpoint that is in its service's published set; 0 else. */
uint32_t view_out(const struct view *v, uint32_t backend);
/* Share of the load of its service in percent: of the slots of the usable endpoints of its level, times the load of
 * that level. 0: it gets nothing now. */
double view_share(const struct view *v, uint32_t backend);

/* What the levels of a service can take and take, as the kernel computes it; see weft/level.h. */
struct view_levels {
	unsigned nr;
	struct weft_loads loads;
	uint32_t unavailable[WEFT_LEVELS];
	uint32_t endpoints, available; /* of all levels */
	bool panic; /* so few are available that ejected and unhealthy ones are tried when no other is left */
};
struct view_levels view_levels(const struct view *v, const struct weft_spec *spec);
void view_shares(struct view *v); /* fills .share; view_read() does it */

/* Latency as it counts now, 0 when never measured. */
uint32_t view_latency_us(const struct view *v, uint32_t backend);
/* Addresses of @service as text, for out_list(). free() *ret; 0 or -ENOMEM. */
int view_addresses(const struct view *v, uint32_t service, const char ***ret, size_t *ret_nr);
const char *view_proto(const struct view *v, uint32_t service); /* "tcp"; "-" when there is no frontend */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a service of Synapse gets its endpoints from. Inside config/ only. */
#ifndef CONFIG_IMPORT_ROUTE_H
#define CONFIG_IMPORT_ROUTE_H

#include "config/import_inside.h"

struct import_route {
	const struct node *service;
	bool v4; /* the service's address is one */

	/* What Synapse does with the answers of all its watchers. */
	bool clear; /* an empty answer counts */
	bool leader;
	unsigned port; /* backend_port_override; 0: none */

	/* Written so far. */
	FILE *sources, *endpoints;
	char *sources_text, *endpoints_text;
	size_t sources_len, endpoints_len;
	unsigned nr_sources, nr_endpoints;
	bool inside_multi;
	bool in_order;	     /* the first source that has something counts */
	const char *combine; /* weft's word; NULL: its default */
};

int route_open(struct import *x, struct import_route *r); /* the streams */
void route_done(struct import_route *r);
/* Fills all that is below "Written so far". */
int route_read(struct import *x, struct import_route *r);

/* ---- inside ---- */

/* Begins a source of @registry; the caller adds its own keys, then ends it. NULL: there are too many. */
FILE *route_begin(struct import *x, struct import_route *r, const struct node *n, const char *key,
		  const char *registry);
int route_end(struct import *x, struct import_route *r, const struct node *discovery, const char *key);
/* Servers that are written in the file: addresses become endpoints, names sources. */
int route_servers(struct import *x, struct import_route *r, const struct node *servers, const char *key,
		  const struct node *nameserver, const struct node *discovery, unsigned priority, bool override);

#endif

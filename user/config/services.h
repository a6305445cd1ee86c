/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The list of services, in weft.yaml and in service files. Inside config/ only. */
#ifndef CONFIG_SERVICES_H
#define CONFIG_SERVICES_H

#include "config/yaml.h"

/* What is at hand while services are read; the arrays serve one service after the other. */
struct services_reading {
	struct model *model;
	struct service *service; /* the current one */
	unsigned frontend_lines[WEFT_FRONTENDS_PER_SERVICE];
	struct endpoint *endpoints; /* in the order written */
	unsigned *endpoint_lines;
	size_t nr_endpoints, capacity;
};

void services_reading_done(struct services_reading *x);

int services_read(struct reader *rd, struct services_reading *x); /* a read function for the key "services" */

/* Keys of a service; @into is the services_reading. */
int service_read_protocol(struct reader *rd, void *into);
int service_read_balance(struct reader *rd, void *into);
int service_read_hash_by(struct reader *rd, void *into);
int service_read_affinity(struct reader *rd, void *into);
int service_read_maglev_table(struct reader *rd, void *into);
int service_read_endpoints(struct reader *rd, void *into);

/* Hands the endpoints to the service, sorted and of its family. */
int service_finish_endpoints(struct reader *rd, struct services_reading *x);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The list of services, in weft.yaml and in service files. Inside config/ only. */
#ifndef CONFIG_SERVICES_H
#define CONFIG_SERVICES_H

#include "config/yaml.h"

/* Keys of a service that are held against others when its mapping ends. */
enum service_key {
	KEY_CONNECT_TIMEOUT,
	KEY_FAILOVER,
	KEY_EJECTION,
	KEY_BREAKER,
	KEY_PENDING,
	KEY_ENDPOINT_PENDING,
	KEY_ENDPOINT_CONNECTIONS,
	KEY_BURST,
	KEY_CHECK,
	KEY_ZONE_AWARE,
	KEY_MAX
};

/* What is at hand while services are read; the arrays serve one service after the other. */
struct services_reading {
	struct model *model;
	struct service *service; /* the current one */
	unsigned lines[KEY_MAX]; /* of its keys; 0: not written */
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
int service_read_connect_timeout(struct reader *rd, void *into);
int service_read_failover(struct reader *rd, void *into);
int service_read_drain_timeout(struct reader *rd, void *into);
int service_read_slow_start(struct reader *rd, void *into);
int service_read_panic_threshold(struct reader *rd, void *into);
int service_read_zone_aware(struct reader *rd, void *into);
int service_read_limits(struct reader *rd, void *into);
int service_read_ejection(struct reader *rd, void *into);
int service_read_breaker(struct reader *rd, void *into);
int service_read_health_check(struct reader *rd, void *into);
int service_read_endpoints(struct reader *rd, void *into);

/* Refuses keys that do not go together, and turns off what a UDP service does not have. */
int service_finish_limits(struct reader *rd, struct services_reading *x);
int service_finish_protocol(struct reader *rd, struct services_reading *x);
/* Hands the endpoints to the service, sorted and of its family. */
int service_finish_endpoints(struct reader *rd, struct services_reading *x);

#endif

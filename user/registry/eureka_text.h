/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What Eureka is asked and told, as text. Pure. Texts that are returned are the caller's; NULL: no memory. */
#ifndef REGISTRY_EUREKA_TEXT_H
#define REGISTRY_EUREKA_TEXT_H

#include "discovery/found.h"

/* "10.0.0.1:8761" as "http://10.0.0.1:8761/eureka/v2"; an URL with a path as it is. 0, -EINVAL, -ENOMEM. */
int eureka_server_parse(const char *text, char **ret);

/* "/apps" or "/apps/delta", with the region. */
char *eureka_apps_path(bool delta, const char *region);

struct eureka_entry {
	const char *app, *id, *host, *address, *vip, *secure_vip, *zone; /* NULL: not said; but for the first four */
	uint16_t port;
	const uint16_t *weight; /* NULL: not said */
	const struct label *labels;
	size_t nr_labels;
	uint32_t ttl_ms;
	bool up;
	uint64_t dirty_ms; /* Unix time of the last change */
};
char *eureka_entry_body(const struct eureka_entry *e);
char *eureka_app_path(const struct eureka_entry *e);	   /* "/apps/APP" */
char *eureka_instance_path(const struct eureka_entry *e);  /* "/apps/APP/ID" */
char *eureka_heartbeat_path(const struct eureka_entry *e); /* and its status */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What active health checks do to the kernel's part. The agent's, that is the one writer's. */
#ifndef PLANE_HEALTH_H
#define PLANE_HEALTH_H

#include "plane/plane.h"

/*
 * The socket @fd connects to the very address that it is given, even when that is a service's, and counts nowhere. To
 * be called before connect(); needs CAP_BPF. 0 or negative errno.
 */
int plane_pass_socket(const struct plane *p, int fd);

/* What follow are stores to mapped memory: no capability is needed, and nothing fails but by not finding. */

enum plane_health { PLANE_UNHEALTHY, PLANE_HEALTHY, PLANE_PASSED /* healthy, and a check said so just now */ };
/* Bits. */
enum plane_health_change { PLANE_HEALTH_SAME = 0, PLANE_HEALTH_CHANGED = 1, PLANE_HEALTH_UNEJECTED = 2 };
/*
 * Takes an endpoint (port in host order) of the published service out of service or back. One that comes back begins
 * its slow start. PLANE_PASSED also ends an ejection, as Envoy does it. Bits of enum plane_health_change, or -ENOENT.
 */
int plane_set_health(struct plane *p, const char *service, const struct weft_addr *addr, uint16_t port,
		     enum plane_health health);
/* 1: no check holds it out of service; 0: one does; -ENOENT. */
int plane_get_health(const struct plane *p, const char *service, const struct weft_addr *addr, uint16_t port);

#endif

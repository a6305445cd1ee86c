/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How endpoints stand: what takes connections, and why others do not. */
#ifndef PLANE_STANDING_H
#define PLANE_STANDING_H

#include "plane/plane.h"

struct maps;

/* "ready", "draining", "off", or why it is out of service: "drained", "ejected", "unhealthy", "not-ready". The
 * operator's own word first, then what lasts longest. */
const char *maps_state(const struct maps *m, uint32_t backend);
/* Takes new connections now. */
bool maps_is_ready(const struct maps *m, uint32_t backend);
/* Bits of .out of an endpoint that is in its service's published set; 0 else. */
uint32_t maps_out(const struct maps *m, uint32_t backend);

struct plane_endpoint {
	struct weft_addr addr;
	uint16_t port; /* host order */
	const char *state;
	bool ready;
	uint32_t out;	      /* bits of enum weft_out */
	uint32_t connections; /* now */
};

/* Calls @fn for each endpoint of a published service, and then for those that have left it and still have connections,
 * until it returns non-zero, which is passed on. -ENOENT: no such service is published. No system call. */
int plane_each_endpoint(const struct plane *p, const char *service,
			int (*fn)(void *ctx, const struct plane_endpoint *e), void *ctx);

#endif

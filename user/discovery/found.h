/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The endpoints that a registry names for one source, as of one answer. A value: no I/O. */
#ifndef DISCOVERY_FOUND_H
#define DISCOVERY_FOUND_H

#include <stdbool.h>

#include "model/service.h"

struct label {
	const char *key, *value;
};

struct found_endpoint {
	struct endpoint endpoint; /* .addr is zero when @host says it */
	char *host;		  /* name that still has to be resolved; NULL: .addr is known */
	char *name;		  /* the instance's own; NULL: none */
	char *id;		  /* sequence number or the like; NULL: none */
	struct label *labels;	  /* owned */
	size_t nr_labels;
};

struct found {
	struct found_endpoint *at;
	size_t nr, capacity;
};

/* What a provider says of one endpoint; zero and NULL: not said. Nothing is kept of it. */
struct found_args {
	const char *host;	      /* "10.0.0.1", "fd00::1", or a name */
	const struct weft_addr *addr; /* instead of host */
	uint32_t port;		      /* 0, or more than 65535: the endpoint is refused */
	const uint32_t *weight;	      /* NULL: 1; larger ones are cut to WEFT_WEIGHT_MAX */
	uint32_t priority;
	bool unready;
	const char *zone, *name, *id;
	const struct label *labels;
	size_t nr_labels;
};

/* 0; -EINVAL: no usable port or host (the caller counts it with lookup_odd()); -ENOMEM. */
int found_add(struct found *f, const struct found_args *args);
void found_done(struct found *f); /* leaves it empty */
void found_endpoint_done(struct found_endpoint *e);
bool found_equal(const struct found *a, const struct found *b);		  /* in this order */
const char *found_label(const struct found_endpoint *e, const char *key); /* NULL: none */

#endif

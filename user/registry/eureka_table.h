/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The instances that a Eureka server knows, as its answers say: all of them, or what has changed. Pure. */
#ifndef REGISTRY_EUREKA_TABLE_H
#define REGISTRY_EUREKA_TABLE_H

#include "discovery/found.h"

#define EUREKA_STATUS_LEN 20

struct eureka_instance {
	char *app, *id; /* app: in capitals */
	char *host, *address, *vip, *secure_vip, *group, *zone;
	char status[EUREKA_STATUS_LEN]; /* "UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN" */
	uint16_t port, secure_port;	/* 0: none, or not enabled */
	struct label *metadata;		/* owned */
	size_t nr_metadata;
	bool deleted; /* in a list of changes only */
	size_t order; /* in the answer */
};

/* One of the VIP names of an instance: "ads.example.com" of "ads.example.com,other". */
struct eureka_vip {
	const char *name; /* borrowed of the instance; not terminated */
	size_t len, at;	  /* at: of the instance in the table */
};

struct eureka_vips {
	struct eureka_vip *at; /* sorted by name, in any case, then by instance */
	size_t nr, capacity;
	bool built;
};

struct eureka_table {
	struct eureka_instance *at; /* sorted by app, then id; no two alike */
	size_t nr, capacity;
	struct eureka_vips vips, secure_vips; /* built when they are first asked for */
};

void eureka_table_done(struct eureka_table *t); /* leaves it empty */

/* "DOWN_1_UP_2_": each status with its number, in order, as the server reckons what /apps/delta should have led to. */
void eureka_hash(const struct eureka_table *t, char *ret, size_t len);

struct eureka_filter {
	const char *app, *vip, *secure_vip; /* one of them; app in any case */
	bool secure;			    /* the secure port */
	char *const *statuses;		    /* that are used; NULL or none: UP */
};
/* Endpoints of @t. OUT_OF_SERVICE and what @filter's statuses do not name is listed as not ready, DOWN and the like
 * left out. 0 or -ENOMEM. *ret_odd: without a port or an address. */
int eureka_found(struct eureka_table *t, const struct eureka_filter *filter, struct found *f, size_t *ret_odd);

#endif

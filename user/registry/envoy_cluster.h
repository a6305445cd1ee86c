/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A Cluster of CDS as a service. Pure. What has no counterpart is said in @odd, and in docs/ENVOY.md. */
#ifndef REGISTRY_ENVOY_CLUSTER_H
#define REGISTRY_ENVOY_CLUSTER_H

#include "model/service.h"
#include "registry/envoy_decode.h"

enum envoy_family { ENVOY_ANY, ENVOY_V4, ENVOY_V6 };

struct envoy_cluster {
	struct service *service;   /* without endpoints; without frontends, too, unless metadata names them */
	bool eds;		   /* endpoints come from elsewhere: */
	char *eds_name, *eds_path; /* path NULL: by REST */
	const json_t *assignment;  /* not eds: the endpoints, borrowed from the cluster; NULL: none */
	struct envoy_reading reading;
	enum envoy_family family; /* of the endpoints, when no address says it */
	uint16_t port;		  /* of the address that a pool gives; 0: the endpoints' own, when they have one */
};

/* Its name, or NULL. What services can be called is less: see envoy_service_name(). */
const char *envoy_cluster_name(const json_t *cluster);
/* @name as a service's, cut and with a hash when it is too long. False: it has signs that no service's name has. */
bool envoy_service_name(const char *name, char *ret, size_t len);

/* 0; -EBADMSG with a clause in @why; -ENOMEM. */
int envoy_cluster(const json_t *cluster, struct envoy_cluster *ret, struct envoy_odd *odd, char *why, size_t why_len);
void envoy_cluster_done(struct envoy_cluster *c);

/* ---- envoy_guard.c: what a service does about endpoints that are slow, full or broken ---- */
void envoy_take_limits(const json_t *cluster, struct service *s, struct envoy_odd *odd);
void envoy_take_ejection(const json_t *cluster, struct service *s, struct envoy_odd *odd);
int envoy_take_check(const json_t *cluster, struct service *s, struct envoy_odd *odd); /* 0 or -ENOMEM */

#endif

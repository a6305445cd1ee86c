/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a control plane says by the REST and file forms of xDS, version 3: answers, and the endpoints of a cluster.
 * Pure. */
#ifndef REGISTRY_ENVOY_DECODE_H
#define REGISTRY_ENVOY_DECODE_H

#include "discovery/found.h"
#include "registry/envoy_json.h"

/* A DiscoveryResponse. Texts and resources are borrowed from it. */
struct envoy_answer {
	const char *version, *nonce; /* "" when not said */
	const json_t *resources;     /* a list; NULL: none */
};

/* @message: of the resources ("Cluster"). 0 or -EBADMSG with a clause in @why. */
int envoy_answer(const json_t *root, const char *message, struct envoy_answer *ret, char *why, size_t why_len);
/* The resource itself: some servers wrap it in a message with its name and version. NULL: it is no such @message. */
const json_t *envoy_resource(const json_t *resource, const char *message);

struct envoy_reading {
	bool locality_weights; /* those of localities count, where there are any */
};

/*
 * The endpoints of a ClusterLoadAssignment. 0; -EBADMSG: nothing of it can be used, with a clause in @why (@ret is
 * empty); -ENOMEM.
 */
int envoy_endpoints(const json_t *assignment, const struct envoy_reading *how, struct found *ret, struct envoy_odd *odd,
		    char *why, size_t why_len);

/* Not multicast, broadcast or link-local IPv6, which weft.yaml does not take either. */
bool envoy_usable(const struct weft_addr *a);

/* A question, as the body of a POST. free() it; NULL: no memory. */
struct envoy_ask {
	const char *message; /* "Cluster" or "ClusterLoadAssignment" */
	const char *version, *nonce, *node, *cluster;
	const char *error; /* NULL, or why the last answer was not taken */
	const char *const *names;
	size_t nr_names;
};
char *envoy_question(const struct envoy_ask *a);

#endif

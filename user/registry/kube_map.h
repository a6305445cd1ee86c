/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From a Service and its EndpointSlices to services of ours, or to the endpoints of one. Pure.
 *
 * Each port and address family of a Service is a service of its own, NAMESPACE/NAME; ":PORTNAME" follows when there are
 * several ports, and ":v4" or ":v6" for the second family. A name that is too long is cut, and ends in "~" and a hash
 * of the whole.
 */
#ifndef REGISTRY_KUBE_MAP_H
#define REGISTRY_KUBE_MAP_H

#include "discovery/found.h"
#include "registry/kube_object.h"

enum kube_serve { KUBE_SERVE_ALL, KUBE_SERVE_ANNOTATED, KUBE_SERVE_NONE };

struct kube_view {
	struct kube_place place;
	uint8_t addresses; /* enum kube_address_kind, or-ed: what becomes an address of a service */
	enum kube_serve serve;
	struct kube_odd odd;
};

struct kube_mapped {
	struct service **at; /* owned, a reference each */
	size_t nr;
};

/* All services that @s and the list @slices make; there may be none. 0 or -ENOMEM, then @ret is empty. */
int kube_map(const struct kube_service *s, const struct kube_slice *slices, const struct kube_view *v,
	     struct kube_mapped *ret);
void kube_mapped_done(struct kube_mapped *m);

/*
 * The endpoints of port @port (NULL: the only one, or the first one) for a service of the files. @s may be NULL: slices
 * without a Service. Labels: pod, node, zone. 0, -ENOMEM, or -ENOENT: no port of that name.
 */
int kube_find(const struct kube_service *s, const struct kube_slice *slices, const char *port,
	      const struct kube_view *v, struct found *ret);

#endif

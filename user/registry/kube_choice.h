/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which endpoints of all slices of a Service count for a port, whether they take connections, and in which order of
 * preference. Pure. */
#ifndef REGISTRY_KUBE_CHOICE_H
#define REGISTRY_KUBE_CHOICE_H

#include "registry/kube_object.h"

struct kube_choice {
	const struct kube_slice *slice;
	const struct kube_endpoint *endpoint;
	uint16_t port;
	uint8_t priority;
	bool unready;
};

struct kube_choices {
	struct kube_choice *at; /* sorted by address and port, no two alike */
	size_t nr, capacity;
};

struct kube_ask {
	const char *port;     /* name; NULL: the first port of each slice */
	uint8_t proto;	      /* 0: any */
	const bool *v4;	      /* NULL: both families */
	bool local;	      /* of our node only */
	bool publish_unready; /* all take connections */
};

int kube_choose(const struct kube_slice *slices, const struct kube_ask *ask, struct kube_choices *ret); /* or -ENOMEM */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The Pods of this node, as far as it takes to say whose a cgroup is. Knows no network. */
#ifndef REGISTRY_KUBE_PODS_H
#define REGISTRY_KUBE_PODS_H

#include "discovery/registry.h"
#include "registry/kube_object.h"
#include "registry/kube_store.h"

struct kube_pod {
	char *uid, *namespace, *name, *account; /* account: "" when there is none */
	struct kube_mark mark;
};

struct kube_pods {
	struct kube_pod *at; /* in the order they came */
	size_t nr, capacity;
};

void kube_pods_done(struct kube_pods *p); /* leaves it empty */
/* 1: it is new, or another; 0: as it was; -EBADMSG: no Pod with a uid; -ENOMEM. */
int kube_pods_put(struct kube_pods *p, const json_t *object, struct kube_mark mark);
bool kube_pods_remove(struct kube_pods *p, const char *namespace, const char *name); /* was it there? */
/* Those that are not marked so. Were there any? */
bool kube_pods_sweep(struct kube_pods *p, struct kube_mark mark);
int kube_pods_each(const struct kube_pods *p, int (*fn)(void *ctx, const struct workload *w), void *ctx);

#endif

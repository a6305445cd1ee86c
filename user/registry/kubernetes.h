/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A registry of type kubernetes: its parts, shared by the files that make it. Inside registry/ only. */
#ifndef REGISTRY_KUBERNETES_H
#define REGISTRY_KUBERNETES_H

#include "discovery/registry.h"
#include "registry/kube_access.h"
#include "registry/kube_map.h"
#include "registry/kube_pods.h"
#include "registry/kube_stream.h"
#include "registry/kube_store.h"

struct kube_lookup {
	struct lookup l;
	struct kube_entry *entry;	  /* NULL: the namespace is not known yet */
	struct kube_lookup *next;	  /* of the same entry */
	struct kube_lookup *next_waiting; /* of those without an entry */
	bool answered;
};

struct kubernetes {
	struct registry r;
	struct kube_store store;
	struct kube_pods pods; /* of this node */
	struct kube_view view;
	struct kube_access *access; /* as of the last request; NULL: none yet */
	struct pace pace;
	struct kube_stream *streams;
	size_t nr_streams;
	struct kube_lookup *waiting;
	struct kube_where *where; /* NULL: the node's zone is known, or not asked for */
	uv_timer_t flush;
	unsigned handles; /* open ones */
	bool believe_empty, synced, begun, closing;
	uint32_t timeout_ms, backoff_ms, page;
};

/* Loads what requests need; 0, or negative errno with registry_failed() said. */
int kubernetes_access(struct kubernetes *k);
/* Something in the store has changed, or a list has ended. */
void kubernetes_changed(struct kubernetes *k);
void kubernetes_handle_closed(struct kubernetes *k);

/* ---- kube_where.c ---- */

/* Asks for the zone of our node, if it is to be asked for, and then has the streams begin. 0 or -ENOMEM. */
int kube_where_start(struct kubernetes *k);
void kube_where_stop(struct kubernetes *k);
void kubernetes_begin(struct kubernetes *k); /* the streams */

/* ---- kube_publish.c ---- */

/* Says what changed to the core; *everything the first time. */
void kube_publish(struct kubernetes *k);
int kube_lookup_start(struct lookup *l);
void kube_lookup_stop(struct lookup *l);
/* The namespace of those that named none is known now. */
void kube_lookups_attach(struct kubernetes *k);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a Kubernetes registry has heard: Services and EndpointSlices by namespace and name, each slice with its Service.
 * Says which Services have changed; knows no network.
 */
#ifndef REGISTRY_KUBE_STORE_H
#define REGISTRY_KUBE_STORE_H

#include "registry/kube_object.h"
#include "registry/kube_table.h"

/* Where an object came from and when: objects of stream @stream that an older list named are swept. */
struct kube_mark {
	uint32_t stream, generation;
};

struct kube_lookup;

/* All there is of one Service, and what was made of it. */
struct kube_entry {
	struct kube_node node;
	struct kube_service *service; /* NULL: slices only */
	struct kube_slice *slices;
	struct kube_mark mark;
	char **names; /* of services that were put */
	size_t nr_names;
	struct kube_lookup *lookups; /* that want to know; the owner's list */
	bool dirty;
	struct kube_entry *next_dirty;
};

struct kube_store {
	struct kube_table services, slices;
	struct kube_entry *first_dirty, **last_dirty;
	size_t nr_endpoints;
};

void kube_store_init(struct kube_store *s);
void kube_store_done(struct kube_store *s);

/* Takes the object, also when it fails. 0 or -ENOMEM. */
int kube_store_service(struct kube_store *s, struct kube_service *service, struct kube_mark mark);
int kube_store_slice(struct kube_store *s, struct kube_slice *slice, struct kube_mark mark);

/* Marks an object that is named again. *ret_digest: of what is there, 0: nothing is, or it is not known. */
void kube_store_touch(struct kube_store *s, bool slices, const struct kube_id *id, struct kube_mark mark,
		      uint64_t *ret_digest);
void kube_store_remove(struct kube_store *s, bool slices, const char *namespace, const char *name);
/* Removes all of the stream that do not bear this generation. */
void kube_store_sweep(struct kube_store *s, bool slices, struct kube_mark mark);
/* How many there are of a stream. */
size_t kube_store_count(const struct kube_store *s, bool slices, uint32_t stream);

struct kube_entry *kube_store_find(const struct kube_store *s, const char *namespace, const char *name);
/* Made when it is not there; NULL: no memory. */
struct kube_entry *kube_store_entry(struct kube_store *s, const char *namespace, const char *name);
void kube_store_dirty(struct kube_store *s, struct kube_entry *e);
/* The next one that changed, NULL: none is left. Give it back with kube_store_settle(). */
struct kube_entry *kube_store_next(struct kube_store *s);
void kube_store_settle(struct kube_store *s, struct kube_entry *e); /* frees it when nothing is in it */
void kube_store_each(struct kube_store *s, void (*fn)(void *ctx, struct kube_entry *e), void *ctx);

#endif

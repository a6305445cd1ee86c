/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef REGISTRY_KUBE_TABLE_H
#define REGISTRY_KUBE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is in a table begins with this. */
struct kube_node {
	struct kube_node *next;
	uint64_t hash;
	char *key; /* "namespace/name" */
};

struct kube_table {
	struct kube_node **at;
	size_t buckets, nr;
};

struct kube_node *kube_table_find(const struct kube_table *t, const char *namespace, const char *name); /* or NULL */
/* There is none of that name. 0 or -ENOMEM. */
int kube_table_add(struct kube_table *t, struct kube_node *n, const char *namespace, const char *name);
void kube_table_remove(struct kube_table *t, struct kube_node *n); /* frees its key, not itself */
/* @fn may remove the one it is called with. */
void kube_table_each(const struct kube_table *t, void (*fn)(void *ctx, struct kube_node *n), void *ctx);

#endif

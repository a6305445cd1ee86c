/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A hash table of things that begin with a struct kube_node. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/kube_table.h"

#define BUCKETS_MIN 256

static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

static uint64_t hash_of(const char *namespace, const char *name)
{
	uint64_t h = hash((hash(0xcbf29ce484222325u, namespace) ^ '/') * 0x100000001b3u, name);

	return h ^ h >> 32; /* the low bits choose */
}

static bool is(const struct kube_node *n, const char *namespace, const char *name)
{
	size_t len = strlen(namespace);

	return !strncmp(n->key, namespace, len) && n->key[len] == '/' && !strcmp(n->key + len + 1, name);
}

struct kube_node *kube_table_find(const struct kube_table *t, const char *namespace, const char *name)
{
	uint64_t h = hash_of(namespace, name);

	if (!t->buckets)
		return NULL;
	for (struct kube_node *n = t->at[h & (t->buckets - 1)]; n; n = n->next)
		if (n->hash == h && is(n, namespace, name))
			return n;
	return NULL;
}

static int grow(struct kube_table *t)
{
	size_t buckets = t->buckets ? t->buckets * 2 : BUCKETS_MIN;
	struct kube_node **at, *n, *next;

	if (t->nr < t->buckets)
		return 0;
	at = calloc(buckets, sizeof(struct kube_node *));
	if (!at)
		return t->buckets ? 0 : -ENOMEM; /* longer chains will do */
	for (size_t i = 0; i < t->buckets; i++)
		for (n = t->at[i]; n; n = next) {
			next = n->next;
			n->next = at[n->hash & (buckets - 1)];
			at[n->hash & (buckets - 1)] = n;
		}
	free(t->at);
	t->at = at;
	t->buckets = buckets;
	return 0;
}

int kube_table_add(struct kube_table *t, struct kube_node *n, const char *namespace, const char *name)
{
	size_t len = strlen(namespace) + strlen(name) + 2;

	n->key = malloc(len);
	if (!n->key || grow(t)) {
		free(n->key);
		n->key = NULL;
		return -ENOMEM;
	}
	snprintf(n->key, len, "%s/%s", namespace, name);
	n->hash = hash_of(namespace, name);
	n->next = t->at[n->hash & (t->buckets - 1)];
	t->at[n->hash & (t->buckets - 1)] = n;
	t->nr++;
	return 0;
}

void kube_table_remove(struct kube_table *t, struct kube_node *n)
{
	for (struct kube_node **at = &t->at[n->hash & (t->buckets - 1)]; *at; at = &(*at)->next)
		if (*at == n) {
			*at = n->next;
			t->nr--;
			break;
		}
	free(n->key);
}

void kube_table_each(const struct kube_table *t, void (*fn)(void *ctx, struct kube_node *n), void *ctx)
{
	struct kube_node *next;

	for (size_t i = 0; i < t->buckets; i++)
		for (struct kube_node *n = t->at[i]; n; n = next) {
			next = n->next;
			fn(ctx, n);
		}
}

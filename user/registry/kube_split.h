/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Cuts what a Kubernetes API server sends into objects as the bytes come, so that a list of a hundred thousand
 * endpoints is never in memory as a whole: the elements of "items" of a list, or the events of a watch. Pure; knows no
 * more of JSON than where strings and brackets end, the parser of each object knows the rest.
 */
#ifndef REGISTRY_KUBE_SPLIT_H
#define REGISTRY_KUBE_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#define KUBE_ITEM_MOST ((size_t)8 * 1024 * 1024) /* bytes of one object; etcd takes 1.5 MiB */
#define KUBE_REST_MOST ((size_t)64 * 1024)	 /* bytes of a list around its items */

struct kube_text {
	char *at; /* not terminated */
	size_t len, room;
};

struct kube_split {
	bool list; /* else a watch */
	/* Each object; negative errno ends kube_split_feed() with it. */
	int (*item)(void *ctx, const char *text, size_t len);
	void *ctx;

	/* inside */
	struct kube_text object, rest;
	unsigned depth;
	bool in_object, in_string, escaped, in_items, after_colon;
	char key[8];
	size_t key_len;
};

void kube_split_init(struct kube_split *s, bool list, int (*item)(void *ctx, const char *text, size_t len), void *ctx);
void kube_split_done(struct kube_split *s);

/* 0; -EBADMSG: this is not JSON of that form; -E2BIG; -ENOMEM; or what item returned. */
int kube_split_feed(struct kube_split *s, const char *data, size_t len);
/* The answer has ended. 0; -EBADMSG: in the middle of something. Of a list, rest is the list with empty "items". */
int kube_split_end(const struct kube_split *s);

#endif

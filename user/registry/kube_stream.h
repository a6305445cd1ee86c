/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * All objects of one kind, in one namespace or in all: listed in pages, then watched. A watch that ends is begun again
 * where it was; one that is too old (410 Gone), or made no sense, is followed by a new list. A watch in which not even
 * a bookmark was heard for long is given up, and the server asked for something small before the next one.
 */
#ifndef REGISTRY_KUBE_STREAM_H
#define REGISTRY_KUBE_STREAM_H

#include "discovery/backoff.h"
#include "discovery/http.h"
#include "registry/kube_access.h"
#include "registry/kube_split.h"

#define KUBE_VERSION_LEN 128 /* of a resourceVersion with its NUL; etcd's have 20 digits */

struct kubernetes;

enum kube_kind { KUBE_SERVICES, KUBE_SLICES, KUBE_PODS };
enum kube_step { KUBE_LIST, KUBE_WATCH, KUBE_PROBE };

struct kube_stream {
	struct kubernetes *k;
	enum kube_kind kind;
	const char *namespace; /* NULL: all */
	uint32_t id, generation;
	enum kube_step step;		/* what runs, or comes next */
	char version[KUBE_VERSION_LEN]; /* to watch from */
	bool any_version;		/* the next list: a copy of no certain age will do */
	bool newest;			/* the next list: as the server has it now, not only as new as version */
	char *more;			/* continue token */
	size_t listed;			/* objects of this list so far */
	size_t events;			/* of this watch */
	bool complete;			/* one list has been read to its end */
	bool failing;
	char said[256]; /* why, while it fails */
	int refused;	/* code of an ERROR event in the watch; 0: none */
	struct kube_split split;
	struct http_call *call;
	struct kube_access *access; /* of the call */
	uint64_t began_ms;
	uv_timer_t timer;
	struct backoff backoff;
};

void kube_stream_start(struct kube_stream *s);	 /* all before timer's handle is set */
void kube_stream_stop(struct kube_stream *s);	 /* kubernetes_handle_closed() follows */
const char *kube_kind_name(enum kube_kind kind); /* "services" */
/* A list is being read just now: what is in the store is neither the old nor the new state. */
bool kube_stream_busy(const struct kube_stream *s);

#endif

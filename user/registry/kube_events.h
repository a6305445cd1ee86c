/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What comes in lists and watches, one object at a time, into the store. */
#ifndef REGISTRY_KUBE_EVENTS_H
#define REGISTRY_KUBE_EVENTS_H

#include <stddef.h>

#include "registry/kube_stream.h"

/* Callbacks of struct kube_split; @ctx is the stream. 0, -EBADMSG (not JSON, or no event), -ENOMEM. */
int kube_on_listed(void *ctx, const char *text, size_t len);
int kube_on_event(void *ctx, const char *text, size_t len);

/* A list has been read to its end: what it did not name goes. */
void kube_swept(struct kube_stream *s);

/* The list around its items. *ret_more: continue token, escaped for a query, to be freed; NULL: this was the last page.
 * 0; -EBADMSG with a clause in @why; -ENOMEM. */
int kube_list_decode(const char *text, size_t len, char version[KUBE_VERSION_LEN], char **ret_more, char *why,
		     size_t why_len);
/* The message of a Status; "" when it is none. */
void kube_status_decode(const char *text, size_t len, char *ret, size_t ret_len);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The endpoints of a service that is in force as backend objects, the form in which Synapse hands them on: with the
 * name, the id and the labels that its sources say and the kernel need not know. */
#ifndef DISCOVERY_BACKENDS_H
#define DISCOVERY_BACKENDS_H

#include <jansson.h>

#include "discovery/discovery.h"

/* What the sources of one service say of its endpoints. Valid until the loop runs. */
struct backends;

/* @d NULL: there are no sources. NULL: no memory. */
struct backends *backends_new(const struct discovery *d, const struct service *s);
void backends_free(struct backends *b); /* NULL is fine */
static inline void backends_freep(struct backends **b)
{
	backends_free(*b);
}

/* NULL: no source names it. Of several sources the one that counts. Borrowed. */
const struct found_endpoint *backends_find(const struct backends *b, const struct weft_addr *addr, uint16_t port);

/* A string of JSON; bytes that are no UTF-8 become "?". NULL: JSON's null. A new reference. */
json_t *text_json(const char *text);

/* {"name", "host", "port", "id", "weight", "labels"}; @f may be NULL. NULL: no memory. */
json_t *backend_json(const struct endpoint *e, const struct found_endpoint *f);

/* All of @s but those that its sources say are not ready, by address. A new reference; NULL: no memory. */
json_t *backends_json(const struct discovery *d, const struct service *s);

/* Another number whenever a source of the service may have said something new. */
uint64_t backends_stamp(const struct discovery *d, const char *service);

/* Have all its sources answered since the start? */
bool backends_settled(const struct discovery *d, const char *service);

#endif

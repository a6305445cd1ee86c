/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The names that services have in the DNS: NAME.SUFFIX, and for services of Kubernetes, NAMESPACE/NAME or
 * NAMESPACE/NAME:PORT, also NAME.NAMESPACE.SUFFIX. A value made of a model; no I/O.
 */
#ifndef DNS_ZONE_H
#define DNS_ZONE_H

#include "dns/message.h"
#include "model/model.h"

struct zone;

/* What stands below a name of the zone. */
struct zone_node {
	struct dns_name name; /* whole, small letters */
	uint32_t first, nr;   /* of zone_addrs(); none: only other names below it exist (or none of this family) */
};

/* @suffix: "weft.internal". Services whose names are no names of the DNS are left out. -ENOMEM, -EINVAL (suffix). */
int zone_new(const char *suffix, const struct model *m, struct zone **ret);
void zone_free(struct zone *z); /* NULL is fine */

const struct dns_name *zone_suffix(const struct zone *z);
/* NULL: there is no such name, but the suffix itself always is. In any case of letters. */
const struct zone_node *zone_find(const struct zone *z, const struct dns_name *name);
const struct weft_addr *zone_addrs(const struct zone *z, const struct zone_node *n);
/* The node whose address an in-addr.arpa or ip6.arpa name stands for; NULL: none. */
const struct zone_node *zone_find_reverse(const struct zone *z, const struct dns_name *name);

size_t zone_count(const struct zone *z);    /* names with addresses */
size_t zone_left_out(const struct zone *z); /* services that have none */

#endif

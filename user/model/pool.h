/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses for services that have none of their own (`addresses:` of weft.yaml). Which one a service gets depends on
 * its name, so that it stays when others come and go and when the agent starts anew; only of two names that fall on one
 * address the later one, by name, has to go elsewhere. No I/O.
 */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include "model/model.h"

/* 10.99.0.0/16. */
struct prefix {
	struct weft_addr addr; /* bits beyond are 0 */
	uint8_t bits;	       /* of its family */
};

/* -EINVAL: it is none. -ERANGE: its address has bits beyond it; *ret is the prefix that it is in. */
int prefix_parse(const char *text, struct prefix *ret);
bool prefix_has(const struct prefix *p, const struct weft_addr *a);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
#define PREFIX_TEXT_LEN (ADDR_TEXT_LEN + 4)
char *prefix_format(const struct prefix *p, char *text, size_t len);

/* The service's frontends have ports, but no address yet. */
static inline bool service_lacks_address(const struct service *s)
{
	return s->nr_frontends && weft_addr_is_any(&s->frontends[0].addr);
}

struct pool;

int pool_new(struct pool **ret); /* without prefixes; 0 or -ENOMEM */
void pool_free(struct pool *p);	 /* NULL is fine */

/* Other prefixes from now on; addresses that are in one of them stay. 0 or -ENOMEM. */
int pool_set(struct pool *p, const struct prefix *prefixes, size_t nr);
bool pool_is_empty(const struct pool *p); /* it has no prefixes */

/*
 * @m, which is sealed, with addresses for those that lack one: of the family of their endpoints, or of the first
 * prefix. Networks' own addresses and broadcast are not given away, nor what other services have. Copies that come out
 * the same as last time are the same objects. Caller frees *ret. 0; -ENOMEM; -ENOSPC: none is left for *ret_service (of
 * @m), and -EAFNOSUPPORT: there is no prefix of its family; then nothing changes.
 */
int pool_fill(struct pool *p, const struct model *m, struct model **ret, const struct service **ret_service);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses of host names that registries name endpoints by (struct found_endpoint, host). Each name is looked up once
 * however many want it, first in /etc/hosts, then by the servers of /etc/resolv.conf, and again when its answer gets
 *old.
 *
 *	names_want(n, e->host, on_answer, ctx, &want);
 *	... on_answer(ctx, addrs, nr) at first, and then whenever they are others ...
 *	names_forget(want);
 */
#ifndef DISCOVERY_NAMES_H
#define DISCOVERY_NAMES_H

#include <stddef.h>
#include <uv.h>

#include "weft/addr.h"

struct names;
struct name_want;

int names_new(uv_loop_t *loop, struct names **ret); /* 0 or -ENOMEM */
struct cares_options;
/* With other servers than the system's. 0, -ENOMEM or -EINVAL. */
int names_new_with(uv_loop_t *loop, const struct cares_options *options, struct names **ret);
/* All wants are forgotten before. @closed runs when no handle is left. */
void names_free(struct names *n, void (*closed)(void *ctx), void *ctx);

/*
 * All addresses of the name at the moment, IPv4 and IPv6, sorted, no two alike; borrowed until it returns. @nr 0: there
 * is no such name, or it has none. From the loop, never from within names_want(). Not called when looking up fails:
 * what was said last stays. May want and forget, itself as well.
 */
typedef void names_fn(void *ctx, const struct weft_addr *addrs, size_t nr);

/* 0, -ENOMEM, -EINVAL: no possible name. When another want has the answer already, it comes at once (from the loop). */
int names_want(struct names *n, const char *host, names_fn *on_answer, void *ctx, struct name_want **ret);
void names_forget(struct name_want *w); /* NULL is fine */

/* Why the last look-up failed, one clause; NULL: it did not. Borrowed until the loop runs. */
const char *names_error(const struct name_want *w);

/* How long answers are kept: least and most, whatever their TTL. Default 1 s and 300 s. */
void names_set_ttl(struct names *n, uint32_t min_ms, uint32_t max_ms);

#endif

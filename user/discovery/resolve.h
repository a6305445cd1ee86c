/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One name looked up once: completed by the search domains, all wanted types at a time. */
#ifndef DISCOVERY_RESOLVE_H
#define DISCOVERY_RESOLVE_H

#include "discovery/cares.h"
#include "dns/answers.h"

#define RESOLVE_TYPES 2

enum outcome {
	OUTCOME_FAILED, /* nothing is known */
	OUTCOME_NONE,	/* there is nothing of that type */
	OUTCOME_SOME,
};

struct resolved_part {
	uint16_t type;
	enum outcome outcome;
	struct dns_answers answers; /* empty when it failed; may be moved out */
};

struct resolved {
	struct resolved_part part[RESOLVE_TYPES];
	unsigned nr;
	bool unreachable; /* no server was heard of */
	const char *text; /* when a part failed: one clause, why */
};

struct resolve;

typedef void resolve_fn(void *ctx, struct resolved *r);

/*
 * @types: the @nr record types that are wanted, up to RESOLVE_TYPES. Names that end with a dot are taken as they are;
 * of the others the first completion counts that has anything of any type. When there is none, what a server failed to
 * answer counts as failed, not as none. 0, -ENOMEM, -EINVAL (no possible name). @done runs once, from the loop, and may
 * do as it likes; the resolve is gone then.
 */
int resolve_start(struct cares *c, const char *name, const uint16_t *types, unsigned nr, resolve_fn *done, void *ctx,
		  struct resolve **ret);
void resolve_cancel(struct resolve *x); /* @done is not called any more; NULL is fine */

/* ---- addresses of a name, kept ---- */

/* What A and AAAA said last; the one that fails keeps what it had. */
struct name_addrs {
	struct weft_addr *at[2];
	size_t nr[2];
};

/* What is to be believed of an answer for A and AAAA: OUTCOME_SOME when one has some; OUTCOME_NONE when both have none;
 * else failed, and then @a stays. *ret_ttl: s, *ret_has_ttl: it is known. -ENOMEM: @a stays. */
int name_addrs_update(struct name_addrs *a, const struct resolved *r, enum outcome *ret, bool *ret_has_ttl,
		      uint32_t *ret_ttl);
void name_addrs_done(struct name_addrs *a);

#endif

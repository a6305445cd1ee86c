/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From SRV records (RFC 2782) to endpoints: their targets' addresses, ranks and weights. */
#ifndef REGISTRY_DNS_SRV_H
#define REGISTRY_DNS_SRV_H

#include "discovery/found.h"
#include "discovery/resolve.h"

/* A host that records name. */
struct srv_target {
	struct dns_name name;
	struct name_addrs known;
	enum outcome outcome; /* of this round; failed: known is as it was */
	struct srv_round *round;
	struct resolve *resolve;
};

struct srv_targets {
	struct srv_target *at;
	size_t nr;
};
void srv_targets_done(struct srv_targets *t);

/* What a round has come to. */
struct srv_outcome {
	struct found found; /* may be moved out */
	unsigned missing;   /* targets that could not be looked up and never were */
	unsigned failed;    /* targets that could not be looked up, those among them */
	unsigned odd;	    /* records without a usable port, and the like */
	uint32_t ttl;	    /* s; the least of all */
	const char *text;   /* why one failed; "" */
};

struct srv_round;

typedef void srv_fn(void *ctx, struct srv_outcome *o);

/*
 * Looks up the targets of @srv (taken, left empty) that the server did not tell the addresses of. What targets had is
 * kept in @known from round to round. @done runs once, perhaps from within; the round is gone then. 0 or -ENOMEM.
 */
int srv_round_start(struct cares *c, struct dns_answers *srv, struct srv_targets *known, srv_fn *done, void *ctx,
		    struct srv_round **ret);
void srv_round_cancel(struct srv_round *x); /* NULL is fine */

/* Pure. @targets holds all that @srvs name, but the root. 0 or -ENOMEM. */
int srv_found(const struct dns_srv *srvs, size_t nr, const struct srv_targets *targets, struct found *ret,
	      unsigned *ret_odd);

#endif

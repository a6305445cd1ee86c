/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What Consul answers to /v1/health/service/NAME, as endpoints. Pure. */
#ifndef REGISTRY_CONSUL_DECODE_H
#define REGISTRY_CONSUL_DECODE_H

#include "discovery/found.h"

/* Which instances count, by the worst of their checks. */
enum consul_health {
	CONSUL_PASSING, /* the others are left out */
	CONSUL_WARNING, /* those with a warning too, with the weight that they have for it */
	CONSUL_ANY,	/* all; those that are critical or in maintenance take no new connections */
};

struct consul_reading {
	enum consul_health health;
	uint32_t port;	      /* of services that have none; 0: those are odd */
	const char *zone_key; /* in the meta of services and nodes */
};

/*
 * *ret_odd: entries, labels and the like that were passed over. 0; -EBADMSG: none of it can be believed, with a clause
 * in @why (@ret is empty); -ENOMEM.
 */
int consul_decode(const char *text, size_t len, const struct consul_reading *how, struct found *ret, unsigned *ret_odd,
		  char *why, size_t why_len);

/* ---- X-Consul-Index ---- */

/* 0: none, or no number. */
uint64_t consul_index_parse(const char *text);
/* What to ask with after @asked was answered with @got: never 0, but when it went backwards, for then what is there
 * has to be asked for anew. */
uint64_t consul_index_next(uint64_t asked, uint64_t got);

/* The first line of what a server said to a refusal, cut, and without what is not text. */
void consul_reason(const char *body, char *ret, size_t len);

#endif

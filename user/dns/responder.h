/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A small DNS server for the names of services: NAME.SUFFIX by UDP and TCP, on the agent's loop. It knows its zone and
 * refuses everything else; resolvers send it the questions for SUFFIX (docs/DNS.md).
 */
#ifndef DNS_RESPONDER_H
#define DNS_RESPONDER_H

#include <uv.h>

#include "dns/reply.h"
#include "model/model.h"

struct responder;

struct responder_options {
	uv_loop_t *loop;
	struct weft_addr addr; /* one address, not 0.0.0.0: answers come from where questions go */
	uint16_t port;
	const char *suffix; /* copied */
	uint32_t ttl_ms;
};

/* 0, -ENOMEM, -EINVAL (suffix). Nothing is opened. */
int responder_new(const struct responder_options *o, struct responder **ret);
/* Opens both sockets, with the rights of the moment. 0, also when they are open; or negative errno: call again later.
 */
int responder_listen(struct responder *r);
/* The services that are answered for from now on; nothing is kept of @m. Until then questions are answered SERVFAIL.
 * Cheap when neither names nor addresses changed. 0, or -ENOMEM and what was stays. */
int responder_set(struct responder *r, const struct model *m);
/* @closed runs when no handle is left. NULL is not fine. */
void responder_free(struct responder *r, void (*closed)(void *ctx), void *ctx);

struct responder_seen {
	uint64_t udp, tcp;	       /* questions */
	uint64_t replies[REPLY_KINDS]; /* of REPLY_NONE: dropped */
	uint64_t lost;		       /* replies that could not be sent */
	size_t names;		       /* that have addresses */
	size_t left_out;	       /* services whose names are no names of the DNS */
};
const struct responder_seen *responder_seen(const struct responder *r);

#endif

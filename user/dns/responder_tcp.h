/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The responder's connections: each message after two bytes with its length. Inside dns/ only. */
#ifndef DNS_RESPONDER_TCP_H
#define DNS_RESPONDER_TCP_H

#include <uv.h>

#include "dns/message.h"

struct tcp_side {
	uv_tcp_t listener;
	struct tcp_client *clients; /* the youngest first */
	unsigned nr;
	/* Length of the reply in @out (DNS_MESSAGE_MAX bytes); 0: none. */
	size_t (*reply)(void *ctx, const uint8_t *query, size_t len, uint8_t *out);
	void (*closed)(void *ctx); /* a handle of this side has closed; see handles */
	void *ctx;
	unsigned *handles; /* open ones, counted for the owner */
	uint8_t out[2 + DNS_MESSAGE_MAX];
};

/* @t's reply, closed, ctx and handles are set. 0 or negative errno; nothing is open then, but a handle may have to
 * close. */
int tcp_side_listen(struct tcp_side *t, uv_loop_t *loop, const struct sockaddr *addr);
void tcp_side_close(struct tcp_side *t); /* after it listened */

#endif

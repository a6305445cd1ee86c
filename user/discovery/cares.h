/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Questions to DNS servers: c-ares on the agent's loop. It does the sending: several servers, timeouts and second
 * tries, EDNS0, and TCP for what does not fit into a datagram. What the answer says is read by dns/answers.h.
 */
#ifndef DISCOVERY_CARES_H
#define DISCOVERY_CARES_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "weft/addr.h"

struct cares;
struct cares_query;

struct cares_options {
	char *const *servers; /* "10.0.0.1", "10.0.0.1:53", "[fd00::1]:53"; NULL or none: those of /etc/resolv.conf,
				 which is read again when it changes */
	char *const *search;  /* NULL or none: likewise, or no domains when there are servers */
	int ndots;	      /* -1: likewise, or 1 */
	uint32_t timeout_ms;  /* for the first try of each server, twice as long for the second; 0: 2000 */
};

/* 0; -ENOMEM; -EINVAL: @text says what is wrong with the options, cut at @len. */
int cares_new(uv_loop_t *loop, const struct cares_options *options, struct cares **ret, char *text, size_t len);
/* Questions that are under way are forgotten. @closed runs when no handle is left. */
void cares_free(struct cares *c, void (*closed)(void *ctx), void *ctx);

/* @error 0: here is a response, whatever it says, and @text is "". Else a negative errno and one clause. Runs once,
 * from the loop, and may ask, forget and free. */
typedef void cares_answer_fn(void *ctx, int error, const char *text, const uint8_t *bytes, size_t len);

/* @name as it is, without a search; @type as in dns/message.h. 0 or -ENOMEM. */
int cares_ask(struct cares *c, const char *name, uint16_t type, cares_answer_fn *on_answer, void *ctx,
	      struct cares_query **ret);
void cares_forget(struct cares_query *q); /* on_answer is not called any more; NULL is fine */

/* How names with fewer than that many dots are completed. Borrowed until the next call. */
unsigned cares_ndots(struct cares *c);
char *const *cares_search(struct cares *c); /* NULL terminated, never NULL */

/*
 * Addresses of @name in /etc/hosts, at most @max of them; how many. A name that is there is not looked up elsewhere.
 */
size_t cares_hosts(struct cares *c, const char *name, struct weft_addr *ret, size_t max);

#endif

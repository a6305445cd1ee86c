/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Cuts the answer of a Eureka server into its applications as the bytes come, so that a hundred megabytes of it are
 * never in memory as a whole. Pure; knows no more of JSON than where strings and brackets end.
 */
#ifndef REGISTRY_EUREKA_SPLIT_H
#define REGISTRY_EUREKA_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#define EUREKA_APPLICATION_MOST ((size_t)64 * 1024 * 1024) /* bytes of one application */
#define EUREKA_REST_MOST	((size_t)64 * 1024)	   /* bytes of an answer around them */

struct eureka_piece {
	char *at; /* not terminated */
	size_t len, room;
};

struct eureka_split {
	/* Each element of "application", or the one that stands there without a list; it need not be JSON. Negative
	 * errno ends eureka_split_feed() with it. */
	int (*item)(void *ctx, const char *text, size_t len);
	void *ctx;
	struct eureka_piece rest; /* the answer with an empty list in their place */

	/* inside */
	struct eureka_piece element;
	unsigned depth;
	enum { SPLIT_AROUND, SPLIT_BETWEEN, SPLIT_ELEMENT, SPLIT_ALONE } where;
	bool in_string, escaped, after_colon;
	char key[16];
	size_t key_len;
};

void eureka_split_done(struct eureka_split *s);

/* 0; -EINVAL: this is no JSON; -E2BIG; -ENOMEM; or what item returned. */
int eureka_split_feed(struct eureka_split *s, const char *data, size_t len);
/* The answer has ended. 0; -EINVAL: in the middle of something, or before it began. */
int eureka_split_end(const struct eureka_split *s);

#endif

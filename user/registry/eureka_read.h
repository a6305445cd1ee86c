/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads what a Eureka server answers, as it comes. Pure. */
#ifndef REGISTRY_EUREKA_READ_H
#define REGISTRY_EUREKA_READ_H

#include "registry/eureka_split.h"
#include "registry/eureka_table.h"

#define EUREKA_ANSWER_MOST ((size_t)512 * 1024 * 1024) /* bytes; a hundred thousand instances are 100 MB */

struct eureka_news {
	char hash[256];	  /* apps__hashcode; "": none */
	size_t instances; /* that were named */
	size_t odd;	  /* of them, that cannot be used; an application that is no JSON counts as one */
};

/* Does not move while it is used. */
struct eureka_reader {
	struct eureka_split split;
	struct eureka_table got; /* in the order of the answer */
	struct eureka_news news;
	size_t len;
	int error; /* of feed */
};
void eureka_reader_begin(struct eureka_reader *r); /* a new answer; what was read of a former one is forgotten */
void eureka_reader_done(struct eureka_reader *r);
/* 0; -EINVAL: no list of applications; -E2BIG; -ENOMEM. */
int eureka_reader_feed(struct eureka_reader *r, const char *data, size_t len);
/* The answer has ended. It was the one to /apps, and is @t now; or the one to /apps/delta, and changes it. 0; likewise:
 * @t is as it was. */
int eureka_reader_all(struct eureka_reader *r, struct eureka_table *t);
int eureka_reader_delta(struct eureka_reader *r, struct eureka_table *t);

#endif

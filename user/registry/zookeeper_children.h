/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The children of one path as far as they are known: their names, and the contents that were read. Pure. */
#ifndef REGISTRY_ZOOKEEPER_CHILDREN_H
#define REGISTRY_ZOOKEEPER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/zookeeper_decode.h"

enum zk_child_state {
	ZK_CHILD_WANTED,  /* its content is to be read */
	ZK_CHILD_READING, /* it was asked for */
	ZK_CHILD_KNOWN,
};

struct zk_child {
	char *name;
	enum zk_child_state state;
	bool stale; /* it has changed while it was read */
	char *text; /* what was read last; NULL: nothing yet */
	size_t len;
};

struct zk_children {
	struct zk_child *at; /* sorted by name */
	size_t nr;
	size_t wanted; /* that are in that state */
	size_t cursor; /* where to look for the next one of them */
};

void zk_children_done(struct zk_children *c); /* leaves it empty */
/* From now on there are these @nr, in any order; what is known of them stays. 0 or -ENOMEM, and then nothing changed.
 */
int zk_children_set(struct zk_children *c, char *const *names, size_t nr);
struct zk_child *zk_children_find(const struct zk_children *c, const char *name); /* NULL: there is none */
struct zk_child *zk_children_next_wanted(struct zk_children *c);		  /* NULL: there is none */
void zk_child_state(struct zk_children *c, struct zk_child *child, enum zk_child_state state);
/* Its content has changed, or is not known any more: read it. */
void zk_child_want(struct zk_children *c, struct zk_child *child);
int zk_child_read(struct zk_children *c, struct zk_child *child, const char *text, size_t len); /* 0 or -ENOMEM */
/* Everything that was asked for is to be asked for again: the connection is gone. */
void zk_children_lost(struct zk_children *c);

/* What the known ones say. *ret_odd: how many say nothing that can be used. 0 or -ENOMEM. */
int zk_children_found(const struct zk_children *c, const struct zk_how *how, struct found *f, size_t *ret_odd);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One service file as it was last read, and the list of all of them. */
#ifndef DISCOVERY_FRAGMENT_H
#define DISCOVERY_FRAGMENT_H

#include "config/config.h"
#include "discovery/stamp.h"

#define READ_TRIES 5 /* of a file that is written to meanwhile */

struct fragment {
	char *path;
	struct stamp stamp;
	struct model *services; /* in the order written, not sealed */
	unsigned refs;		/* of lists */
};

void fragment_unref(struct fragment *f); /* NULL is fine */
static inline void fragment_unrefp(struct fragment **f)
{
	fragment_unref(*f);
}

/*
 * Reads @path. Services that are just as in @sealed (NULL: none) keep the object they have there. A file that is
 * written to while it is read is read again.
 */
int fragment_read(const char *path, const struct model *sealed, struct fragment **ret, struct config_error *ret_error);

/* The same exchange for the services that weft.yaml holds itself. */
void keep_unchanged(struct model *fresh, const struct model *sealed);

/* A list sorted by path; holds a reference on each. */
struct fragments {
	struct fragment **at;
	size_t nr, capacity;
};

void fragments_done(struct fragments *l);
int fragments_append(struct fragments *l, struct fragment *f); /* takes a reference; 0 or -ENOMEM */
int fragments_copy(const struct fragments *from, struct fragments *ret);
size_t fragments_lower(const struct fragments *l, const char *path);	      /* index of the first that is not below */
struct fragment *fragments_find(const struct fragments *l, const char *path); /* NULL: not there; borrowed */
/* @f, or nothing when NULL, in the place of what is there for @path. */
int fragments_put(struct fragments *l, const char *path, struct fragment *f);

#endif

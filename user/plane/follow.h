/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Keeps the failover programs on the links that the operator wants them on, while links come, go, are renamed and move
 * between namespaces. What is wanted is a matter of names alone, so a link that is down has its programs, too.
 */
#ifndef PLANE_FOLLOW_H
#define PLANE_FOLLOW_H

#include "plane/plane.h"

/* Patterns of fnmatch(), NULL-terminated lists. A link is wanted when one of @include and none of @exclude matches. */
bool plane_links_match(const char *name, const char *const *include, const char *const *exclude);

/* Hears of each link that could not be had, once, until it can be. @e->text is a sentence. */
typedef void (*plane_follow_fn)(void *ctx, const char *link, const struct plane_error *e);

struct plane_follow;

/* Links of the caller's network namespace. @p stays the caller's, and outlives it. */
int plane_follow_new(struct plane *p, plane_follow_fn failed, void *ctx, struct plane_follow **ret,
		     struct plane_error *err);

/*
 * These find out what has to be done; plane_follow_step() does it, piece by piece. 0 or negative errno.
 * want: copies the patterns, and syncs when they are not those of before.
 * sync: looks at all links: which lack programs, have those of an older binary, or have some that nobody wants.
 * read: what happened since; to be called when the descriptor is readable; does not wait.
 */
int plane_follow_want(struct plane_follow *f, const char *const *include, const char *const *exclude);
int plane_follow_sync(struct plane_follow *f);
int plane_follow_read(struct plane_follow *f);
int plane_follow_fd(const struct plane_follow *f);

/* Attaches and detaches for some milliseconds. Returns how many links still wait. Those that refuse are @failed's
 * matter. */
size_t plane_follow_step(struct plane_follow *f);
/* How many links have the programs. */
size_t plane_follow_count(const struct plane_follow *f);

/* All in one for who does not stay: attaches and detaches as links are now. How many links have the programs, or
 * negative errno and *err. */
int plane_follow_once(struct plane *p, const char *const *include, const char *const *exclude, plane_follow_fn failed,
		      void *ctx, struct plane_error *err);
/* Stops following; programs stay attached. NULL is fine. */
void plane_follow_free(struct plane_follow *f);

#endif

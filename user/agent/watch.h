/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Says when files in a set of folders may have changed. A file counts when its writer closes it or renames it into
 * place, never in the middle: half of a list of services is a list of services, too.
 */
#ifndef AGENT_WATCH_H
#define AGENT_WATCH_H

#include <uv.h>

struct watch;

/*
 * @changed: full paths, NULL terminated; NULL: too many, or not known. Called from the loop at once, and then again
 * after three times what the last call took, WATCH_PAUSE_MS at most; what changes meanwhile is told in one call.
 */
typedef void watch_fn(void *ctx, const char *const *changed);
#define WATCH_PAUSE_MS 50

int watch_new(uv_loop_t *loop, watch_fn *fn, void *ctx, struct watch **ret); /* 0 or negative errno */
/*
 * Watches these folders from now on; for one that is not there, the nearest folder above it. 0; 1 when one is watched
 * that was not before (what happened there until now was not seen); or negative errno, and the rest is watched.
 */
int watch_folders(struct watch *w, char *const *folders);
/* Freed in the loop's next turn. NULL is fine. */
void watch_free(struct watch *w);

#endif

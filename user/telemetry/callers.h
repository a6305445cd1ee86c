/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Names of callers. A caller is a cgroup id, and an id is the inode number of the cgroup's folder: one walk of the
 * hierarchy knows all that live. Those that do not are all called "gone", so that short jobs do not add a series each.
 */
#ifndef TELEMETRY_CALLERS_H
#define TELEMETRY_CALLERS_H

#include <stdbool.h>
#include <stdint.h>

struct callers;

enum {
	CALLER_NONE,
	CALLER_GONE,
	CALLER_UNKNOWN,
	CALLER_OTHER,
	CALLER_FIRST
}; /* indexes without a path, and the first with one */

struct callers *callers_new(void);    /* NULL: no memory */
void callers_free(struct callers *c); /* NULL is fine */
static inline void callers_freep(struct callers **c)
{
	callers_free(*c);
}

/* Adds one; callers_sort() must follow before the first callers_find(). 0 or -ENOMEM. */
int callers_add(struct callers *c, uint64_t id, const char *path);
void callers_sort(struct callers *c);
/* Adds every cgroup below @root, and sorts. 0 or negative errno; what was found until then stays. */
int callers_walk(struct callers *c, const char *root);

/*
 * Gives cgroups of pods the names that @file has for them (docs/KUBERNETES.md):
 * "/kubepods.slice/...-pod1234_5678.slice/x.scope" becomes "pod/SPACE/NAME". After the walk. Lines that make no sense
 * are left out. 0; -ENOENT: there is no such file; negative errno.
 */
int callers_name(struct callers *c, const char *file);
/* callers_name() with what the agent of the instance whose pins are in @dir has found. */
int callers_name_pods(struct callers *c, const char *dir);

/*
 * Whether a cgroup is no more can be said only of an id that was met before the walk began: what comes up later may be
 * younger than the walk. So: note the ids that are of interest, then walk, then ask. 0 or -ENOMEM.
 */
int callers_note(struct callers *c, uint64_t id);
bool callers_is_gone(const struct callers *c, uint64_t id);

/* Index of @id: CALLER_UNKNOWN for 0, CALLER_GONE when no such cgroup lives. */
uint32_t callers_find(const struct callers *c, uint64_t id);
/* "/system.slice/web.service", "gone", "unknown", "other". Borrowed. */
const char *callers_text(const struct callers *c, uint32_t index);

#endif

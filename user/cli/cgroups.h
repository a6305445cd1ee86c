/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Names of cgroup ids. An id is the inode number of its folder, so one walk of the hierarchy knows them all. */
#ifndef CLI_CGROUPS_H
#define CLI_CGROUPS_H

#include <stdint.h>

struct cgroup_paths;

/* Walks the cgroup2 hierarchy below @root. 0 or negative errno. */
int cgroup_paths_read(const char *root, struct cgroup_paths **ret);
void cgroup_paths_free(struct cgroup_paths *p); /* NULL is fine */
static inline void cgroup_paths_freep(struct cgroup_paths **p)
{
	cgroup_paths_free(*p);
}
/* Path from the root of the hierarchy, "/" for the root itself. NULL: gone, or not there. Borrowed. */
const char *cgroup_paths_find(const struct cgroup_paths *p, uint64_t id);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef PLANE_CGROUP_H
#define PLANE_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* The id of an open cgroup2 folder: its inode number. 0 or negative errno. */
int cgroup_id(int fd, uint64_t *ret);
/* The path of the cgroup @id below the cgroup2 mount. 0 or negative errno. */
int cgroup_path(uint64_t id, char *path, size_t len);

#endif

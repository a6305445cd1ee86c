/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Network namespaces by inode number, as sockets tell theirs. */
#ifndef PLANE_NETNS_H
#define PLANE_NETNS_H

#include <stdbool.h>
#include <stdint.h>

bool netns_is_own(uint32_t inode); /* of the calling thread */

/*
 * A descriptor of the namespace @inode (of /proc/PID/ns/net), found as the caller's own, by names under /run/netns, by
 * the processes in it, or by any other mount. -ENOENT: nobody that can be seen is in it; negative errno. Needs
 * CAP_SYS_PTRACE for processes that have more capabilities than the caller.
 */
int netns_open(uint32_t inode);

/* Moves the calling thread there; netns_leave() of plane/netns_cookie.h returns. 0 or negative errno. CAP_SYS_ADMIN. */
int netns_enter_fd(int fd, int *ret_back);

#endif

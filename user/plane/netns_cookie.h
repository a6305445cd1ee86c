/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Network namespaces by the cookie that the kernel gives each: never used twice, and what programs see. Inside plane/.
 */
#ifndef PLANE_NETNS_COOKIE_H
#define PLANE_NETNS_COOKIE_H

#include <stdint.h>

/* Of the calling thread's. 0 or negative errno (before 5.14: -ENOPROTOOPT). */
int netns_cookie(uint64_t *ret);
/*
 * Moves the calling thread to the namespace of @cookie, found through the processes in it and the names under
 * /run/netns; netns_leave(*ret_back) returns. 0; -ENOENT: no such namespace can be seen; negative errno. Needs
 * CAP_SYS_ADMIN.
 */
int netns_enter(uint64_t cookie, int *ret_back);
void netns_leave(int back);

#endif

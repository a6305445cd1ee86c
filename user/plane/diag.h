/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Closing sockets through sock_diag, for kernels whose programs cannot. Inside plane/. */
#ifndef PLANE_DIAG_H
#define PLANE_DIAG_H

#include "weft/abi.h"

/* A netlink socket for the caller's network namespace, or negative errno. */
int diag_open(void);
/*
 * Aborts the socket of @r, TCP or connected UDP, as if it had failed with ECONNABORTED. 0; -ENOENT: it has ended;
 * -EOPNOTSUPP: the kernel was built without CONFIG_INET_DIAG_DESTROY; negative errno. Needs CAP_NET_ADMIN.
 */
int diag_destroy(int fd, const struct weft_flow_record *r);

#endif

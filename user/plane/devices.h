/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The network links of this namespace, and what happens to them, as rtnetlink tells. Inside plane/. */
#ifndef PLANE_DEVICES_H
#define PLANE_DEVICES_H

#include <net/if.h>
#include <stdbool.h>

struct device {
	int ifindex;
	unsigned arphrd; /* ARPHRD_* */
	char name[IF_NAMESIZE];
	bool gone; /* removed, or moved to another namespace */
};

struct devices;
typedef void (*device_fn)(void *ctx, const struct device *d);

/* Both sockets belong to the namespace in which this is called. 0 or negative errno. */
int devices_open(struct devices **ret);
void devices_close(struct devices *d);	 /* NULL is fine */
int devices_fd(const struct devices *d); /* readable: devices_read() has something */

/* Each link that there is. 0; -EBUSY: they change so fast that one may be missing, or told though it is gone; or
 * negative errno, some links told by then. */
int devices_list(struct devices *d, device_fn fn, void *ctx);
/* What happened since, without waiting: new links, changes, links that are gone. 0; -ENOBUFS: the kernel had to drop
 * some, devices_list() tells how things are; or negative errno. */
int devices_read(struct devices *d, device_fn fn, void *ctx);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An endpoint as Nerve writes it into ZooKeeper and etcd: {"host", "port", "name", "weight", "haproxy_server_options",
 * "labels"}, and "zone" besides. Pure.
 */
#ifndef REGISTRY_INSTANCE_JSON_H
#define REGISTRY_INSTANCE_JSON_H

#include "discovery/found.h"

/*
 * Adds what @text (@len bytes) says to @f: such an object, or plain "host:port". @fallback: text to try as "host:port"
 * when @text is empty; NULL: none. 0; -EINVAL: neither; -ENOMEM.
 */
int instance_read(const char *text, size_t len, const char *id, const char *fallback, struct found *f);

/* "10.0.0.1:80", "[fd00::1]:80", "name:80". */
int instance_read_plain(const char *text, const char *id, struct found *f);

struct instance {
	const char *host, *name;
	uint16_t port;
	const uint16_t *weight;		    /* NULL: not told */
	const char *haproxy_server_options; /* NULL: not told */
	const struct label *labels;
	size_t nr_labels;
};
/* Compact JSON in Nerve's order; free() it. NULL: no memory. */
char *instance_write(const struct instance *i);

#endif

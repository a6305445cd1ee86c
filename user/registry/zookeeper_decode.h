/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What children of a path in ZooKeeper say, as Nerve and Finagle's serversets write them. Pure. */
#ifndef REGISTRY_ZOOKEEPER_DECODE_H
#define REGISTRY_ZOOKEEPER_DECODE_H

#include "discovery/found.h"
#include "registry/instance_json.h"

#define ZK_NAME_MOST 65536 /* characters of a name that holds an instance; Nerve's limit */

enum zk_decode {
	ZK_NERVE,     /* {"host", "port", ...} */
	ZK_SERVERSET, /* {"serviceEndpoint": {"host", "port"}, "additionalEndpoints", "status", "shard"} */
};

struct zk_how {
	enum zk_decode decode;
	const char *endpoint_name; /* of a serverset's additionalEndpoints; NULL: serviceEndpoint */
};

/*
 * The number that ZooKeeper has put behind the name of a sequential node ("i-1_0000000003": 3; below zero once it has
 * run over). False: it has none.
 */
bool zk_sequence(const char *name, int64_t *ret);

/*
 * The instance that is written into a node's name, "base64_LENGTH_TEXT_" with a sequence number behind it (Nerve's
 * use_path_encoding). free() it. NULL: the name says nothing, read the node.
 */
char *zk_name_holds(const char *name, size_t *ret_len);
/* The other direction, without the number. Nerve does not do so when it gets longer than ZK_NAME_MOST: -E2BIG. 0 or
 * -ENOMEM. */
int zk_name_for(const char *json, char **ret);

/*
 * Adds what the child @name with the content @text says to @f. Its sequence number becomes its id. 0; -EINVAL: nothing
 * that can be used; -ENOMEM.
 */
int zk_read_child(const struct zk_how *how, const char *name, const char *text, size_t len, struct found *f);

/* Of all in @f, only the one with the smallest id stays, and none if there are no ids: the leader. */
void zk_keep_leader(struct found *f);

/* Is the child @name with the content @text the same instance as @own (host, port, name)? Of a former life of ours. */
bool zk_is_own(const char *name, const char *text, size_t len, const struct instance *own);

/* What the parent's content says to readers: {"weft": {...}} among what is for other programs. */
struct zk_settings {
	uint16_t port; /* instead of those found; 0: not said */
	bool has_leader, leader;
	bool has_weights, weights; /* false: all alike */
};
/* 0; -EINVAL: no JSON object, or something in it is not as it must be. An empty text says nothing. */
int zk_read_settings(const char *text, size_t len, struct zk_settings *ret);

#endif

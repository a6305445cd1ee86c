/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What etcd's HTTP gateway says, and what it is asked, as JSON. Pure. */
#ifndef REGISTRY_ETCD_DECODE_H
#define REGISTRY_ETCD_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/found.h"

/* The keys below a prefix, sorted, each with its value. */
struct etcd_key {
	char *key, *value; /* NUL terminated besides their length */
	size_t key_len, value_len;
};
struct etcd_keys {
	struct etcd_key *at;
	size_t nr, capacity;
};
void etcd_keys_done(struct etcd_keys *k);
/* The endpoints in @k; *ret_odd of them are none. 0 or -ENOMEM. */
int etcd_found(const struct etcd_keys *k, struct found *f, size_t *ret_odd);

struct etcd_range {
	int64_t revision;
	bool more;
};
/* Adds a page of /v3/kv/range to @k. 0; -EPROTO: that is none; -ENOMEM. */
int etcd_read_range(const char *body, size_t len, struct etcd_keys *k, struct etcd_range *ret);

struct etcd_news {
	bool created, canceled, error;
	int64_t revision, compact_revision;
	size_t events;
	char text[128]; /* of an error */
};
/* Applies a line of /v3/watch to @k. Likewise. */
int etcd_read_watch(const char *line, size_t len, struct etcd_keys *k, struct etcd_news *ret);

/* Bodies; free() them. NULL: no memory. */
/* @after: the last key that is known, NULL: from the start. @revision 0: the newest. */
char *etcd_range_body(const char *prefix, const struct etcd_key *after, int64_t revision, unsigned limit);
char *etcd_watch_body(const char *prefix, int64_t revision);
char *etcd_put_body(const char *key, const char *value, int64_t lease);
char *etcd_delete_body(const char *key);
char *etcd_auth_body(const char *user, const char *password);

/* A member of an object: numbers as numbers or in quotes. @def: it is not there. */
int64_t etcd_number(const char *body, size_t len, const char *key, int64_t def);
/* Likewise below "result", as streams have it. */
int64_t etcd_result_number(const char *body, size_t len, const char *key, int64_t def);
/* Copies the text of @key, or "". False: not there. */
bool etcd_text(const char *body, size_t len, const char *key, char *ret, size_t room);

#endif

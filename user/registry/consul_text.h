/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What Consul is asked and told, as text. Pure. Texts that are returned are the caller's; NULL: no memory. */
#ifndef REGISTRY_CONSUL_TEXT_H
#define REGISTRY_CONSUL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/found.h"

/* NULL: not said. */
struct consul_scope {
	const char *datacenter, *namespace, *partition, *near;
	const char *consistency; /* "stale", "consistent"; others: the default */
};

struct consul_query {
	const char *service, *expression;
	char *const *tags; /* NULL terminated */
	bool passing;	   /* only instances whose checks all pass */
	struct consul_scope scope;
	uint64_t index; /* 0: answer at once */
	uint32_t wait_ms;
};
char *consul_query_path(const struct consul_query *q);

/* ---- registering ---- */

struct consul_entry {
	const char *name, *id, *address, *zone; /* zone: NULL: none */
	uint16_t port, weight;
	char *const *tags;
	const struct label *labels;
	size_t nr_labels;
	uint32_t ttl_ms, gone_ms; /* gone: critical for so long, and Consul takes it out; 0: never */
	bool up;
};
char *consul_entry_body(const struct consul_entry *e);
char *consul_status_body(const struct consul_entry *e);
/* @path with the escaped @id behind it, and the scope as a query. */
char *consul_agent_path(const char *path, const char *id, const struct consul_scope *scope);

#endif

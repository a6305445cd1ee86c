/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The key `servers` of registries that are spoken to by HTTP. */
#ifndef REGISTRY_SERVERS_H
#define REGISTRY_SERVERS_H

#include "discovery/registry.h"

struct http_servers {
	char **at; /* URLs without a slash at the end */
	size_t nr;
};

/*
 * Reads what is written with @parse (http_server_parse() or one of its shape). None is no error. 0; -EINVAL with
 * registry_failed() said, @example being how one is written; -ENOMEM. Then *ret is empty.
 */
int http_servers_read(struct registry *r, int (*parse)(const char *text, char **ret), const char *example,
		      struct http_servers *ret);
void http_servers_done(struct http_servers *s); /* leaves it empty */

#endif

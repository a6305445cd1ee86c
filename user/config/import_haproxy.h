/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Lines of HAProxy's configuration that say something that weft knows, too. Inside config/ only. */
#ifndef CONFIG_IMPORT_HAPROXY_H
#define CONFIG_IMPORT_HAPROXY_H

#include "config/import_inside.h"

struct haproxy_check {
	bool on;   /* server option "check" */
	bool http; /* option httpchk */
	bool tls;  /* "check-ssl", or "ssl" */
	char path[256], host[254], expect[256], status[16];
	double inter_ms, timeout_ms; /* 0: not said */
	unsigned rise, fall, port;
};

/* Times and numbers: 0 when nothing was said. */
struct haproxy {
	const char *balance; /* weft's word */
	bool consistent;     /* hash-type */
	double connect_ms, slow_start_ms;
	unsigned connections, endpoint_connections, error_limit;
	bool observe;
	struct haproxy_check check;
};

/* Adds what @n says: a word, a word of several lines, or a list of them. */
int haproxy_lines(struct import *x, const struct node *n, const char *key, bool defaults, struct haproxy *h);
/* Options of a server line. */
int haproxy_server(struct import *x, const struct node *n, const char *key, struct haproxy *h);
/* As keys of a service of weft.yaml. */
void haproxy_put(const struct haproxy *h, FILE *out);

#endif

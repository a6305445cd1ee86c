/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the parts of the import share. Inside config/ only. */
#ifndef CONFIG_IMPORT_INSIDE_H
#define CONFIG_IMPORT_INSIDE_H

#include <stdio.h>

#include "config/error.h"
#include "config/import_tree.h"

#define IMPORT_SOURCES_MAX   8 /* of a service, as the reader of weft.yaml has it */
#define IMPORT_ENDPOINTS_MAX 16384
#define IMPORT_LIST_MAX	     1000 /* hosts, labels, lines of HAProxy */

/* A registry that something of the configuration needs. */
struct import_registry {
	const char *type;
	char *name; /* "zk", "zk-2" */
	char *key;  /* what makes it this one */
	char *text; /* its keys, as lines of weft.yaml */
};

/* An address that a service has, to name both when another one wants it. */
struct import_claim {
	char *address;
	char *service;
};

struct import {
	struct config_error *error;
	const char *file; /* that is being read */
	char where[160];  /* in it: "services.web" */
	unsigned line;	  /* of the service */
	struct import_remark *remarks;
	size_t nr_remarks, room;
	struct import_registry *registries;
	size_t nr_registries;
	struct import_claim *claims;
	size_t nr_claims;
	FILE *services, *announcements;
	char *services_text, *announcements_text;
	size_t services_len, announcements_len;
	unsigned nr_services, nr_announcements; /* that are not comments */
	char *file_output;
	char **files;
	size_t nr_files;
	bool failed; /* no memory on the way */
};

/* A remark on @key, which may have dots, below the current place. @n (may be NULL) tells the line. */
void import_remark(struct import *x, enum import_weight weight, const struct node *n, const char *key, const char *fmt,
		   ...) __attribute__((format(printf, 5, 6)));
/* Fills the error likewise and returns -EINVAL. */
int import_fail(struct import *x, const struct node *n, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int import_fail_memory(struct import *x);

/* The name of the registry of @type with @key, which is made with @text when it is not there: "zk" of "zookeeper".
 * NULL: no memory. Borrowed. */
const char *import_registry(struct import *x, const char *type, const char *word, const char *key, const char *text);

/* ---- writing YAML ---- */

/* Plain when it may be, else in quotes. */
void import_put(FILE *out, const char *text);
/* Opens a comment of the remarks from @first on, then copies @text; @left_out: as a comment. */
void import_put_entry(struct import *x, FILE *out, size_t first, const char *text, bool left_out);
/* @ms as a time of weft, within bounds. */
const char *import_ms(double ms, double least, double most, char *text, size_t len);

/* ---- values ---- */

/* Text that weft.yaml can hold: not empty, without control characters. 0, or import_fail(). */
int import_text(struct import *x, const struct node *n, const char *key, const char **ret);
/* 0: @n is NULL. */
int import_port(struct import *x, const struct node *n, const char *key, unsigned *ret);
/* A list, or a single one of its items. Items of other kinds than words are refused. */
int import_words(struct import *x, const struct node *n, const char *key, const struct node *const **ret, size_t *nr);
/* A host as an address, "localhost" included. False: it is a name. */
bool import_address(const char *host, struct weft_addr *ret);
/* A name for weft.yaml: what it cannot hold becomes "-". */
int import_name(struct import *x, const char *name, char *ret, size_t len);

/* Reports keys of @n that are neither in @known nor in @notes. */
struct import_known {
	const char *key;
	enum import_weight weight;
	const char *text; /* NULL: it is dealt with elsewhere */
};
void import_unknown(struct import *x, const struct node *n, const char *key, const struct import_known *known);

/* ---- the parts ---- */

/* Hosts of ZooKeeper, with a path at the end or without, as a registry. */
int import_zookeeper(struct import *x, const struct node *hosts, const char *key, const char **ret);
/* A path of ZooKeeper without a slash at its end. To be freed. */
int import_path(struct import *x, const struct node *n, const char *key, char **ret);
/* Names are asked of @nameserver, or of those of /etc/resolv.conf when that is NULL. */
int import_dns(struct import *x, const struct node *nameserver, const char *key, const char **ret);

int import_synapse(struct import *x, const struct node *root, const struct import_part *parts, const struct tree *trees,
		   size_t nr);
int import_nerve(struct import *x, const struct node *root, const struct import_part *parts, const struct tree *trees,
		 size_t nr);
/* Calls @one for each service of @root and of @parts, which go first. */
int import_each_service(struct import *x, const struct node *root, const struct import_part *parts,
			const struct tree *trees, size_t nr,
			int (*one)(struct import *x, const char *name, const struct node *service, void *ctx),
			void *ctx);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Configurations of SmartStack, Synapse's and Nerve's, as a weft.yaml: bytes in, text and remarks out. What becomes of
 * each of their options is in docs/SMARTSTACK.md.
 */
#ifndef CONFIG_IMPORT_H
#define CONFIG_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* A file as it was read. */
struct import_part {
	const char *name; /* for messages */
	const char *text;
	size_t len;
	const char *service; /* of a file in a service_conf_dir: the service it is about */
};

enum import_weight {
	IMPORT_NOTE,   /* not needed here, or nothing to worry about */
	IMPORT_CHANGE, /* no counterpart, or not quite the same */
};

struct import_remark {
	enum import_weight weight;
	char *file;
	unsigned line; /* 0: of the file as a whole */
	char *key;     /* dotted; may be empty */
	char *text;    /* printable ASCII, lower case, no full stop; never a secret */
};

struct import;

struct import *import_new(void); /* NULL: no memory */
void import_free(struct import *x);
static inline void import_freep(struct import **x)
{
	import_free(*x);
}

/* What @file says that more services are in, as it stands there; *ret NULL: nothing. 0 or a negative errno with the
 * error set. */
int import_conf_dir(const struct import_part *file, char **ret, struct config_error *ret_error);

/*
 * Adds a configuration of Synapse or Nerve, JSON or YAML, with the @nr files of its service_conf_dir. 0 or a negative
 * errno with the error set; @x is then good for nothing but being freed.
 */
int import_add(struct import *x, const struct import_part *file, const struct import_part *services, size_t nr,
	       struct config_error *ret_error);

/* The weft.yaml, which its own reader has accepted. -EBADMSG: it has not, which is a bug. To be freed. */
int import_finish(struct import *x, char **ret, struct config_error *ret_error);

const struct import_remark *import_remarks(const struct import *x, size_t *ret_nr);

#endif

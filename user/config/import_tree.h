/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A YAML document as a tree, with all that YAML has: Synapse and Nerve read their files with a full YAML reader, of
 * which JSON is a part. Aliases share nodes, merge keys are resolved. Inside config/ only.
 */
#ifndef CONFIG_IMPORT_TREE_H
#define CONFIG_IMPORT_TREE_H

#include "config/config.h"
#include "config/import.h"

enum node_kind { NODE_NULL, NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	unsigned line;
	char *text;	     /* of NODE_TEXT */
	char **keys;	     /* of NODE_MAP, @nr of them */
	struct node **items; /* of NODE_MAP and NODE_LIST */
	size_t nr;
};

struct tree {
	struct node *nodes; /* all of them */
	size_t nr;
	struct node *root;
	char *twice; /* a key that is there twice, NULL: none; the last one counts */
	unsigned twice_line;
};

void tree_done(struct tree *t);
int tree_read(const struct import_part *file, struct tree *ret, struct config_error *ret_error);

/* NULL: @n is no mapping, does not have @key, or has nothing for it. @n may be NULL. */
const struct node *node_get(const struct node *n, const char *key);
/* The text of a word; @def when it is none, or NULL. */
const char *node_text(const struct node *n, const char *def);
/* As Ruby has it: what is neither false nor nothing is true. NULL: @def. */
bool node_bool(const struct node *n, bool def);
/* False: it is no decimal number that is not negative. */
bool node_number(const struct node *n, double *ret);
const char *node_kind_name(const struct node *n); /* "a list" */

static inline bool node_is(const struct node *n, enum node_kind kind)
{
	return n && n->kind == kind;
}

#endif

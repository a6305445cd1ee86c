/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/import_tree.h"

#define DEPTH_MAX  32
#define TEXT_MAX   4096
#define NODES_MAX  4000000
#define MERGED_MAX 100000 /* keys that come from merge keys */
#define KEYS_MAX   20000  /* of a mapping */

/* What is being built: nodes[i] is node i + 1 of the document. */
struct building {
	yaml_document_t *document;
	struct tree *tree;
	const char *name;
	struct config_error *error;
	unsigned char *state; /* of each node */
	size_t merged;
};

enum { UNTOUCHED, BEGUN, BUILT };

void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->nr; i++) {
		struct node *n = &t->nodes[i];

		for (size_t k = 0; n->keys && k < n->nr; k++)
			free(n->keys[k]);
		free(n->keys);
		free(n->items);
		free(n->text);
	}
	free(t->nodes);
	free(t->twice);
	*t = (struct tree){ 0 };
}

static int fail(struct building *b, unsigned line, const char *text)
{
	return error_set(b->error, -EINVAL, b->name, line, NULL, "%s", text);
}

static int fail_memory(struct building *b)
{
	return error_set(b->error, -ENOMEM, b->name, 0, NULL, "not enough memory to read it");
}

static int build(struct building *b, int index, unsigned depth, struct node **ret);

static bool is_null_word(const yaml_node_t *y)
{
	const char *text = (const char *)y->data.scalar.value;

	return y->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text || !strcmp(text, "~") || !strcasecmp(text, "null"));
}

static int build_text(struct building *b, const yaml_node_t *y, struct node *n)
{
	const char *text = (const char *)y->data.scalar.value;

	if (is_null_word(y)) {
		n->kind = NODE_NULL;
		return 0;
	}
	if (y->data.scalar.length > TEXT_MAX)
		return fail(b, n->line, "a word of more than 4096 bytes");
	for (size_t i = 0; i < y->data.scalar.length; i++)
		if (!text[i] || text[i] == 0x7f)
			return fail(b, n->line, "a word with a control character");
	n->kind = NODE_TEXT;
	n->text = strdup(text);
	return n->text ? 0 : fail_memory(b);
}

static int build_list(struct building *b, const yaml_node_t *y, unsigned depth, struct node *n)
{
	const yaml_node_item_t *start = y->data.sequence.items.start;
	size_t nr = (size_t)(y->data.sequence.items.top - start);
	int r = 0;

	n->kind = NODE_LIST;
	n->items = calloc(nr ? nr : 1, sizeof(struct node *));
	if (!n->items)
		return fail_memory(b);
	for (size_t i = 0; !r && i < nr; i++, n->nr += !r)
		r = build(b, start[i], depth + 1, &n->items[i]);
	return r;
}

/* Where @key is in @n; n->nr: nowhere. */
static size_t find(const struct node *n, const char *key)
{
	size_t i = 0;

	while (i < n->nr && strcmp(n->keys[i], key))
		i++;
	return i;
}

static int add_key(struct building *b, struct node *n, const char *key, struct node *item)
{
	struct node **items;
	char **keys;

	if (n->nr == KEYS_MAX)
		return fail(b, n->line, "a mapping of more than 20000 keys");
	keys = reallocarray(n->keys, n->nr + 1, sizeof(*keys));
	if (!keys)
		return fail_memory(b);
	n->keys = keys;
	items = reallocarray(n->items, n->nr + 1, sizeof(*items));
	if (!items)
		return fail_memory(b);
	n->items = items;
	keys[n->nr] = strdup(key);
	if (!keys[n->nr])
		return fail_memory(b);
	items[n->nr++] = item;
	return 0;
}

/* "<<: *base": what is not there yet comes from there. */
static int merge(struct building *b, struct node *n, const struct node *from)
{
	int r = 0;

	if (from->kind == NODE_LIST) {
		for (size_t i = 0; !r && i < from->nr; i++)
			r = from->items[i]->kind == NODE_MAP ? merge(b, n, from->items[i])
							     : fail(b, n->line, "a merge key wants mappings");
		return r;
	}
	if (from->kind != NODE_MAP)
		return fail(b, n->line, "a merge key wants mappings");
	b->merged += from->nr;
	if (b->merged > MERGED_MAX)
		return fail(b, n->line, "too many merge keys");
	for (size_t i = 0; !r && i < from->nr; i++)
		if (find(n, from->keys[i]) == n->nr)
			r = add_key(b, n, from->keys[i], from->items[i]);
	return r;
}

static int note_twice(struct building *b, const char *key, unsigned line)
{
	if (b->tree->twice)
		return 0;
	b->tree->twice = strdup(key);
	b->tree->twice_line = line;
	return b->tree->twice ? 0 : fail_memory(b);
}

static int build_pair(struct building *b, const yaml_node_pair_t *pair, unsigned depth, struct node *n)
{
	const yaml_node_t *y = yaml_document_get_node(b->document, pair->key);
	struct node *key = NULL, *item = NULL;
	size_t at;
	int r;

	r = build(b, pair->key, depth + 1, &key);
	if (!r)
		r = build(b, pair->value, depth + 1, &item);
	if (r)
		return r;
	if (key->kind != NODE_TEXT || y->type != YAML_SCALAR_NODE)
		return fail(b, key->line, "a key must be a word");
	if (!strcmp(key->text, "<<") && y->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return merge(b, n, item);
	at = find(n, key->text);
	if (at == n->nr)
		return add_key(b, n, key->text, item);
	n->items[at] = item;
	return note_twice(b, key->text, key->line);
}

static int build_map(struct building *b, const yaml_node_t *y, unsigned depth, struct node *n)
{
	int r = 0;

	n->kind = NODE_MAP;
	/* Own keys go before those of merge keys, wherever these stand. */
	for (int merges = 0; merges < 2; merges++)
		for (const yaml_node_pair_t *p = y->data.mapping.pairs.start; !r && p < y->data.mapping.pairs.top;
		     p++) {
			const yaml_node_t *k = yaml_document_get_node(b->document, p->key);
			bool is_merge = k && k->type == YAML_SCALAR_NODE &&
					k->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
					!strcmp((const char *)k->data.scalar.value, "<<");

			if (is_merge == (merges == 1))
				r = build_pair(b, p, depth, n);
		}
	return r;
}

static int build(struct building *b, int index, unsigned depth, struct node **ret)
{
	const yaml_node_t *y = yaml_document_get_node(b->document, index);
	struct node *n;
	int r;

	if (!y || index < 1 || (size_t)index > b->tree->nr)
		return fail(b, 0, "cannot be read");
	n = &b->tree->nodes[index - 1];
	*ret = n;
	if (b->state[index - 1] == BUILT)
		return 0;
	n->line = (unsigned)y->start_mark.line + 1;
	if (b->state[index - 1] == BEGUN)
		return fail(b, n->line, "an alias that leads to itself");
	if (depth > DEPTH_MAX)
		return fail(b, n->line, "nested too deep");
	b->state[index - 1] = BEGUN;
	if (y->type == YAML_SCALAR_NODE)
		r = build_text(b, y, n);
	else if (y->type == YAML_SEQUENCE_NODE)
		r = build_list(b, y, depth, n);
	else
		r = build_map(b, y, depth, n);
	b->state[index - 1] = BUILT;
	return r;
}

static int build_tree(yaml_document_t *document, const char *name, struct tree *t, struct config_error *e)
{
	size_t nr = (size_t)(document->nodes.top - document->nodes.start);
	struct building b = { .document = document, .tree = t, .name = name, .error = e };
	_cleanup_(freep) unsigned char *state = NULL;

	if (!nr)
		return error_set(e, -EINVAL, name, 0, NULL, "the file is empty");
	if (nr > NODES_MAX)
		return error_set(e, -EFBIG, name, 0, NULL, "has more than %d values", NODES_MAX);
	state = b.state = calloc(nr, 1);
	t->nodes = calloc(nr, sizeof(*t->nodes));
	if (!state || !t->nodes)
		return fail_memory(&b);
	t->nr = nr;
	return build(&b, 1, 0, &t->root);
}

static int fail_syntax(const yaml_parser_t *p, const char *name, struct config_error *e)
{
	unsigned line = (unsigned)p->problem_mark.line + 1;

	if (p->error == YAML_MEMORY_ERROR)
		return error_set(e, -ENOMEM, name, 0, NULL, "not enough memory to read it");
	if (p->error == YAML_READER_ERROR)
		return error_set(e, -EINVAL, name, 0, NULL, "not a text file in UTF-8: %s",
				 p->problem ? p->problem : "no reason given");
	return error_set(e, -EINVAL, name, line, NULL, "neither JSON nor YAML: %s%s%s",
			 p->problem ? p->problem : "no reason given", p->context ? " " : "",
			 p->context ? p->context : "");
}

int tree_read(const struct import_part *file, struct tree *ret, struct config_error *ret_error)
{
	yaml_document_t document;
	yaml_parser_t parser;
	int r;

	*ret = (struct tree){ 0 };
	if (!yaml_parser_initialize(&parser))
		return error_set(ret_error, -ENOMEM, file->name, 0, NULL, "not enough memory to read it");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)file->text, file->len);
	if (yaml_parser_load(&parser, &document)) {
		r = build_tree(&document, file->name, ret, ret_error);
		yaml_document_delete(&document);
	} else {
		r = fail_syntax(&parser, file->name, ret_error);
	}
	yaml_parser_delete(&parser);
	if (r)
		tree_done(ret);
	return r;
}

const struct node *node_get(const struct node *n, const char *key)
{
	size_t i;

	if (!node_is(n, NODE_MAP))
		return NULL;
	i = find(n, key);
	return i == n->nr || n->items[i]->kind == NODE_NULL ? NULL : n->items[i];
}

const char *node_text(const struct node *n, const char *def)
{
	return node_is(n, NODE_TEXT) ? n->text : def;
}

bool node_bool(const struct node *n, bool def)
{
	static const char *const no[] = { "false", "no", "off", "n" };

	if (!n || n->kind == NODE_NULL)
		return def;
	for (size_t i = 0; n->kind == NODE_TEXT && i < sizeof(no) / sizeof(no[0]); i++)
		if (!strcasecmp(n->text, no[i]))
			return false;
	return true;
}

bool node_number(const struct node *n, double *ret)
{
	const char *text = node_text(n, "");
	char *end;

	if (!*text || strspn(text, "0123456789.") != strlen(text) || strlen(text) > 20)
		return false;
	*ret = strtod(text, &end);
	return end != text && !*end;
}

const char *node_kind_name(const struct node *n)
{
	static const char *const names[] = { "nothing", "a word", "a list", "a mapping" };

	return names[n ? n->kind : NODE_NULL];
}

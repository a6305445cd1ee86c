/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Files for Envoy are written as JSON or as YAML. What YAML has and JSON has not (tags, keys that are no text) is
 * refused; aliases are followed as long as what comes out stays within bounds.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "registry/envoy_json.h"

#define DEPTH_MOST 64
#define NODES_MOST 8000000 /* 16,384 endpoints of 10,000 bytes of labels each do not reach it */

struct reading {
	yaml_document_t *document;
	size_t nodes;
	char *why;
	size_t why_len;
};

static json_t *build(struct reading *rd, int index, unsigned depth);

static json_t *fail(struct reading *rd, const yaml_node_t *node, const char *what)
{
	if (node)
		snprintf(rd->why, rd->why_len, "line %zu: %s", node->start_mark.line + 1, what);
	else
		snprintf(rd->why, rd->why_len, "%s", what);
	return NULL;
}

static bool is_word(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

/* Plain scalars by YAML's core schema. "010" is text: for some readers it is 8. */
static json_t *plain(const char *text)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = { "true", "True", "TRUE", NULL };
	static const char *const no[] = { "false", "False", "FALSE", NULL };
	const char *digits = text + (*text == '-' || *text == '+');
	size_t len = strlen(digits);
	double n;
	char *end;

	if (is_word(text, nulls))
		return json_null();
	if (is_word(text, yes))
		return json_true();
	if (is_word(text, no))
		return json_false();
	if (*digits < '0' || *digits > '9' || (*digits == '0' && digits[1] >= '0' && digits[1] <= '9') ||
	    strspn(digits, "0123456789.eE+-") != len)
		return json_string(text);
	n = strtod(text, &end);
	return *end || !isfinite(n) ? json_string(text) : json_real(n);
}

static json_t *scalar(struct reading *rd, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	json_t *value;

	if (strlen(text) != node->data.scalar.length)
		return fail(rd, node, "a text with a NUL in it");
	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		value = plain(text);
	else
		value = json_string(text);
	return value ? value : fail(rd, node, "a text that is no UTF-8");
}

static json_t *sequence(struct reading *rd, const yaml_node_t *node, unsigned depth)
{
	json_t *list = json_array();

	for (const yaml_node_item_t *at = node->data.sequence.items.start; at < node->data.sequence.items.top; at++) {
		json_t *value = build(rd, *at, depth + 1);

		if (!value || json_array_append_new(list, value)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *mapping(struct reading *rd, const yaml_node_t *node, unsigned depth)
{
	json_t *object = json_object(), *value;

	for (const yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top; at++) {
		const yaml_node_t *key = yaml_document_get_node(rd->document, at->key);
		const char *text;

		if (!key || key->type != YAML_SCALAR_NODE) {
			json_decref(object);
			return fail(rd, key, "a key that is no text");
		}
		text = (const char *)key->data.scalar.value;
		if (strlen(text) != key->data.scalar.length) {
			json_decref(object);
			return fail(rd, key, "a key with a NUL in it");
		}
		value = build(rd, at->value, depth + 1);
		if (!value || json_object_set_new(object, text, value)) {
			json_decref(object);
			return value ? fail(rd, key, "a key that is no UTF-8") : NULL;
		}
	}
	return object;
}

static json_t *build(struct reading *rd, int index, unsigned depth)
{
	const yaml_node_t *node = yaml_document_get_node(rd->document, index);

	if (!node)
		return fail(rd, NULL, "there is nothing in it");
	if (depth > DEPTH_MOST)
		return fail(rd, node, "too many levels");
	if (++rd->nodes > NODES_MOST)
		return fail(rd, node, "too large, once its aliases are followed");
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return scalar(rd, node);
	case YAML_SEQUENCE_NODE:
		return sequence(rd, node, depth);
	case YAML_MAPPING_NODE:
		return mapping(rd, node, depth);
	default:
		return fail(rd, node, "there is nothing in it");
	}
}

static json_t *parse_yaml(const char *text, size_t len, char *why, size_t why_len)
{
	yaml_document_t document;
	struct reading rd = { .document = &document, .why = why, .why_len = why_len };
	yaml_parser_t parser;
	json_t *value = NULL;

	snprintf(why, why_len, "no memory");
	if (!yaml_parser_initialize(&parser))
		return NULL;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &document)) {
		snprintf(why, why_len, "line %zu: %s", parser.problem_mark.line + 1,
			 parser.problem ? parser.problem : "this is no YAML");
	} else {
		value = yaml_document_get_root_node(&document) ? build(&rd, 1, 0) : fail(&rd, NULL, "it is empty");
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	return value;
}

static const char *first_of(const char *text, size_t len)
{
	while (len && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')) {
		text++;
		len--;
	}
	return len ? text : NULL;
}

bool envoy_may_be_half(const char *text, size_t len)
{
	const char *first = first_of(text, len);

	return !first || *first != '{';
}

json_t *envoy_parse(const char *text, size_t len, char *why, size_t why_len)
{
	json_error_t error;
	json_t *value;
	char yaml[160];

	if (envoy_may_be_half(text, len))
		return parse_yaml(text, len, why, why_len);
	value = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &error);
	if (value)
		return value;
	snprintf(why, why_len, "line %d: %s", error.line, error.text);
	return parse_yaml(text, len, yaml, sizeof(yaml)); /* YAML in flow style begins like JSON */
}

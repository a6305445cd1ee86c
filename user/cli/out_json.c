/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* JSON for programs: one object, or, for a table without a key, an array with a row on each line, written as the rows
 * come. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli/out.h"

struct json_state {
	json_t *root; /* object; NULL until something needs it */
	json_t *rows; /* of the table that is open, NULL when it is streamed */
	json_t *row;
	const struct out_column *columns;
	size_t nr_columns, column;
	uint64_t streamed; /* rows */
	bool array;	   /* the document is a streamed array */
};

/* Text of others may hold any byte; JSON may not. Names are checked when they are read, so this is for the odd case
 * only. */
static json_t *text_to_json(const char *text)
{
	char clean[4096];
	json_t *j = json_string(text);
	size_t i;

	if (j)
		return j;
	for (i = 0; text[i] && i + 1 < sizeof(clean); i++)
		clean[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	clean[i] = '\0';
	return json_string(clean);
}

static double round_to(double v, double unit)
{
	return round(v * unit) / unit;
}

static json_t *value_to_json(struct out_value v)
{
	json_t *list;

	switch (v.kind) {
	case OUT_NONE:
		return json_null();
	case OUT_TEXT:
		return text_to_json(v.text);
	case OUT_BOOL:
		return json_boolean(v.yes);
	case OUT_INT:
	case OUT_US:
	case OUT_BYTES:
		return json_integer(v.number);
	case OUT_REAL:
	case OUT_SECONDS:
		return json_real(round_to(v.real, 1000));
	case OUT_PERCENT:
		return json_real(round_to(v.real, 10));
	case OUT_LIST:
		break;
	}
	list = json_array();
	for (size_t i = 0; i < v.list.nr; i++)
		json_array_append_new(list, text_to_json(v.list.item[i]));
	return list;
}

static json_t *root(struct out *o)
{
	struct json_state *s = o->state;

	if (!s->root)
		s->root = json_object();
	if (!s->root)
		o->failed = -ENOMEM;
	return s->root;
}

static void json_field(struct out *o, const char *key, const char *label, struct out_value v)
{
	if (json_object_set_new(root(o), key, value_to_json(v)) == -1)
		o->failed = -ENOMEM;
}

static void json_table(struct out *o, const char *key, const char *title, const struct out_column *columns, size_t nr)
{
	struct json_state *s = o->state;

	s->columns = columns;
	s->nr_columns = nr;
	s->column = 0;
	s->rows = NULL;
	if (!key) {
		s->array = true;
		fputc('[', o->to);
		return;
	}
	s->rows = json_array();
	if (!s->rows || json_object_set_new(root(o), key, s->rows) == -1)
		o->failed = -ENOMEM;
}

static void write_row(struct out *o)
{
	struct json_state *s = o->state;

	if (s->rows) {
		if (json_array_append_new(s->rows, s->row) == -1)
			o->failed = -ENOMEM;
	} else {
		fputs(s->streamed++ ? ",\n " : "\n ", o->to);
		if (json_dumpf(s->row, o->to, JSON_COMPACT | JSON_REAL_PRECISION(12)) == -1)
			o->failed = -EIO;
		json_decref(s->row);
	}
	s->row = NULL;
	s->column = 0;
}

static void json_cell(struct out *o, struct out_value v)
{
	struct json_state *s = o->state;

	if (o->failed)
		return;
	if (!s->row)
		s->row = json_object();
	if (json_object_set_new(s->row, s->columns[s->column].key, value_to_json(v)) == -1)
		o->failed = -ENOMEM;
	if (++s->column == s->nr_columns)
		write_row(o);
}

static void json_end(struct out *o)
{
	struct json_state *s = o->state;

	if (!s->rows)
		fputs(s->streamed ? "\n]\n" : "]\n", o->to);
	s->rows = NULL;
}

static void json_note(struct out *o, const char *key, const char *text)
{
	struct json_state *s = o->state;
	json_t *list;

	/* An array has no room for a word; what matters to programs never stands in a note of a plain list. */
	if (!key || s->array)
		return;
	list = json_object_get(root(o), key);
	if (!list) {
		list = json_array();
		json_object_set_new(root(o), key, list);
	}
	if (json_array_append_new(list, text_to_json(text)) == -1)
		o->failed = -ENOMEM;
}

static void json_finish(struct out *o)
{
	struct json_state *s = o->state;

	if (s->root) {
		if (json_dumpf(s->root, o->to, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == -1)
			o->failed = -EIO;
		fputc('\n', o->to);
	}
	json_decref(s->root);
	json_decref(s->row);
	s->root = NULL;
	s->row = NULL;
}

const struct out_ops out_json_ops = {
	.name = "json",
	.state_size = sizeof(struct json_state),
	.field = json_field,
	.table = json_table,
	.cell = json_cell,
	.end = json_end,
	.note = json_note,
	.finish = json_finish,
};

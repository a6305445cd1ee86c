/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Text for people: aligned columns, "label: value" lines. Widths are taken over a chunk of rows, so that a table of any
 * length needs bounded memory; later chunks only widen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"

#define CHUNK_ROWS 4096
#define CELL_MAX   4096

struct text_field {
	char *label;
	char *value;
};

struct text_state {
	const struct out_column *columns;
	size_t nr_columns;
	size_t *width;
	char **cells; /* of the chunk, row by row */
	size_t nr_cells;
	bool title_done;
	struct text_field *fields; /* waiting for their common width */
	size_t nr_fields;
	bool wrote; /* something stands above: a section begins with an empty line */
};

/* Columns that a terminal shows for @text: bytes that do not continue an UTF-8 sequence. */
static size_t shown_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void put(struct out *o, const char *text, size_t width, bool right, bool last)
{
	size_t len = shown_width(text);
	int pad = len < width ? (int)(width - len) : 0;

	if (right)
		fprintf(o->to, "%*s%s", pad, "", text);
	else
		fprintf(o->to, "%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", o->to);
}

static void flush_fields(struct out *o)
{
	struct text_state *s = o->state;
	size_t width = 0;

	for (size_t i = 0; i < s->nr_fields; i++) {
		size_t n = shown_width(s->fields[i].label);

		width = n > width ? n : width;
	}
	for (size_t i = 0; i < s->nr_fields; i++) {
		struct text_field *f = &s->fields[i];

		fprintf(o->to, "%s:%*s %s\n", f->label, (int)(width - shown_width(f->label)) + 1, "", f->value);
		free(f->label);
		free(f->value);
		s->wrote = true;
	}
	free(s->fields);
	s->fields = NULL;
	s->nr_fields = 0;
}

static void text_field(struct out *o, const char *key, const char *label, struct out_value v)
{
	struct text_state *s = o->state;
	char text[CELL_MAX];
	struct text_field *more;

	if (!*label)
		return;
	more = realloc(s->fields, (s->nr_fields + 1) * sizeof(*more));
	if (!more) {
		o->failed = -ENOMEM;
		return;
	}
	s->fields = more;
	more = &s->fields[s->nr_fields];
	more->label = strdup(label);
	more->value = strdup(out_human(v, text, sizeof(text)));
	if (!more->label || !more->value) {
		free(more->label);
		free(more->value);
		o->failed = -ENOMEM;
		return;
	}
	s->nr_fields++;
}

static bool is_shown(const struct out *o, size_t column)
{
	const struct text_state *s = o->state;

	unsigned flags = s->columns[column].flags;

	return !(flags & OUT_NEVER) && (o->ops->wide || !(flags & OUT_WIDE));
}

static void put_row(struct out *o, char *const *cells)
{
	struct text_state *s = o->state;
	size_t last = 0;

	for (size_t i = 0; i < s->nr_columns; i++)
		if (is_shown(o, i))
			last = i;
	for (size_t i = 0; i < s->nr_columns; i++) {
		const struct out_column *c = &s->columns[i];

		if (is_shown(o, i))
			put(o, cells ? cells[i] : c->title, s->width[i], c->flags & OUT_RIGHT, i == last);
	}
}

static void flush_rows(struct out *o)
{
	struct text_state *s = o->state;

	if (!s->title_done)
		put_row(o, NULL);
	s->title_done = true;
	for (size_t i = 0; i + s->nr_columns <= s->nr_cells; i += s->nr_columns)
		put_row(o, s->cells + i);
	for (size_t i = 0; i < s->nr_cells; i++)
		free(s->cells[i]);
	s->nr_cells = 0;
}

static void text_table(struct out *o, const char *key, const char *title, const struct out_column *columns, size_t nr)
{
	struct text_state *s = o->state;

	flush_fields(o);
	if (s->wrote)
		fputc('\n', o->to);
	if (title)
		fprintf(o->to, "%s\n", title);
	s->wrote = true;
	s->columns = columns;
	s->nr_columns = nr;
	s->nr_cells = 0;
	s->title_done = false;
	s->width = calloc(nr, sizeof(*s->width));
	s->cells = calloc(nr * CHUNK_ROWS, sizeof(*s->cells));
	if (!s->width || !s->cells) {
		o->failed = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < nr; i++)
		s->width[i] = shown_width(columns[i].title);
}

static void text_cell(struct out *o, struct out_value v)
{
	struct text_state *s = o->state;
	char text[CELL_MAX];
	size_t column, n;
	char *copy;

	if (o->failed)
		return;
	if (s->nr_cells == s->nr_columns * CHUNK_ROWS)
		flush_rows(o);
	copy = strdup(out_human(v, text, sizeof(text)));
	if (!copy) {
		o->failed = -ENOMEM;
		return;
	}
	column = s->nr_cells % s->nr_columns;
	n = shown_width(copy);
	s->width[column] = n > s->width[column] ? n : s->width[column];
	s->cells[s->nr_cells++] = copy;
}

static void text_end(struct out *o)
{
	struct text_state *s = o->state;

	if (s->width && s->cells)
		flush_rows(o);
	free(s->width);
	free(s->cells);
	s->width = NULL;
	s->cells = NULL;
}

static void text_note(struct out *o, const char *key, const char *text)
{
	struct text_state *s = o->state;

	flush_fields(o);
	fprintf(o->to, "%s\n", text);
	s->wrote = true;
}

const struct out_ops out_text_ops = {
	.name = "table",
	.state_size = sizeof(struct text_state),
	.field = text_field,
	.table = text_table,
	.cell = text_cell,
	.end = text_end,
	.note = text_note,
	.finish = flush_fields,
};

const struct out_ops out_wide_ops = {
	.name = "wide",
	.wide = true,
	.state_size = sizeof(struct text_state),
	.field = text_field,
	.table = text_table,
	.cell = text_cell,
	.end = text_end,
	.note = text_note,
	.finish = flush_fields,
};

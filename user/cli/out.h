/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What commands say. A document is fields, tables and notes, told once and written as text for people or as JSON for
 * programs. A table without a key is the whole document (JSON: an array, written row by row); anything else is a member
 * of one object.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum out_kind {
	OUT_NONE, /* "-", null */
	OUT_TEXT,
	OUT_BOOL, /* yes or no */
	OUT_INT,
	OUT_REAL,    /* three decimals */
	OUT_US,	     /* microseconds; people read "1.3 ms" */
	OUT_SECONDS, /* people read "5 min" */
	OUT_BYTES,   /* people read "8.0 MiB" */
	OUT_PERCENT, /* one decimal */
	OUT_LIST,    /* of texts; people read them with commas between */
};

struct out_value {
	enum out_kind kind;
	const char *words; /* what people read instead, when not NULL */
	union {
		const char *text;
		bool yes;
		int64_t number;
		double real;
		struct {
			const char *const *item;
			size_t nr;
		} list;
	};
};

static inline struct out_value out_none(void)
{
	return (struct out_value){ .kind = OUT_NONE };
}

static inline struct out_value out_text(const char *text) /* NULL: none */
{
	return (struct out_value){ .kind = text ? OUT_TEXT : OUT_NONE, .text = text };
}

static inline struct out_value out_bool(bool yes)
{
	return (struct out_value){ .kind = OUT_BOOL, .yes = yes };
}

static inline struct out_value out_int(int64_t number)
{
	return (struct out_value){ .kind = OUT_INT, .number = number };
}

static inline struct out_value out_us(int64_t us)
{
	return (struct out_value){ .kind = OUT_US, .number = us };
}

static inline struct out_value out_bytes(int64_t bytes)
{
	return (struct out_value){ .kind = OUT_BYTES, .number = bytes };
}

static inline struct out_value out_real(double real)
{
	return (struct out_value){ .kind = OUT_REAL, .real = real };
}

static inline struct out_value out_seconds(double seconds)
{
	return (struct out_value){ .kind = OUT_SECONDS, .real = seconds };
}

static inline struct out_value out_percent(double percent)
{
	return (struct out_value){ .kind = OUT_PERCENT, .real = percent };
}

static inline struct out_value out_list(const char *const *item, size_t nr)
{
	return (struct out_value){ .kind = OUT_LIST, .list = { item, nr } };
}

/* @v for programs, @words for people. */
static inline struct out_value out_words(struct out_value v, const char *words)
{
	v.words = words;
	return v;
}

#define OUT_RIGHT 1u /* numbers: aligned to the right */
#define OUT_WIDE  2u /* text shows it with -o wide only; JSON always has it */
#define OUT_NEVER 4u /* text never shows it: it is part of another column's words */

struct out_column {
	const char *key;   /* snake_case, with the unit: "latency_us" */
	const char *title; /* "LATENCY" */
	unsigned flags;	   /* OUT_RIGHT, OUT_WIDE, OUT_NEVER */
};

struct out;

struct out_ops {
	const char *name; /* word after -o */
	bool wide;
	size_t state_size;
	void (*field)(struct out *o, const char *key, const char *label, struct out_value v);
	void (*table)(struct out *o, const char *key, const char *title, const struct out_column *columns, size_t nr);
	void (*cell)(struct out *o, struct out_value v);
	void (*end)(struct out *o);
	void (*note)(struct out *o, const char *key, const char *text);
	void (*finish)(struct out *o);
};

struct out {
	const struct out_ops *ops;
	FILE *to;
	FILE *err;
	int failed; /* negative errno of the first thing that went wrong */
	void *state;
};

extern const struct out_ops out_text_ops, out_wide_ops, out_json_ops;
extern const struct out_ops *const out_formats[]; /* NULL terminated; the first is the default */

/* @format: NULL for the default. NULL: no such format, or no memory. */
struct out *out_new(const char *format, FILE *to, FILE *err);
void out_free(struct out *o); /* writes nothing; NULL is fine */
static inline void out_freep(struct out **o)
{
	out_free(*o);
}

/* One setting. @key for JSON, @label for people; NULL: the key, "": for programs only. */
void out_field(struct out *o, const char *key, const char *label, struct out_value v);
/* Cells come row by row, one for each column, the wide ones included. @title may be NULL. */
void out_table(struct out *o, const char *key, const char *title, const struct out_column *columns, size_t nr);
void out_cell(struct out *o, struct out_value v);
void out_end(struct out *o);
/* One line for people; JSON collects those of one @key in an array and skips those without. */
void out_note(struct out *o, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Ends the document. 0 or negative errno when something could not be written. */
int out_finish(struct out *o);

/* Text that no format changes: help, completion. */
void out_raw(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "weft: ..." to the error stream, as one line. Returns 1, the exit code of a failed command. */
int out_error(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A value as people read it; returns @text. Lists are cut at @len. */
const char *out_human(struct out_value v, char *text, size_t len);

#endif

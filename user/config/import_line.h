/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A line of HAProxy's configuration, taken apart. Inside config/ only. */
#ifndef CONFIG_IMPORT_LINE_H
#define CONFIG_IMPORT_LINE_H

#include "config/import_haproxy.h"

#define LINE_WORDS_MAX 64

struct line {
	const struct node *at;
	const char *key;
	const char *text;		/* the whole */
	char *word[LINE_WORDS_MAX + 1]; /* NULL terminated */
	size_t nr;
	bool defaults; /* of all services */
};

/* Words of @text, with a backslash before blanks that belong to one. Cuts @text. */
void line_split(char *text, struct line *l);
/* How many bytes of @row the first words of the line are; 0: it does not begin with them. */
size_t line_begins(const struct line *l, const char *row);
/* The line as a remark may show it: one that may hold a password, by its first word. */
const char *line_shown(const struct line *l, struct quoted *q);
/* What is known of a line that weft has no counterpart for. */
void line_remark(struct import *x, const struct line *l);
/* A remark on a value of the line. */
void line_odd(struct import *x, const struct line *l, const char *why);

/* Word @i as a time in ms, or a number from 1 to @most; a remark when it is none. */
void line_time(struct import *x, const struct line *l, size_t i, double *ret);
void line_count(struct import *x, const struct line *l, size_t i, unsigned most, unsigned *ret);
bool line_is_count(const char *text, unsigned most, unsigned *ret);

/* Options of a server from word @from on. */
void line_server(struct import *x, const struct line *l, size_t from, struct haproxy *h);

#endif

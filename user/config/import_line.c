/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/import_line.h"

/* "5000", "5s", "1m" in ms; HAProxy's unit is the ms. */
static bool parse_time(const char *text, double *ret_ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "", 1 },    { "us", 0.001 }, { "ms", 1 },    { "s", 1e3 },
		      { "m", 6e4 }, { "h", 3.6e6 },  { "d", 8.64e7 } };
	size_t digits = text ? strspn(text, "0123456789") : 0;

	for (size_t i = 0; digits && digits < 10 && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text + digits, units[i].name)) {
			*ret_ms = strtod(text, NULL) * units[i].ms;
			return true;
		}
	return false;
}

bool line_is_count(const char *text, unsigned most, unsigned *ret)
{
	unsigned long n;

	if (!text || !*text || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return false;
	n = strtoul(text, NULL, 10);
	if (!n || n > most)
		return false;
	*ret = (unsigned)n;
	return true;
}

void line_time(struct import *x, const struct line *l, size_t i, double *ret)
{
	if (!parse_time(i < l->nr ? l->word[i] : NULL, ret))
		line_odd(x, l, "not understood: a time is wanted");
}

void line_count(struct import *x, const struct line *l, size_t i, unsigned most, unsigned *ret)
{
	if (!line_is_count(i < l->nr ? l->word[i] : NULL, most, ret))
		line_odd(x, l, "not understood, or out of range: a number is wanted");
}

void line_split(char *text, struct line *l)
{
	char *to = text;

	l->nr = 0;
	while (*text && l->nr < LINE_WORDS_MAX) {
		text += strspn(text, " \t\r");
		if (!*text)
			break;
		l->word[l->nr++] = to;
		while (*text && !strchr(" \t\r", *text)) {
			if (*text == '\\' && text[1] == ' ')
				text++;
			*to++ = *text++;
		}
		text += *text != '\0';
		*to++ = '\0';
	}
	l->word[l->nr] = NULL;
}

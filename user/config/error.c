/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "config/error.h"

#define NEAREST_LEN 32 /* longer words get no suggestion */

char *config_error_format(const struct config_error *e, char *text, size_t len)
{
	char line[16] = "";

	if (e->line)
		snprintf(line, sizeof(line), ":%u", e->line);
	snprintf(text, len, "%s%s%s%s%s%s", e->file, line, *e->file ? ": " : "", e->key, *e->key ? ": " : "", e->text);
	return text;
}

int error_vset(struct config_error *e, int r, const char *file, unsigned line, const char *key, const char *fmt,
	       va_list ap)
{
	snprintf(e->file, sizeof(e->file), "%s", file);
	for (char *at = e->file; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?'; /* a message is one line, whatever a file is called */
	e->line = line;
	snprintf(e->key, sizeof(e->key), "%s", key ? key : "");
	for (char *at = e->key; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?'; /* of options, keys stand here before it is known that there are none such */
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	return r;
}

int error_set(struct config_error *e, int r, const char *file, unsigned line, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_vset(e, r, file, line, key, fmt, ap);
	va_end(ap);
	return r;
}

const char *quote(const char *text, struct quoted *out)
{
	char *at = out->text, *end = out->text + sizeof(out->text) - 8;

	*at++ = '"';
	for (; *text && at < end; text++) {
		if (*text == '"' || *text == '\\')
			at += snprintf(at, 3, "\\%c", *text);
		else if (*text < ' ' || *text > '~')
			at += snprintf(at, 5, "\\x%02x", (unsigned char)*text);
		else
			*at++ = *text;
		if (at - out->text > 80)
			break;
	}
	if (*text && text[1])
		at += snprintf(at, 4, "...");
	*at++ = '"';
	*at = '\0';
	return out->text;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap of neighbours) between two words of at most NEAREST_LEN bytes. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned d[NEAREST_LEN + 1][NEAREST_LEN + 1];

	for (size_t i = 0; i <= na; i++)
		for (size_t j = 0; j <= nb; j++) {
			if (!i || !j) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	return d[na][nb];
}

const char *nearest(const char *word, const char *const *words, size_t nr, size_t stride)
{
	size_t len = strlen(word);
	unsigned best = 3, d;
	const char *found = NULL, *it;

	if (len > NEAREST_LEN)
		return NULL;
	for (size_t i = 0; i < nr; i++) {
		it = *(const char *const *)((const char *)words + i * stride);
		if (strlen(it) > NEAREST_LEN)
			continue;
		d = distance(word, len, it, strlen(it));
		if (d < best && d < len) {
			best = d;
			found = it;
		}
	}
	return found;
}

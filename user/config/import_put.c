/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Writing weft.yaml. */
#include <string.h>
#include <strings.h>

#include "config/dump.h"
#include "config/import_inside.h"

static bool is_plain(const char *text)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "null", "y", "n" };
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:";
	size_t len = strlen(text);

	if (!len || strspn(text, good) != len || strchr("-:.", *text) || text[len - 1] == ':')
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(words[i], text))
			return false;
	return true;
}

void import_put(FILE *out, const char *text)
{
	if (is_plain(text))
		fputs(text, out);
	else
		dump_text(out, text);
}

/* Lines of @text, each after @prefix. */
static void put_lines(FILE *out, const char *prefix, const char *text)
{
	for (const char *end; *text; text = end) {
		end = strchr(text, '\n');
		end = end ? end + 1 : text + strlen(text);
		fprintf(out, "%s%.*s", prefix, (int)(end - text), text);
	}
}

void import_put_entry(struct import *x, FILE *out, size_t first, const char *text, bool left_out)
{
	size_t len = strlen(x->where);

	for (size_t i = first; i < x->nr_remarks; i++) {
		const struct import_remark *m = &x->remarks[i];
		const char *key = strncmp(m->key, x->where, len) == 0 ? m->key + len : m->key;

		key += *key == '.';
		if (m->weight == IMPORT_CHANGE)
			fprintf(out, "  # %s%s%s\n", key, *key ? ": " : "", m->text);
	}
	put_lines(out, left_out ? "  #" : "", text);
}

const char *import_ms(double ms, double least, double most, char *text, size_t len)
{
	static const struct {
		const char *name;
		unsigned ms;
	} units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
	unsigned n = (unsigned)(ms < least ? least : ms > most ? most : ms + 0.5);
	size_t i = 0;

	while (n % units[i].ms)
		i++;
	snprintf(text, len, "%u%s", n / units[i].ms, units[i].name);
	return text;
}

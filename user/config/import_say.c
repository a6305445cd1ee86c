/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What an import says: remarks, and the mistake that ends it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_inside.h"

#define REMARKS_MAX 200000

/* Texts come from outside: what is not printable becomes "?". */
static void make_printable(char *text)
{
	for (; text && *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static char *full_key(const struct import *x, const char *key)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s%s", x->where, *x->where && *key ? "." : "", key) < 0)
		return NULL;
	make_printable(text);
	return text;
}

/* The same note once is enough. */
static bool is_known_note(const struct import *x, const char *key, const char *text)
{
	for (size_t i = 0; i < x->nr_remarks; i++) {
		const struct import_remark *m = &x->remarks[i];
		size_t len = strlen(m->key), own = strlen(key);

		if (m->weight == IMPORT_NOTE && len >= own && !strcmp(m->key + len - own, key) &&
		    !strcmp(m->text, text))
			return true;
	}
	return false;
}

static void add_remark(struct import *x, const struct import_remark *m)
{
	struct import_remark *more = x->remarks;

	if (x->nr_remarks == x->room) {
		x->room = x->room ? x->room * 2 : 64;
		more = reallocarray(x->remarks, x->room, sizeof(*more));
		if (more)
			x->remarks = more;
	}
	if (more && m->file && m->key && m->text && x->nr_remarks < REMARKS_MAX) {
		x->remarks[x->nr_remarks++] = *m;
		return;
	}
	x->failed = true;
	free(m->file);
	free(m->key);
	free(m->text);
}

void import_remark(struct import *x, enum import_weight weight, const struct node *n, const char *key, const char *fmt,
		   ...)
{
	struct import_remark m = { .weight = weight, .line = n ? n->line : x->line };
	va_list ap;

	if (x->failed)
		return;
	va_start(ap, fmt);
	if (vasprintf(&m.text, fmt, ap) < 0)
		m.text = NULL;
	va_end(ap);
	make_printable(m.text);
	if (m.text && weight == IMPORT_NOTE && is_known_note(x, key, m.text)) {
		free(m.text);
		return;
	}
	m.file = strdup(x->file);
	make_printable(m.file);
	m.key = full_key(x, key);
	add_remark(x, &m);
}

int import_fail(struct import *x, const struct node *n, const char *key, const char *fmt, ...)
{
	_cleanup_(freep) char *full = full_key(x, key);
	va_list ap;

	va_start(ap, fmt);
	error_vset(x->error, -EINVAL, x->file, n ? n->line : x->line, full, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int import_fail_memory(struct import *x)
{
	return error_set(x->error, -ENOMEM, x->file, 0, NULL, "not enough memory, or too much to say about it");
}

const struct import_remark *import_remarks(const struct import *x, size_t *ret_nr)
{
	*ret_nr = x->nr_remarks;
	return x->remarks;
}

void import_unknown(struct import *x, const struct node *n, const char *key, const struct import_known *known)
{
	for (size_t i = 0; node_is(n, NODE_MAP) && i < n->nr; i++) {
		const struct import_known *k = known;
		char full[128];

		if (n->items[i]->kind == NODE_NULL)
			continue;
		while (k->key && strcmp(k->key, n->keys[i]))
			k++;
		if (k->key && !k->text)
			continue;
		snprintf(full, sizeof(full), "%s%s%.64s", key, *key ? "." : "", n->keys[i]);
		import_remark(x, k->key ? k->weight : IMPORT_CHANGE, n->items[i], full, "%s",
			      k->key ? k->text : "is not known; left out");
	}
}

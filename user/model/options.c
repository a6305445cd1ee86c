/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/options.h"

static size_t count(char *const *values)
{
	size_t n = 0;

	while (values && values[n])
		n++;
	return n;
}

void options_done(struct options *o)
{
	for (size_t i = 0; i < o->nr; i++) {
		for (char **v = o->at[i].values; v && *v; v++)
			free(*v);
		free(o->at[i].values);
		free(o->at[i].key);
	}
	free(o->at);
	*o = (struct options){ 0 };
}

static struct option *find(const struct options *o, const char *key)
{
	for (size_t i = 0; i < o->nr; i++)
		if (!strcmp(o->at[i].key, key))
			return &o->at[i];
	return NULL;
}

const struct option *options_find(const struct options *o, const char *key)
{
	return find(o, key);
}

static struct option *make(struct options *o, const char *key, unsigned line)
{
	struct option *more = reallocarray(o->at, o->nr + 1, sizeof(*more));
	struct option *new;

	if (!more)
		return NULL;
	o->at = more;
	new = &more[o->nr];
	*new = (struct option){ .key = strdup(key), .values = calloc(1, sizeof(char *)), .line = line };
	if (!new->key || !new->values) {
		free(new->key);
		free(new->values);
		return NULL;
	}
	o->nr++;
	return new;
}

int options_add(struct options *o, const char *key, const char *value, unsigned line)
{
	struct option *at = find(o, key);
	char **more, *copy;
	size_t nr;

	if (!at)
		at = make(o, key, line);
	if (!at)
		return -ENOMEM;
	if (!value)
		return 0; /* an empty list */
	nr = count(at->values);
	more = reallocarray(at->values, nr + 2, sizeof(*more));
	if (!more)
		return -ENOMEM;
	at->values = more;
	more[nr] = more[nr + 1] = NULL;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	more[nr] = copy;
	return 0;
}

int options_copy(const struct options *from, struct options *ret)
{
	struct options o = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < from->nr; i++) {
		r = options_add(&o, from->at[i].key, NULL, from->at[i].line);
		for (char **v = from->at[i].values; !r && *v; v++)
			r = options_add(&o, from->at[i].key, *v, from->at[i].line);
	}
	if (r) {
		options_done(&o);
		return r;
	}
	*ret = o;
	return 0;
}

/* Whatever the order they were written in. */
static bool is_among(const char *key, const char *const *keys)
{
	for (; keys && *keys; keys++)
		if (!strcmp(*keys, key))
			return true;
	return false;
}

static bool has_same(const struct option *o, const struct options *other)
{
	const struct option *same = find(other, o->key);
	size_t nr = count(o->values);

	if (!same || count(same->values) != nr)
		return false;
	for (size_t k = 0; k < nr; k++)
		if (strcmp(o->values[k], same->values[k]))
			return false;
	return true;
}

bool options_equal_but(const struct options *a, const struct options *b, const char *const *but)
{
	for (size_t i = 0; i < a->nr; i++)
		if (!is_among(a->at[i].key, but) && !has_same(&a->at[i], b))
			return false;
	for (size_t i = 0; i < b->nr; i++)
		if (!is_among(b->at[i].key, but) && !find(a, b->at[i].key))
			return false;
	return true;
}

bool options_equal(const struct options *a, const struct options *b)
{
	return options_equal_but(a, b, NULL);
}

const char *options_text(const struct options *o, const char *key, const char *def)
{
	const struct option *at = find(o, key);

	return at && *at->values ? *at->values : def;
}

uint32_t options_number(const struct options *o, const char *key, uint32_t def)
{
	const char *text = options_text(o, key, NULL);

	return text ? (uint32_t)strtoul(text, NULL, 10) : def;
}

uint32_t options_ms(const struct options *o, const char *key, uint32_t def)
{
	const char *text = options_text(o, key, NULL);
	unsigned long n;
	char *unit;

	if (!text)
		return def;
	n = strtoul(text, &unit, 10); /* "off" is 0 */
	if (!strcmp(unit, "s"))
		n *= 1000;
	else if (!strcmp(unit, "m"))
		n *= 60000;
	else if (!strcmp(unit, "h"))
		n *= 3600000;
	else if (!strcmp(unit, "d"))
		n *= 86400000;
	return (uint32_t)n;
}

bool options_bool(const struct options *o, const char *key, bool def)
{
	const char *text = options_text(o, key, NULL);

	return text ? !strcmp(text, "true") : def;
}

char *const *options_list(const struct options *o, const char *key)
{
	static char *const none[] = { NULL };
	const struct option *at = find(o, key);

	return at ? at->values : none;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Options of registries were kept as they were written; here they are held against the keys of their type. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/error.h"
#include "config/registries.h"
#include "config/scalar.h"

static int fail(const struct options_place *at, const struct option *o, struct config_error *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(const struct options_place *at, const struct option *o, struct config_error *e, const char *fmt, ...)
{
	char key[256];
	va_list ap;
	int r;

	snprintf(key, sizeof(key), "%s%s%s", at->key, o ? "." : "", o ? o->key : "");
	va_start(ap, fmt);
	r = error_vset(e, -EINVAL, at->file, o ? o->line : at->line, key, fmt, ap);
	va_end(ap);
	return r;
}

static const struct option_key *find_key(const struct option_key *keys, const char *key)
{
	for (; keys && keys->key; keys++)
		if (!strcmp(keys->key, key))
			return keys;
	return NULL;
}

static int fail_unknown(const struct options_place *at, const struct option *o, const struct option_key *const lists[2],
			const char *type, struct config_error *e)
{
	const char *known[64], *meant;
	char text[320] = "";
	struct quoted q;
	size_t nr = 0, len = 0;

	for (int l = 0; l < 2; l++)
		for (const struct option_key *k = lists[l]; k && k->key && nr < 64; k++)
			known[nr++] = k->key;
	meant = nearest(o->key, known, nr, sizeof(known[0]));
	if (meant)
		return fail(at, o, e, "unknown key %s of a registry of type %s; did you mean \"%s\"?",
			    quote(o->key, &q), type, meant);
	for (size_t i = 0; i < nr && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : "", known[i]);
	return fail(at, o, e, "unknown key %s of a registry of type %s; known here: %s", quote(o->key, &q), type, text);
}

static int check_number(const struct options_place *at, const struct option *o, const struct option_key *k,
			struct config_error *e)
{
	const char *text = *o->values;
	struct quoted q;
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < k->min || n > k->max)
		return fail(at, o, e, "must be a whole number from %u to %u, not %s", k->min, k->max, quote(text, &q));
	return 0;
}

static int check_duration(const struct options_place *at, const struct option *o, const struct option_key *k,
			  struct config_error *e)
{
	char min[DURATION_TEXT_LEN], max[DURATION_TEXT_LEN];
	const char *text = *o->values;
	struct quoted q;
	uint64_t ms = 0;

	if (!k->min && (!strcmp(text, "0") || !strcmp(text, "off")))
		return 0;
	if (!duration_parse(text, &ms))
		return fail(at, o, e, "must be a time such as 500ms, 30s, 5m, 3h or 1d, not %s", quote(text, &q));
	if (ms < k->min || ms > k->max)
		return fail(at, o, e, "must be from %s to %s, not %s", duration_format(k->min, min, sizeof(min)),
			    duration_format(k->max, max, sizeof(max)), quote(text, &q));
	return 0;
}

static int check_choice(const struct options_place *at, const struct option *o, const struct option_key *k,
			struct config_error *e)
{
	char known[256] = "";
	struct quoted q;
	size_t len = 0;

	for (const char *const *c = k->choices; *c; c++) {
		if (!strcmp(*c, *o->values))
			return 0;
		if (len < sizeof(known))
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", *c);
	}
	return fail(at, o, e, "must be one of %s; not %s", known, quote(*o->values, &q));
}

static int check_value(const struct options_place *at, const struct option *o, const struct option_key *k,
		       struct config_error *e)
{
	struct quoted q;

	if (k->kind == OPTION_LIST)
		return k->required && !*o->values ? fail(at, o, e, "must hold at least one") : 0;
	if (!*o->values || o->values[1])
		return fail(at, o, e, "must be a word, not a list");
	switch (k->kind) {
	case OPTION_NUMBER:
		return check_number(at, o, k, e);
	case OPTION_DURATION:
		return check_duration(at, o, k, e);
	case OPTION_CHOICE:
		return check_choice(at, o, k, e);
	case OPTION_BOOL:
		if (strcmp(*o->values, "true") && strcmp(*o->values, "false"))
			return fail(at, o, e, "must be true or false, not %s", quote(*o->values, &q));
		return 0;
	case OPTION_PATH:
		if (**o->values != '/')
			return fail(at, o, e, "must be an absolute path, one that begins with \"/\"; not %s",
				    quote(*o->values, &q));
		return 0;
	default:
		return **o->values ? 0 : fail(at, o, e, "must not be empty");
	}
}

static bool is_own(const char *const *own, const char *key)
{
	for (; *own; own++)
		if (!strcmp(*own, key))
			return true;
	return false;
}

int options_check(const struct options *o, enum option_use use, const struct registry_type *type,
		  const char *const *own, const struct options_place *at, struct config_error *ret_error)
{
	const struct option_key *const lists[2] = { type->keys[use], common_keys[use] };
	int r;

	for (size_t i = 0; i < o->nr; i++) {
		const struct option_key *k;

		if (is_own(own, o->at[i].key))
			continue;
		k = find_key(lists[0], o->at[i].key);
		if (!k)
			k = find_key(lists[1], o->at[i].key);
		if (!k)
			return fail_unknown(at, &o->at[i], lists, type->type, ret_error);
		r = check_value(at, &o->at[i], k, ret_error);
		if (r)
			return r;
	}
	for (int l = 0; l < 2; l++)
		for (const struct option_key *k = lists[l]; k && k->key; k++)
			if (k->required && !options_find(o, k->key))
				return fail(at, NULL, ret_error, "\"%s\" is missing", k->key);
	return 0;
}

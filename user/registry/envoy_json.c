/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/envoy_json.h"

#define KEY_MOST 64

void envoy_odd_say(struct envoy_odd *o, const char *fmt, ...)
{
	va_list ap;

	if (o->nr++)
		return;
	va_start(ap, fmt);
	vsnprintf(o->text, sizeof(o->text), fmt, ap);
	va_end(ap);
}

json_t *envoy_get(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	char camel[KEY_MOST];
	size_t n = 0;

	if (!value) {
		for (const char *at = key; *at && n + 1 < sizeof(camel); at++) {
			if (*at != '_')
				camel[n++] = *at;
			else if (at[1])
				camel[n++] = (char)(*++at - ('a' - 'A'));
		}
		camel[n] = '\0';
		value = json_object_get(object, camel);
	}
	return value && !json_is_null(value) ? value : NULL;
}

const char *envoy_text(const json_t *object, const char *key)
{
	const json_t *value = envoy_get(object, key);
	const char *text = json_string_value(value);

	/* A NUL within would make it another text. */
	return text && *text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* "80", "8e1", "-1.5": all of it, and finite. */
static int parse_number(const json_t *value, double *ret)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_number(value)) {
		*ret = json_number_value(value);
		return 0;
	}
	if (!text || !*text || strspn(text, "0123456789+-.eE") != json_string_length(value))
		return -EINVAL;
	*ret = strtod(text, &end);
	return *end || !isfinite(*ret) ? -EINVAL : 0;
}

int envoy_real(const json_t *object, const char *key, double def, double *ret)
{
	const json_t *value = envoy_get(object, key);
	double n;

	*ret = def;
	if (!value)
		return 0;
	if (parse_number(value, &n))
		return -EINVAL;
	*ret = n;
	return 0;
}

int envoy_number(const json_t *object, const char *key, uint32_t def, uint32_t *ret)
{
	double n;
	int r = envoy_real(object, key, def, &n);

	*ret = def;
	if (r || !(n >= 0) || n > UINT32_MAX || n != floor(n))
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

int envoy_bool(const json_t *object, const char *key, bool def, bool *ret)
{
	const json_t *value = envoy_get(object, key);

	*ret = value && json_is_boolean(value) ? json_is_true(value) : def;
	return value && !json_is_boolean(value) ? -EINVAL : 0;
}

int envoy_ms(const json_t *object, const char *key, uint32_t def, uint32_t *ret)
{
	const json_t *value = envoy_get(object, key);
	const char *text = json_string_value(value);
	double seconds;
	char *end;

	*ret = def;
	if (!value)
		return 0;
	if (!text || *text < '0' || *text > '9' || strspn(text, "0123456789.") + 1 != json_string_length(value))
		return -EINVAL;
	seconds = strtod(text, &end);
	if (strcmp(end, "s") != 0)
		return -EINVAL;
	seconds = ceil(seconds * 1000 - 1e-6);
	*ret = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
	return 0;
}

int envoy_enum(const json_t *object, const char *key, const char *const *words, unsigned *ret)
{
	const json_t *value = envoy_get(object, key);
	const char *text = json_string_value(value);
	unsigned nr = 0;
	double n;

	*ret = 0;
	for (; words[nr]; nr++)
		if (text && *text && !strcmp(words[nr], text)) {
			*ret = nr;
			return 0;
		}
	if (!value)
		return 0;
	if (parse_number(value, &n) || !(n >= 0) || n >= nr || n != floor(n))
		return -EINVAL;
	*ret = (unsigned)n;
	return 0;
}

bool envoy_is_a(const json_t *object, const char *message)
{
	const char *type = json_string_value(json_object_get(object, "@type"));
	const char *last = type ? strrchr(type, '.') : NULL;

	return !type || !strcmp(last ? last + 1 : type, message);
}

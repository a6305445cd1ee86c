/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/error.h"
#include "config/scalar.h"

static const struct unit {
	const char *name;
	uint32_t ms;
} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static bool is_plain(const struct reader *rd)
{
	return rd->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

int scalar_copy(struct reader *rd, const char *text, char **ret)
{
	char *copy = strdup(text);

	if (!copy)
		return reader_fail_memory(rd);
	free(*ret);
	*ret = copy;
	return 0;
}

/* Digits without a leading zero, at most 10. Returns what follows, or NULL. */
static const char *parse_digits(const char *text, uint64_t *ret)
{
	const char *at = text;
	uint64_t n = 0;

	for (; *at >= '0' && *at <= '9' && at - text < 10; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	if (at == text || (*text == '0' && at - text > 1) || (*at >= '0' && *at <= '9'))
		return NULL;
	*ret = n;
	return at;
}

int scalar_number(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret)
{
	const char *text, *end;
	struct quoted q;
	uint64_t n = 0;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!is_plain(rd))
		return reader_fail(rd, "must be a number; %s is in quotes", quote(text, &q));
	end = parse_digits(text, &n);
	if (!end || *end || n < min || n > max)
		return reader_fail(rd, "must be a whole number from %u to %u, not %s", min, max, quote(text, &q));
	*ret = (uint32_t)n;
	return 0;
}

int scalar_bool(struct reader *rd, bool *ret)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!is_plain(rd) || (strcmp(text, "true") && strcmp(text, "false")))
		return reader_fail(rd, "must be true or false, not %s", quote(text, &q));
	*ret = *text == 't';
	return 0;
}

char *duration_format(uint32_t ms, char *text, size_t len)
{
	size_t i = 0;

	while (ms % units[i].ms)
		i++;
	if (ms)
		snprintf(text, len, "%u%s", ms / units[i].ms, units[i].name);
	else
		snprintf(text, len, "0");
	return text;
}

bool duration_parse(const char *text, uint64_t *ret_ms)
{
	const char *unit;
	uint64_t n = 0;

	unit = parse_digits(text, &n);
	for (size_t i = 0; unit && i < NR(units); i++)
		if (!strcmp(unit, units[i].name)) {
			*ret_ms = n * units[i].ms;
			return true;
		}
	return false;
}

bool config_duration(const char *text, uint64_t *ret_ms)
{
	return duration_parse(text, ret_ms);
}

int scalar_duration(struct reader *rd, uint32_t min_ms, uint32_t max_ms, bool zero, uint32_t *ret_ms)
{
	char min[DURATION_TEXT_LEN], max[DURATION_TEXT_LEN];
	const char *text;
	struct quoted q;
	uint64_t ms = 0;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (zero && (!strcmp(text, "0") || !strcmp(text, "off"))) {
		*ret_ms = 0;
		return 0;
	}
	if (!duration_parse(text, &ms))
		return reader_fail(rd, "must be a time such as 500ms, 30s, 5m, 3h or 1d, not %s", quote(text, &q));
	if (ms < min_ms || ms > max_ms)
		return reader_fail(rd, "must be from %s to %s%s, not %s", duration_format(min_ms, min, sizeof(min)),
				   duration_format(max_ms, max, sizeof(max)), zero ? ", or off" : "", quote(text, &q));
	*ret_ms = (uint32_t)ms;
	return 0;
}

int scalar_choice(struct reader *rd, const char *const *words, size_t nr, unsigned *ret)
{
	const char *text, *meant;
	char known[128] = "";
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(words[i], text)) {
			*ret = (unsigned)i;
			return 0;
		}
	meant = nearest(text, words, nr, sizeof(*words));
	if (meant)
		return reader_fail(rd, "%s is not known; did you mean \"%s\"?", quote(text, &q), meant);
	for (size_t i = 0, at = 0; i < nr && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", words[i]);
	return reader_fail(rd, "must be one of %s; not %s", known, quote(text, &q));
}

int scalar_path(struct reader *rd, size_t max, char **ret)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (*text != '/')
		return reader_fail(rd, "must be an absolute path, one that begins with \"/\"; not %s", quote(text, &q));
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return reader_fail(rd, "a path with a control character: %s", quote(text, &q));
	if (strlen(text) > max)
		return reader_fail(rd, "a path of %zu bytes is too long, %zu are the most", strlen(text), max);
	return scalar_copy(rd, text, ret);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Annotations of a Service that are for us. They may say what weft.yaml may, within the same bounds. */
#include <stdlib.h>
#include <string.h>

#include "registry/kube_object.h"

#define PREFIX		"weft.io/"
#define CONNECT_MIN_MS	20u
#define CONNECT_MAX_MS	127000u
#define DAY_MS		(24u * 3600 * 1000)
#define CONNECTIONS_MAX 100000000u

/* Digits only, at most @max; false: it is none. */
static bool read_digits(const char **text, uint64_t max, uint64_t *ret)
{
	const char *at = *text;
	uint64_t n = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > max)
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	*ret = n;
	return true;
}

/* "500ms", "30s", "5m", "3h", "1d" between @min and @max; "off" is 0. */
static bool read_duration(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", DAY_MS } };
	uint64_t n;

	if (!strcmp(text, "off")) {
		*ret = 0;
		return true;
	}
	if (!read_digits(&text, UINT32_MAX, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name) || n * units[i].ms < min || n * units[i].ms > max)
			continue;
		*ret = (uint32_t)(n * units[i].ms);
		return true;
	}
	return false;
}

static bool read_word(const char *text, const char *yes, const char *no, bool *ret)
{
	*ret = !strcmp(text, yes);
	return *ret || !strcmp(text, no);
}

static bool read_balance(const char *text, struct kube_wishes *w)
{
	int lb = lb_from_name(text);

	w->has_balance = lb >= 0;
	w->balance = (uint8_t)(lb < 0 ? 0 : lb);
	return w->has_balance;
}

static bool read_connections(const char *text, struct kube_wishes *w)
{
	uint64_t n = 0;

	if (!strcmp(text, "off"))
		return true;
	if (!read_digits(&text, CONNECTIONS_MAX, &n) || *text || !n)
		return false;
	w->max_connections = (uint32_t)n;
	return true;
}

/* False: unknown, or a value that means nothing. */
static bool read_wish(const char *key, const char *text, struct kube_wishes *w)
{
	if (!strcmp(key, "ignore"))
		return read_word(text, "true", "false", &w->ignore);
	if (!strcmp(key, "serve"))
		return read_word(text, "true", "false", &w->serve);
	if (!strcmp(key, "balance"))
		return read_balance(text, w);
	if (!strcmp(key, "ejection"))
		return w->has_ejection = read_word(text, "on", "off", &w->ejection);
	if (!strcmp(key, "connect-timeout"))
		return w->has_connect = read_duration(text, CONNECT_MIN_MS, CONNECT_MAX_MS, &w->connect_ms);
	if (!strcmp(key, "drain-timeout"))
		return w->has_drain = read_duration(text, 1, 7 * DAY_MS, &w->drain_ms);
	if (!strcmp(key, "slow-start"))
		return w->has_slow_start = read_duration(text, 1, DAY_MS, &w->slow_start_ms);
	if (!strcmp(key, "max-connections"))
		return read_connections(text, w);
	return false;
}

void kube_wishes_decode(const json_t *annotations, const char *service, const struct kube_odd *odd,
			struct kube_wishes *ret)
{
	const char *key;
	json_t *value;

	*ret = (struct kube_wishes){ 0 };
	json_object_foreach((json_t *)annotations, key, value)
	{
		if (strncmp(key, PREFIX, sizeof(PREFIX) - 1))
			continue;
		if (!json_is_string(value) || !read_wish(key + sizeof(PREFIX) - 1, json_string_value(value), ret))
			kube_odd_say(odd, "%s: annotation %.80s has no meaning here", service, key);
	}
}

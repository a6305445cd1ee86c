/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Eureka's JSON, which was made from XML: a list of one may be written without its brackets, numbers and truth may be
 * text, and an underscore in a key is doubled by some writers.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/eureka_inside.h"

#define METADATA_MOST 64

static int copy(const json_t *j, char **ret)
{
	const char *text = json_string_value(j);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* {"$": 8080, "@enabled": "true"} */
static uint16_t read_port(const json_t *j, bool by_default)
{
	const json_t *number = json_object_get(j, "$"), *enabled = json_object_get(j, "@enabled");
	const char *said = json_string_value(enabled), *text = json_string_value(number);
	long long n = json_is_integer(number) ? json_integer_value(number) : text ? strtoll(text, NULL, 10) : 0;
	bool on = by_default;

	if (json_is_boolean(enabled))
		on = json_is_true(enabled);
	else if (said)
		on = !strcasecmp(said, "true");
	return on && n > 0 && n <= 65535 ? (uint16_t)n : 0;
}

static int read_metadata(const json_t *j, struct eureka_instance *i)
{
	const char *key;
	const json_t *value;
	size_t most = json_object_size(j);

	if (most > METADATA_MOST)
		most = METADATA_MOST;
	i->metadata = calloc(most ? most : 1, sizeof(*i->metadata));
	if (!i->metadata)
		return -ENOMEM;
	json_object_foreach((json_t *)j, key, value)
	{
		struct label *l = &i->metadata[i->nr_metadata];

		if (!json_is_string(value) || *key == '@' || i->nr_metadata == most)
			continue;
		l->key = strdup(key);
		l->value = strdup(json_string_value(value));
		i->nr_metadata++;
		if (!l->key || !l->value)
			return -ENOMEM;
	}
	return 0;
}

static int read_zone(const json_t *j, struct eureka_instance *i)
{
	const json_t *own = json_object_get(json_object_get(j, "metadata"), "zone"),
		     *amazon = json_object_get(json_object_get(json_object_get(j, "dataCenterInfo"), "metadata"),
					       "availability-zone");

	return copy(json_is_string(own) ? own : amazon, &i->zone);
}

static void capitals(char *text)
{
	for (; text && *text; text++)
		*text = (char)toupper((unsigned char)*text);
}

/* Who it is; -EINVAL without an app, or an id or a host name in its place. */
static int read_who(const json_t *j, const char *app, struct eureka_instance *i)
{
	const json_t *own = json_object_get(j, "app"), *id = json_object_get(j, "instanceId");
	const char *name = json_is_string(own) ? json_string_value(own) : app;
	int r = 0;

	if (!name || !*name)
		return -EINVAL;
	i->app = strdup(name);
	capitals(i->app);
	if (!json_is_string(id)) /* servers before 1.4 */
		id = json_object_get(j, "hostName");
	r = copy(id, &i->id);
	if (!i->app || r)
		return -ENOMEM;
	return i->id && *i->id ? 0 : -EINVAL;
}

static int read_instance(const json_t *j, const char *app, struct eureka_instance *i)
{
	const char *status = json_string_value(json_object_get(j, "status"));
	int r = read_who(j, app, i);

	if (r)
		return r;
	snprintf(i->status, sizeof(i->status), "%s", status ? status : "UNKNOWN");
	i->port = read_port(json_object_get(j, "port"), true);
	i->secure_port = read_port(json_object_get(j, "securePort"), false);
	if (copy(json_object_get(j, "hostName"), &i->host) || copy(json_object_get(j, "ipAddr"), &i->address) ||
	    copy(json_object_get(j, "vipAddress"), &i->vip) ||
	    copy(json_object_get(j, "secureVipAddress"), &i->secure_vip) ||
	    copy(json_object_get(j, "asgName"), &i->group) || read_zone(j, i) ||
	    read_metadata(json_object_get(j, "metadata"), i))
		return -ENOMEM;
	return 0;
}

static bool is_deleted(const json_t *j)
{
	const char *said = json_string_value(json_object_get(j, "actionType"));

	return said && !strcmp(said, "DELETED");
}

static int take_instance(const json_t *j, const char *app, bool delta, struct eureka_table *t, struct eureka_news *news)
{
	_cleanup_(eureka_instance_done) struct eureka_instance i = { 0 };
	int r = read_instance(j, app, &i);

	news->instances++;
	if (r == -EINVAL) {
		news->odd++;
		return 0;
	}
	if (r)
		return r;
	if (!delta || !is_deleted(j))
		return eureka_table_put(t, &i);
	eureka_table_drop(t, &i);
	return 0;
}

/* A list, or the one element of it without brackets. @at counts; NULL: that was all. */
static const json_t *element(const json_t *j, size_t at)
{
	if (json_is_array(j))
		return json_array_get(j, at);
	return at || !json_is_object(j) ? NULL : j;
}

static int take_application(const json_t *j, bool delta, struct eureka_table *t, struct eureka_news *news)
{
	const json_t *list = json_object_get(j, "instance"), *one;
	const char *name = json_string_value(json_object_get(j, "name"));
	int r = 0;

	for (size_t i = 0; !r && (one = element(list, i)); i++)
		r = take_instance(one, name, delta, t, news);
	return r;
}

static int read_answer(const char *text, size_t len, bool delta, struct eureka_table *t, struct eureka_news *ret)
{
	json_t *j = json_loadb(text, len, 0, NULL);
	const json_t *all = json_object_get(j, "applications"), *list = json_object_get(all, "application"), *one;
	const json_t *hash = json_object_get(all, "apps__hashcode");
	int r = json_is_object(all) ? 0 : -EINVAL;

	*ret = (struct eureka_news){ 0 };
	if (!hash)
		hash = json_object_get(all, "apps_hashcode");
	if (json_is_string(hash))
		snprintf(ret->hash, sizeof(ret->hash), "%s", json_string_value(hash));
	for (size_t i = 0; !r && (one = element(list, i)); i++)
		r = take_application(one, delta, t, ret);
	json_decref(j);
	return r;
}

int eureka_read_all(const char *text, size_t len, struct eureka_table *t, struct eureka_news *ret)
{
	return read_answer(text, len, false, t, ret);
}

int eureka_read_delta(const char *text, size_t len, struct eureka_table *t, struct eureka_news *ret)
{
	return read_answer(text, len, true, t, ret);
}

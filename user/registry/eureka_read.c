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
#include "registry/eureka_read.h"

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

static int take_instance(struct eureka_reader *r, const json_t *j, const char *app)
{
	_cleanup_(eureka_instance_done) struct eureka_instance i = { 0 };
	int error = read_instance(j, app, &i);

	r->news.instances++;
	if (error == -EINVAL) {
		r->news.odd++;
		return 0;
	}
	if (error)
		return error;
	i.deleted = is_deleted(j);
	return eureka_table_append(&r->got, &i);
}

/* A list, or the one element of it without brackets. @at counts; NULL: that was all. */
static const json_t *element(const json_t *j, size_t at)
{
	if (json_is_array(j))
		return json_array_get(j, at);
	return at || !json_is_object(j) ? NULL : j;
}

static int take_application(void *ctx, const char *text, size_t len)
{
	struct eureka_reader *r = ctx;
	_cleanup_(json_decrefp) json_t *j = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	const json_t *list = json_object_get(j, "instance"), *one;
	const char *name = json_string_value(json_object_get(j, "name"));
	int error = 0;

	if (!j) {
		r->news.instances++;
		r->news.odd++;
	}
	for (size_t i = 0; !error && (one = element(list, i)); i++)
		error = take_instance(r, one, name);
	return error;
}

void eureka_reader_begin(struct eureka_reader *r)
{
	eureka_reader_done(r);
	r->split.item = take_application;
	r->split.ctx = r;
}

void eureka_reader_done(struct eureka_reader *r)
{
	eureka_split_done(&r->split);
	eureka_table_done(&r->got);
	*r = (struct eureka_reader){ 0 };
}

int eureka_reader_feed(struct eureka_reader *r, const char *data, size_t len)
{
	r->error = len > EUREKA_ANSWER_MOST - r->len ? -E2BIG : eureka_split_feed(&r->split, data, len);
	r->len += len;
	return r->error;
}

/* What stands around the applications. */
static int read_rest(struct eureka_reader *r)
{
	_cleanup_(json_decrefp) json_t *j = NULL;
	const json_t *all, *hash;

	if (eureka_split_end(&r->split))
		return -EINVAL;
	j = json_loadb(r->split.rest.at, r->split.rest.len, 0, NULL);
	all = json_object_get(j, "applications");
	hash = json_object_get(all, "apps__hashcode");
	if (!json_is_object(all))
		return -EINVAL;
	if (!hash)
		hash = json_object_get(all, "apps_hashcode");
	if (json_is_string(hash))
		snprintf(r->news.hash, sizeof(r->news.hash), "%s", json_string_value(hash));
	return 0;
}

int eureka_reader_delta(struct eureka_reader *r, struct eureka_table *t)
{
	int error = read_rest(r);

	return error ? error : eureka_table_apply(t, &r->got);
}

int eureka_reader_all(struct eureka_reader *r, struct eureka_table *t)
{
	struct eureka_table fresh = { 0 };
	int error = read_rest(r);

	for (size_t i = 0; i < r->got.nr; i++)
		r->got.at[i].deleted = false;
	error = error ? error : eureka_table_apply(&fresh, &r->got);
	if (error)
		return error;
	eureka_table_done(t);
	*t = fresh;
	return 0;
}

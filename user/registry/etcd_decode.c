/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/base64.h"
#include "registry/etcd_decode.h"
#include "registry/instance_json.h"

static void key_done(struct etcd_key *k)
{
	free(k->key);
	free(k->value);
}

void etcd_keys_done(struct etcd_keys *k)
{
	for (size_t i = 0; i < k->nr; i++)
		key_done(&k->at[i]);
	free(k->at);
	*k = (struct etcd_keys){ 0 };
}

static int compare(const struct etcd_key *a, const struct etcd_key *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int r = memcmp(a->key, b->key, len);

	return r ? r : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static size_t lower(const struct etcd_keys *k, const struct etcd_key *key, bool *ret_there)
{
	size_t low = 0, high = k->nr;

	*ret_there = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = compare(&k->at[middle], key);

		if (!r) {
			*ret_there = true;
			return middle;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Takes @key. */
static int put(struct etcd_keys *k, struct etcd_key *key)
{
	bool there;
	size_t i = lower(k, key, &there);

	if (there) {
		key_done(&k->at[i]);
		k->at[i] = *key;
		return 0;
	}
	if (k->nr == k->capacity) {
		size_t want = k->capacity ? k->capacity * 2 : 16;
		struct etcd_key *more = reallocarray(k->at, want, sizeof(*more));

		if (!more) {
			key_done(key);
			return -ENOMEM;
		}
		k->at = more;
		k->capacity = want;
	}
	memmove(&k->at[i + 1], &k->at[i], (k->nr - i) * sizeof(*k->at));
	k->at[i] = *key;
	k->nr++;
	return 0;
}

static void drop(struct etcd_keys *k, struct etcd_key *key)
{
	bool there;
	size_t i = lower(k, key, &there);

	if (there) {
		key_done(&k->at[i]);
		k->nr--;
		memmove(&k->at[i], &k->at[i + 1], (k->nr - i) * sizeof(*k->at));
	}
	key_done(key);
}

/* {"key": base64, "value": base64}; fields that are empty are left out. */
static int read_kv(const json_t *kv, struct etcd_key *ret)
{
	const char *key = json_string_value(json_object_get(kv, "key"));
	const char *value = json_string_value(json_object_get(kv, "value"));

	*ret = (struct etcd_key){ 0 };
	ret->key = base64_decode(key ? key : "", &ret->key_len);
	ret->value = base64_decode(value ? value : "", &ret->value_len);
	if (key && ret->key && ret->value)
		return 0;
	key_done(ret);
	return -EPROTO;
}

static int64_t number_of(const json_t *j, int64_t def)
{
	const char *text = json_string_value(j);
	char *end;
	long long n;

	if (json_is_integer(j))
		return json_integer_value(j);
	if (!text || !*text)
		return def;
	n = strtoll(text, &end, 10);
	return *end ? def : n;
}

int etcd_read_range(const char *body, size_t len, struct etcd_keys *k, struct etcd_range *ret)
{
	_cleanup_(json_decrefp) json_t *j = json_loadb(body, len, 0, NULL);
	const json_t *list = json_object_get(j, "kvs"), *kv;
	struct etcd_key key;
	size_t i;
	int r = 0;

	*ret = (struct etcd_range){
		.revision = number_of(json_object_get(json_object_get(j, "header"), "revision"), 0),
		.more = json_is_true(json_object_get(j, "more")),
	};
	if (ret->revision <= 0 || (list && !json_is_array(list)))
		return -EPROTO;
	json_array_foreach(list, i, kv)
	{
		r = read_kv(kv, &key);
		if (!r)
			r = put(k, &key);
		if (r)
			return r;
	}
	return 0;
}

static int apply(const json_t *event, struct etcd_keys *k)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	struct etcd_key key;
	int r;

	r = read_kv(json_object_get(event, "kv"), &key);
	if (r)
		return r;
	if (!type || strcmp(type, "DELETE"))
		return put(k, &key);
	drop(k, &key);
	return 0;
}

int etcd_read_watch(const char *line, size_t len, struct etcd_keys *k, struct etcd_news *ret)
{
	_cleanup_(json_decrefp) json_t *j = json_loadb(line, len, 0, NULL);
	const json_t *result = json_object_get(j, "result"), *error = json_object_get(j, "error");
	const json_t *events = json_object_get(result, "events"), *event;
	const char *text;
	size_t i;
	int r;

	*ret = (struct etcd_news){ .error = error };
	if (error) {
		text = json_string_value(json_object_get(error, "message"));
		snprintf(ret->text, sizeof(ret->text), "%s", text ? text : "an error");
		return 0;
	}
	if (!json_is_object(result))
		return -EPROTO;
	ret->created = json_is_true(json_object_get(result, "created"));
	ret->canceled = json_is_true(json_object_get(result, "canceled"));
	ret->revision = number_of(json_object_get(json_object_get(result, "header"), "revision"), 0);
	ret->compact_revision = number_of(json_object_get(result, "compact_revision"), 0);
	text = json_string_value(json_object_get(result, "cancel_reason"));
	snprintf(ret->text, sizeof(ret->text), "%s", text ? text : "");
	json_array_foreach(events, i, event)
	{
		r = apply(event, k);
		if (r)
			return r;
		ret->events++;
	}
	return 0;
}

int etcd_found(const struct etcd_keys *k, struct found *f, size_t *ret_odd)
{
	*ret_odd = 0;
	for (size_t i = 0; i < k->nr; i++) {
		const struct etcd_key *key = &k->at[i];
		const char *slash = strrchr(key->key, '/'), *id = slash ? slash + 1 : key->key;
		int r = instance_read(key->value, key->value_len, id, id, f);

		if (r == -ENOMEM)
			return r;
		*ret_odd += r != 0;
	}
	return 0;
}

/* ---- bodies ---- */

static char *finish(json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(j);
	return text;
}

/* The first key that does not begin with @prefix: the last byte that can be counted up is. All keys: "\0". */
static char *end_of(const char *prefix)
{
	size_t len = strlen(prefix);
	_cleanup_(freep) char *end = strdup(prefix);

	if (!end)
		return NULL;
	while (len && (unsigned char)end[len - 1] == 0xff)
		len--;
	if (!len)
		return base64_encode("", 1);
	end[len - 1]++;
	return base64_encode(end, len);
}

static json_t *range_of(const char *prefix, const struct etcd_key *after)
{
	_cleanup_(freep) char *key = NULL, *end = end_of(prefix);

	/* Behind a key comes the same with a NUL. */
	key = after ? base64_encode(after->key, after->key_len + 1) : base64_encode(prefix, strlen(prefix));
	return key && end ? json_pack("{s:s s:s}", "key", key, "range_end", end) : NULL;
}

char *etcd_range_body(const char *prefix, const struct etcd_key *after, int64_t revision, unsigned limit)
{
	json_t *j = range_of(prefix, after);
	char text[32];

	if (!j)
		return NULL;
	json_object_set_new(j, "limit", json_integer(limit));
	snprintf(text, sizeof(text), "%" PRId64, revision);
	if (revision)
		json_object_set_new(j, "revision", json_string(text));
	return finish(j);
}

char *etcd_watch_body(const char *prefix, int64_t revision)
{
	json_t *range = range_of(prefix, NULL);
	char text[32];

	if (!range)
		return NULL;
	snprintf(text, sizeof(text), "%" PRId64, revision);
	json_object_set_new(range, "start_revision", json_string(text));
	json_object_set_new(range, "progress_notify", json_true());
	return finish(json_pack("{s:o}", "create_request", range));
}

char *etcd_put_body(const char *key, const char *value, int64_t lease)
{
	_cleanup_(freep) char *k = base64_encode(key, strlen(key)), *v = base64_encode(value, strlen(value));
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, lease);
	return k && v ? finish(json_pack("{s:s s:s s:s}", "key", k, "value", v, "lease", text)) : NULL;
}

char *etcd_delete_body(const char *key)
{
	_cleanup_(freep) char *k = base64_encode(key, strlen(key));

	return k ? finish(json_pack("{s:s}", "key", k)) : NULL;
}

char *etcd_auth_body(const char *user, const char *password)
{
	return finish(json_pack("{s:s s:s}", "name", user, "password", password));
}

/* ---- single values ---- */

int64_t etcd_number(const char *body, size_t len, const char *key, int64_t def)
{
	_cleanup_(json_decrefp) json_t *j = json_loadb(body, len, 0, NULL);

	return number_of(json_object_get(j, key), def);
}

int64_t etcd_result_number(const char *body, size_t len, const char *key, int64_t def)
{
	_cleanup_(json_decrefp) json_t *j = json_loadb(body, len, JSON_DISABLE_EOF_CHECK, NULL);

	return number_of(json_object_get(json_object_get(j, "result"), key), def);
}

bool etcd_text(const char *body, size_t len, const char *key, char *ret, size_t room)
{
	_cleanup_(json_decrefp) json_t *j = json_loadb(body, len, 0, NULL);
	const char *text = json_string_value(json_object_get(j, key));

	snprintf(ret, room, "%s", text ? text : "");
	return text;
}

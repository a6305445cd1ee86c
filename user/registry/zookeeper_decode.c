/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/base64.h"
#include "registry/zookeeper_decode.h"

#define DIGITS 10 /* of a sequence number: "%010d" */

/* ---- names ---- */

bool zk_sequence(const char *name, int64_t *ret)
{
	size_t len = strlen(name), nr = 0;
	int64_t n = 0;

	while (nr < len && nr < DIGITS && name[len - 1 - nr] >= '0' && name[len - 1 - nr] <= '9')
		nr++;
	for (const char *at = name + len - nr; *at; at++)
		n = n * 10 + (*at - '0');
	/* "%010d": a minus takes the place of a digit, but of the largest numbers. */
	if (nr < len && name[len - 1 - nr] == '-' && (nr == DIGITS - 1 || n > INT32_MAX))
		n = -n;
	else if (nr != DIGITS || n > INT32_MAX)
		return false;
	*ret = n;
	return true;
}

/* RFC 4648's alphabet for URLs and file names. */
static void swap_alphabet(char *text, const char *from, const char *to)
{
	for (char *at = text; *at; at++)
		if (*at == from[0])
			*at = to[0];
		else if (*at == from[1])
			*at = to[1];
}

char *zk_name_holds(const char *name, size_t *ret_len)
{
	_cleanup_(freep) char *text = NULL;
	unsigned long want;
	char *end;

	if (strncmp(name, "base64_", 7) || name[7] < '1' || name[7] > '9')
		return NULL;
	want = strtoul(name + 7, &end, 10);
	if (*end != '_' || want > ZK_NAME_MOST || strlen(end + 1) <= want || end[1 + want] != '_')
		return NULL;
	text = strndup(end + 1, want);
	if (!text)
		return NULL;
	swap_alphabet(text, "-_", "+/");
	return base64_decode(text, ret_len);
}

int zk_name_for(const char *json, char **ret)
{
	_cleanup_(freep) char *text = base64_encode(json, strlen(json));

	if (!text)
		return -ENOMEM;
	if (strlen(text) > ZK_NAME_MOST)
		return -E2BIG;
	swap_alphabet(text, "+/", "-_");
	return asprintf(ret, "base64_%zu_%s_", strlen(text), text) < 0 ? -ENOMEM : 0;
}

/* ---- contents ---- */

static int add_endpoint(const json_t *at, const char *name, bool unready, const char *id, struct found *f)
{
	const json_t *port = json_object_get(at, "port");
	json_int_t n = json_integer_value(port);

	if (!json_is_integer(port) || n < 1 || n > 65535)
		return -EINVAL;
	return found_add(f, &(struct found_args){ .host = json_string_value(json_object_get(at, "host")),
						  .port = (uint32_t)n,
						  .name = name,
						  .id = id,
						  .unready = unready });
}

/* One that does not say that it is alive (DEAD, STARTING, STOPPING, WARNING ...) is not used; Synapse does not ask. */
static int read_serverset(const struct zk_how *how, const char *text, size_t len, const char *id, struct found *f)
{
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *shard = json_object_get(j, "shard"), *at;
	const char *status = json_string_value(json_object_get(j, "status"));
	char name[32] = "";
	int r;

	if (how->endpoint_name)
		at = json_object_get(json_object_get(j, "additionalEndpoints"), how->endpoint_name);
	else
		at = json_object_get(j, "serviceEndpoint");
	if (json_is_integer(shard))
		snprintf(name, sizeof(name), "%lld", (long long)json_integer_value(shard));
	r = add_endpoint(at, *name ? name : NULL, status && strcmp(status, "ALIVE"), id, f);
	json_decref(j);
	return r;
}

int zk_read_child(const struct zk_how *how, const char *name, const char *text, size_t len, struct found *f)
{
	_cleanup_(freep) char *held = NULL;
	char id[32];
	int64_t n;
	bool has_id = zk_sequence(name, &n);

	if (has_id)
		snprintf(id, sizeof(id), "%lld", (long long)n);
	if (how->decode == ZK_SERVERSET)
		return read_serverset(how, text, len, has_id ? id : NULL, f);
	held = zk_name_holds(name, &len);
	return instance_read(held ? held : text, len, has_id ? id : NULL, NULL, f);
}

void zk_keep_leader(struct found *f)
{
	long long least = LLONG_MAX;
	size_t leader = SIZE_MAX;

	for (size_t i = 0; i < f->nr; i++) {
		long long n = f->at[i].id ? strtoll(f->at[i].id, NULL, 10) : LLONG_MAX;

		if (n < least) {
			least = n;
			leader = i;
		}
	}
	for (size_t i = 0; i < f->nr; i++)
		if (i != leader)
			found_endpoint_done(&f->at[i]);
	if (leader != SIZE_MAX)
		f->at[0] = f->at[leader];
	f->nr = leader != SIZE_MAX;
}

bool zk_is_own(const char *name, const char *text, size_t len, const struct instance *own)
{
	_cleanup_(freep) char *held = zk_name_holds(name, &len);
	json_t *j = json_loadb(held ? held : text, len, 0, NULL);
	const char *host = json_string_value(json_object_get(j, "host")),
		   *id = json_string_value(json_object_get(j, "name"));
	bool is = host && id && !strcmp(host, own->host) && !strcmp(id, own->name) &&
		  json_integer_value(json_object_get(j, "port")) == own->port;

	json_decref(j);
	return is;
}

static bool read_flag(const json_t *j, const char *key, bool *ret_has, bool *ret)
{
	const json_t *flag = json_object_get(j, key);

	*ret_has = flag != NULL;
	*ret = json_is_true(flag);
	return !flag || json_is_boolean(flag);
}

int zk_read_settings(const char *text, size_t len, struct zk_settings *ret)
{
	json_t *j, *ours, *port;
	bool good;

	*ret = (struct zk_settings){ 0 };
	if (!len)
		return 0;
	j = json_loadb(text, len, 0, NULL);
	ours = json_object_get(j, "weft");
	port = json_object_get(ours, "port");
	good = json_is_object(j) && (!ours || json_is_object(ours)) &&
	       (!port || (json_integer_value(port) >= 1 && json_integer_value(port) <= 65535)) &&
	       read_flag(ours, "leader-election", &ret->has_leader, &ret->leader) &&
	       read_flag(ours, "weights", &ret->has_weights, &ret->weights);
	if (good)
		ret->port = (uint16_t)json_integer_value(port);
	else
		*ret = (struct zk_settings){ 0 };
	json_decref(j);
	return good ? 0 : -EINVAL;
}

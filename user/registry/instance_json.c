/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/instance_json.h"

#define LABELS_MOST 64

/* A number, or one in quotes as some write it. Negative: neither. */
static long long number_of(const json_t *j)
{
	const char *text = json_string_value(j);
	char *end;
	long long n;

	if (json_is_integer(j))
		return json_integer_value(j);
	if (!text || *text < '0' || *text > '9')
		return -1;
	n = strtoll(text, &end, 10);
	return *end ? -1 : n;
}

static size_t read_labels(const json_t *object, struct label *labels)
{
	const char *key;
	const json_t *value;
	size_t nr = 0;

	json_object_foreach((json_t *)object, key, value) if (json_is_string(value) && nr < LABELS_MOST)
		labels[nr++] = (struct label){ key, json_string_value(value) };
	return nr;
}

static int read_object(const json_t *j, const char *id, struct found *f)
{
	long long port = number_of(json_object_get(j, "port")), weight = number_of(json_object_get(j, "weight"));
	struct label labels[LABELS_MOST];
	uint32_t told = weight > WEFT_WEIGHT_MAX ? WEFT_WEIGHT_MAX : (uint32_t)weight;
	struct found_args args = { .host = json_string_value(json_object_get(j, "host")),
				   .port = port < 0 || port > 65535 ? 0 : (uint32_t)port,
				   .weight = weight >= 0 ? &told : NULL,
				   .zone = json_string_value(json_object_get(j, "zone")),
				   .name = json_string_value(json_object_get(j, "name")),
				   .id = id,
				   .labels = labels };

	args.nr_labels = read_labels(json_object_get(j, "labels"), labels);
	return found_add(f, &args);
}

int instance_read_plain(const char *text, const char *id, struct found *f)
{
	struct weft_addr addr;
	char host[256];
	const char *colon;
	uint16_t port;
	char *end;
	unsigned long n;

	if (addr_port_parse(text, &addr, &port) == 0)
		return found_add(f, &(struct found_args){ .addr = &addr, .port = port, .id = id });
	colon = strrchr(text, ':');
	if (!colon || colon[1] < '0' || colon[1] > '9' || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	n = strtoul(colon + 1, &end, 10);
	if (*end || n > 65535)
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	return found_add(f, &(struct found_args){ .host = host, .port = (uint32_t)n, .id = id });
}

int instance_read(const char *text, size_t len, const char *id, const char *fallback, struct found *f)
{
	_cleanup_(freep) char *plain = NULL;
	json_t *j;
	int r;

	while (len && strchr(" \t\r\n", *text)) {
		text++;
		len--;
	}
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (!len)
		return fallback ? instance_read_plain(fallback, id, f) : -EINVAL;
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (j) {
		r = json_is_object(j) ? read_object(j, id, f) : -EINVAL;
		json_decref(j);
		return r;
	}
	if (memchr(text, 0, len))
		return -EINVAL;
	plain = strndup(text, len);
	return plain ? instance_read_plain(plain, id, f) : -ENOMEM;
}

char *instance_write(const struct instance *i)
{
	json_t *j = json_pack("{s:s s:i s:s}", "host", i->host, "port", (int)i->port, "name", i->name), *labels;
	char *text;

	if (!j)
		return NULL;
	if (i->weight)
		json_object_set_new(j, "weight", json_integer(*i->weight));
	if (i->haproxy_server_options)
		json_object_set_new(j, "haproxy_server_options", json_string(i->haproxy_server_options));
	if (i->nr_labels) {
		labels = json_object();
		for (size_t k = 0; k < i->nr_labels; k++)
			json_object_set_new(labels, i->labels[k].key, json_string(i->labels[k].value));
		json_object_set_new(j, "labels", labels);
	}
	text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	return text;
}

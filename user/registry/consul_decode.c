/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Field names and meanings are those of Consul's HTTP API, versions 1.9 to 1.20: an array of {"Node", "Service",
 * "Checks"}. Numbers are read as reals, so that one that is too large makes an odd entry and not an odd answer.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/consul_decode.h"

#define LABELS_MOST 256
#define ZONE_MOST   63

enum status { PASSING, WARNING, CRITICAL };

struct labels {
	struct label at[LABELS_MOST];
	char *words[LABELS_MOST]; /* copies that labels point into */
	size_t nr, nr_words;
	unsigned odd;
};

static void labels_done(struct labels *l)
{
	for (size_t i = 0; i < l->nr_words; i++)
		free(l->words[i]);
}

/* NULL: not there, no text, or empty. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : NULL;
}

/* @def when it is not there; -EINVAL: no whole number of at least 0. */
static int number_of(const json_t *object, const char *key, uint32_t def, uint32_t *ret)
{
	const json_t *value = json_object_get(object, key);
	double n = json_number_value(value);

	*ret = def;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_number(value) || !(n >= 0) || n > UINT32_MAX || n != floor(n))
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

/* ---- checks ---- */

static enum status status_of(const json_t *check)
{
	const char *id = json_string_value(json_object_get(check, "CheckID"));
	const char *status = json_string_value(json_object_get(check, "Status"));

	/* Maintenance is a check that is critical; said here in case somebody made it another. */
	if (id && (!strcmp(id, "_node_maintenance") || !strncmp(id, "_service_maintenance:", 21)))
		return CRITICAL;
	if (status && !strcmp(status, "passing"))
		return PASSING;
	return status && !strcmp(status, "warning") ? WARNING : CRITICAL;
}

/* The worst; of none: passing. */
static int worst(const json_t *checks, enum status *ret)
{
	const json_t *check;
	size_t i;

	*ret = PASSING;
	if (!checks || json_is_null(checks))
		return 0;
	if (!json_is_array(checks))
		return -EINVAL;
	json_array_foreach(checks, i, check)
	{
		enum status s = status_of(check);

		*ret = s > *ret ? s : *ret;
	}
	return 0;
}

/* ---- labels ---- */

static void add_label(struct labels *l, const char *key, const char *value)
{
	if (l->nr == LABELS_MOST)
		l->odd++;
	else
		l->at[l->nr++] = (struct label){ key, value };
}

static void add_meta(struct labels *l, json_t *meta)
{
	const char *key;
	json_t *value;

	json_object_foreach(meta, key, value) if (json_is_string(value) && *key)
		add_label(l, key, json_string_value(value));
	else l->odd++;
}

/* A tag is a label without a value; "color=blue" is one with. */
static int add_tag(struct labels *l, const char *tag)
{
	const char *at = strchr(tag, '=');
	char *word;

	if (!at || at == tag || l->nr == LABELS_MOST) {
		add_label(l, tag, "");
		return 0;
	}
	word = strdup(tag);
	if (!word)
		return -ENOMEM;
	l->words[l->nr_words++] = word;
	word[at - tag] = '\0';
	add_label(l, word, word + (at - tag) + 1);
	return 0;
}

static int add_tags(struct labels *l, const json_t *tags)
{
	const json_t *tag;
	size_t i;

	json_array_foreach(tags, i, tag)
	{
		if (!json_is_string(tag) || !json_string_length(tag))
			l->odd++;
		else if (add_tag(l, json_string_value(tag)))
			return -ENOMEM;
	}
	return 0;
}

/* ---- entries ---- */

/* Zones are kept for good (word_keep()): nothing that is none. */
static const char *zone_in(const json_t *object, const char *key)
{
	const char *zone = text_of(object, key);

	for (const char *at = zone; at && *at; at++)
		if (*at <= ' ' || *at == 127 || at - zone >= ZONE_MOST)
			return NULL;
	return zone;
}

static const char *zone_of(const json_t *node, const json_t *service, const struct consul_reading *how)
{
	const char *zone = zone_in(json_object_get(service, "Meta"), how->zone_key);

	if (!zone)
		zone = zone_in(json_object_get(service, "Locality"), "Zone");
	if (!zone)
		zone = zone_in(json_object_get(node, "Meta"), how->zone_key);
	if (!zone)
		zone = zone_in(json_object_get(node, "Locality"), "Zone");
	return zone ? zone : zone_in(node, "Datacenter");
}

static int add_found(const json_t *node, const json_t *service, enum status status, const struct consul_reading *how,
		     struct labels *labels, struct found *ret)
{
	const json_t *weights = json_object_get(service, "Weights");
	struct found_args args = { .unready = status == CRITICAL, .zone = zone_of(node, service, how) };
	uint32_t weight;

	args.name = text_of(service, "ID");
	args.host = text_of(service, "Address");
	if (!args.host)
		args.host = text_of(node, "Address");
	if (number_of(service, "Port", 0, &args.port) ||
	    number_of(weights, status == WARNING ? "Warning" : "Passing", 1, &weight))
		return -EINVAL;
	if (!args.port)
		args.port = how->port;
	args.weight = &weight;
	add_meta(labels, json_object_get(service, "Meta"));
	if (add_tags(labels, json_object_get(service, "Tags")))
		return -ENOMEM;
	args.labels = labels->at;
	args.nr_labels = labels->nr;
	return found_add(ret, &args);
}

static int add_entry(const json_t *entry, const struct consul_reading *how, struct found *ret, unsigned *ret_odd)
{
	const json_t *node = json_object_get(entry, "Node"), *service = json_object_get(entry, "Service");
	struct labels labels;
	enum status status;
	int r;

	if (!json_is_object(node) || !json_is_object(service) || worst(json_object_get(entry, "Checks"), &status))
		return -EINVAL;
	if ((how->health == CONSUL_PASSING && status > PASSING) || (how->health == CONSUL_WARNING && status > WARNING))
		return 0;
	labels.nr = labels.nr_words = labels.odd = 0;
	r = add_found(node, service, status, how, &labels, ret);
	labels_done(&labels);
	*ret_odd += labels.odd;
	return r;
}

int consul_decode(const char *text, size_t len, const struct consul_reading *how, struct found *ret, unsigned *ret_odd,
		  char *why, size_t why_len)
{
	json_error_t error;
	json_t *all = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &error);
	size_t i, bad = 0;
	const json_t *entry;
	int r = 0;

	*ret_odd = 0;
	if (!all || !json_is_array(all)) {
		snprintf(why, why_len, "%s", all ? "this is no list of instances" : "this is no JSON");
		json_decref(all);
		return -EBADMSG;
	}
	json_array_foreach(all, i, entry)
	{
		r = add_entry(entry, how, ret, ret_odd);
		if (r == -ENOMEM)
			break;
		bad += r != 0;
		r = 0;
	}
	*ret_odd += (unsigned)bad;
	if (!r && bad && bad == json_array_size(all)) {
		snprintf(why, why_len, "none of its %zu instances has a usable address and port", bad);
		r = -EBADMSG;
	}
	json_decref(all);
	if (r)
		found_done(ret);
	return r;
}

/* ---- besides the body ---- */

uint64_t consul_index_parse(const char *text)
{
	uint64_t n = 0;

	if (!text || !*text || strlen(text) > 19 || strspn(text, "0123456789") != strlen(text))
		return 0;
	for (; *text; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	return n;
}

uint64_t consul_index_next(uint64_t asked, uint64_t got)
{
	if (!got)
		return 1;
	return got < asked ? 0 : got;
}

void consul_reason(const char *body, char *ret, size_t len)
{
	size_t n = 0;

	while (n + 1 < len && n < 160 && body[n] >= ' ' && body[n] != 127) {
		ret[n] = body[n];
		n++;
	}
	ret[n] = '\0';
}

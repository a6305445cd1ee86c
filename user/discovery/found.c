/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/found.h"

#define HOST_MAX 253 /* of a DNS name */

void found_endpoint_done(struct found_endpoint *e)
{
	for (size_t i = 0; i < e->nr_labels; i++) {
		free((char *)e->labels[i].key);
		free((char *)e->labels[i].value);
	}
	free(e->labels);
	free(e->host);
	free(e->name);
	free(e->id);
}

void found_done(struct found *f)
{
	for (size_t i = 0; i < f->nr; i++)
		found_endpoint_done(&f->at[i]);
	free(f->at);
	*f = (struct found){ 0 };
}

const char *found_label(const struct found_endpoint *e, const char *key)
{
	for (size_t i = 0; i < e->nr_labels; i++)
		if (!strcmp(e->labels[i].key, key))
			return e->labels[i].value;
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool endpoints_equal(const struct found_endpoint *a, const struct found_endpoint *b)
{
	const struct endpoint *x = &a->endpoint, *y = &b->endpoint;

	if (endpoint_compare(x, y) || x->weight != y->weight || x->priority != y->priority ||
	    x->unready != y->unready || x->zone != y->zone || a->nr_labels != b->nr_labels)
		return false;
	for (size_t i = 0; i < a->nr_labels; i++)
		if (!same(a->labels[i].key, b->labels[i].key) || !same(a->labels[i].value, b->labels[i].value))
			return false;
	return same(a->host, b->host) && same(a->name, b->name) && same(a->id, b->id);
}

bool found_equal(const struct found *a, const struct found *b)
{
	if (a->nr != b->nr)
		return false;
	for (size_t i = 0; i < a->nr; i++)
		if (!endpoints_equal(&a->at[i], &b->at[i]))
			return false;
	return true;
}

static int copy(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* A name of letters, digits, dots, "-" and "_"; the resolver knows the rest. */
static bool is_host_name(const char *host)
{
	size_t len = strlen(host);

	return len && len <= HOST_MAX &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len &&
	       strspn(host, "0123456789.") != len;
}

static bool is_nowhere(const struct weft_addr *a)
{
	static const struct weft_addr any6;
	struct weft_addr any4;

	return weft_addr_equal(a, &any6) || (addr_parse("0.0.0.0", &any4) == 0 && weft_addr_equal(a, &any4));
}

static int set_host(struct found_endpoint *e, const struct found_args *args)
{
	if (args->addr) {
		e->endpoint.addr = *args->addr;
		return is_nowhere(args->addr) ? -EINVAL : 0;
	}
	if (!args->host)
		return -EINVAL;
	if (addr_parse(args->host, &e->endpoint.addr) == 0)
		return is_nowhere(&e->endpoint.addr) ? -EINVAL : 0;
	return is_host_name(args->host) ? copy(args->host, &e->host) : -EINVAL;
}

static int set_labels(struct found_endpoint *e, const struct found_args *args)
{
	int r = 0;

	if (!args->nr_labels)
		return 0;
	e->labels = calloc(args->nr_labels, sizeof(*e->labels));
	if (!e->labels)
		return -ENOMEM;
	for (size_t i = 0; !r && i < args->nr_labels; i++) {
		e->nr_labels++;
		r = copy(args->labels[i].key, (char **)&e->labels[i].key);
		if (!r)
			r = copy(args->labels[i].value, (char **)&e->labels[i].value);
	}
	return r;
}

static int set(struct found_endpoint *e, const struct found_args *args)
{
	uint32_t weight = args->weight ? *args->weight : 1;
	int r;

	if (!args->port || args->port > 65535)
		return -EINVAL;
	e->endpoint.port = (uint16_t)args->port;
	e->endpoint.weight = (uint16_t)(weight > WEFT_WEIGHT_MAX ? WEFT_WEIGHT_MAX : weight);
	e->endpoint.priority = (uint8_t)(args->priority > WEFT_PRIORITY_MAX ? WEFT_PRIORITY_MAX : args->priority);
	e->endpoint.unready = args->unready;
	r = set_host(e, args);
	if (!r && args->zone && *args->zone) {
		e->endpoint.zone = word_keep(args->zone);
		r = e->endpoint.zone ? 0 : -ENOMEM;
	}
	if (!r)
		r = copy(args->name, &e->name);
	if (!r)
		r = copy(args->id, &e->id);
	return r ? r : set_labels(e, args);
}

int found_add(struct found *f, const struct found_args *args)
{
	struct found_endpoint e = { 0 };
	int r;

	if (f->nr == f->capacity) {
		size_t want = f->capacity ? f->capacity * 2 : 8;
		struct found_endpoint *more = reallocarray(f->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->at = more;
		f->capacity = want;
	}
	r = set(&e, args);
	if (r) {
		found_endpoint_done(&e);
		return r;
	}
	f->at[f->nr++] = e;
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/backends.h"
#include "discovery/inside.h"

struct named {
	struct weft_addr addr;
	uint16_t port;
	size_t order; /* of two alike */
	const struct found_endpoint *found;
};

struct backends {
	struct named *at; /* by address, port and order */
	size_t nr, capacity;
	bool last_counts; /* of two alike */
};

static const struct subject *find_subject(const struct discovery *d, const char *name)
{
	size_t low = 0, high = d ? d->nr_subjects : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = strcmp(name, d->subjects[middle].written->name);

		if (!r)
			return &d->subjects[middle];
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

uint64_t backends_stamp(const struct discovery *d, const char *service)
{
	const struct subject *s = find_subject(d, service);
	uint64_t stamp = 0;

	for (size_t i = 0; s && i < s->nr_sources; i++)
		stamp = stamp * 31 + s->sources[i]->answered_ns;
	return stamp;
}

bool backends_settled(const struct discovery *d, const char *service)
{
	const struct subject *s = find_subject(d, service);

	for (size_t i = 0; s && i < s->nr_sources; i++)
		if (!s->sources[i]->answered)
			return false;
	return true;
}

static int add(struct backends *b, const struct weft_addr *addr, uint16_t port, const struct found_endpoint *f)
{
	if (b->nr == b->capacity) {
		size_t want = b->capacity ? b->capacity * 2 : 16;
		struct named *more = reallocarray(b->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		b->at = more;
		b->capacity = want;
	}
	b->at[b->nr] = (struct named){ .addr = *addr, .port = port, .order = b->nr, .found = f };
	b->nr++;
	return 0;
}

/* With the port that the source's `port:` says, like the endpoints themselves. */
static int add_source(struct backends *b, const struct lookup_core *l)
{
	const char *text = options_text(&l->options, "port", NULL);
	unsigned long port = text ? strtoul(text, NULL, 10) : 0;

	for (size_t i = 0; i < l->found.nr; i++) {
		const struct found_endpoint *f = &l->found.at[i];
		const struct weft_addr *addrs = &f->endpoint.addr;
		size_t nr = 1;

		if (f->host)
			addrs = hosts_addrs(&l->hosts, f->host, &nr);
		for (size_t k = 0; k < nr; k++)
			if (add(b, &addrs[k], port && port <= 65535 ? (uint16_t)port : f->endpoint.port, f))
				return -ENOMEM;
	}
	return 0;
}

static int compare(const struct named *a, const struct weft_addr *addr, uint16_t port)
{
	int r = memcmp(a->addr.byte, addr->byte, sizeof(addr->byte));

	return r ? r : (a->port > port) - (a->port < port);
}

static int by_address(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = compare(x, &y->addr, y->port);

	return r ? r : (x->order > y->order) - (x->order < y->order);
}

struct backends *backends_new(const struct discovery *d, const struct service *s)
{
	_cleanup_(backends_freep) struct backends *b = calloc(1, sizeof(*b));
	const struct subject *subject = find_subject(d, s->name);

	if (!b)
		return NULL;
	b->last_counts = s->combine == COMBINE_OVERRIDE;
	for (size_t i = 0; subject && i < subject->nr_sources; i++)
		if (add_source(b, subject->sources[i]))
			return NULL;
	if (b->nr)
		qsort(b->at, b->nr, sizeof(*b->at), by_address);
	return MOVE(b, NULL);
}

void backends_free(struct backends *b)
{
	if (!b)
		return;
	free(b->at);
	free(b);
}

const struct found_endpoint *backends_find(const struct backends *b, const struct weft_addr *addr, uint16_t port)
{
	size_t low = 0, high = b->nr;

	/* To the first that is not before it, or, for the last of those alike, the first that is behind it. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = compare(&b->at[middle], addr, port);

		if (r < 0 || (r == 0 && b->last_counts))
			low = middle + 1;
		else
			high = middle;
	}
	if (b->last_counts && low)
		low--;
	return low < b->nr && !compare(&b->at[low], addr, port) ? b->at[low].found : NULL;
}

json_t *text_json(const char *text)
{
	json_t *j = text ? json_string(text) : json_null();
	_cleanup_(freep) char *plain = NULL;

	if (j)
		return j;
	plain = strdup(text);
	for (char *c = plain; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return plain ? json_string(plain) : NULL;
}

/* Sequence numbers are numbers, as Synapse has them. */
static json_t *id_json(const char *id)
{
	size_t len = id ? strlen(id) : 0;

	if (len && len < 19 && strspn(id, "0123456789") == len)
		return json_integer(strtoll(id, NULL, 10));
	return text_json(id);
}

json_t *backend_json(const struct endpoint *e, const struct found_endpoint *f)
{
	json_t *labels = json_object();
	char host[ADDR_TEXT_LEN];

	for (size_t i = 0; labels && f && i < f->nr_labels; i++)
		json_object_set_new(labels, f->labels[i].key, text_json(f->labels[i].value));
	return json_pack("{s:o s:s s:i s:o s:i s:o}", "name", text_json(f ? f->name : NULL), "host",
			 addr_format(&e->addr, host, sizeof(host)), "port", e->port, "id", id_json(f ? f->id : NULL),
			 "weight", e->weight, "labels", labels);
}

json_t *backends_json(const struct discovery *d, const struct service *s)
{
	_cleanup_(backends_freep) struct backends *b = backends_new(d, s);
	json_t *list = b ? json_array() : NULL;

	for (size_t i = 0; list && i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];

		if (e->unready)
			continue;
		if (json_array_append_new(list, backend_json(e, backends_find(b, &e->addr, e->port)))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

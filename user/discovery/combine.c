/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From what several sources found to the endpoints of one service. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/inside.h"

/* ---- filters ---- */

/* "key=value", "key!=value", "key", "!key". */
static bool passes(const struct found_endpoint *e, const char *filter)
{
	const char *at = strchr(filter, '='), *value;
	bool negative = *filter == '!' || (at && at > filter && at[-1] == '!');
	char key[256];

	if (*filter == '!')
		filter++;
	snprintf(key, sizeof(key), "%.*s", at ? (int)(at - filter) - (at[-1] == '!') : (int)strlen(filter), filter);
	value = found_label(e, key);
	return (value && (!at || !strcmp(value, at + 1))) != negative;
}

void filter_found(struct found *f, const struct options *o)
{
	char *const *filters = options_list(o, "filter");
	size_t kept = 0;

	if (!*filters)
		return;
	for (size_t i = 0; i < f->nr; i++) {
		struct found_endpoint swap = f->at[kept];
		bool pass = true;

		for (char *const *t = filters; pass && *t; t++)
			pass = passes(&f->at[i], *t);
		if (!pass)
			continue;
		f->at[kept++] = f->at[i];
		f->at[i] = swap;
	}
	/* Those that do not pass are behind the others now. */
	for (size_t i = kept; i < f->nr; i++)
		found_endpoint_done(&f->at[i]);
	f->nr = kept;
}

/* ---- endpoints ---- */

struct candidate {
	struct endpoint e;
	size_t order; /* of two alike */
};

struct candidates {
	struct candidate *at;
	size_t nr, capacity;
};

static int add(struct candidates *c, const struct endpoint *e)
{
	if (c->nr == c->capacity) {
		size_t want = c->capacity ? c->capacity * 2 : 64;
		struct candidate *more = reallocarray(c->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->at = more;
		c->capacity = want;
	}
	c->at[c->nr] = (struct candidate){ .e = *e, .order = c->nr };
	c->nr++;
	return 0;
}

static bool is_used(const struct endpoint *e)
{
	return e->weight && !e->unready;
}

/* Adds one part; *ret_used: is one of it in use? */
static int add_part(struct candidates *c, const struct part *p, bool v4, bool *ret_used)
{
	const char *port = options_text(p->options, "port", NULL);
	uint32_t priority = options_number(p->options, "priority", 0);
	uint32_t number = port ? (uint32_t)strtoul(port, NULL, 10) : 0; /* a name is the provider's affair: 0 */

	for (size_t i = 0; i < p->found->nr; i++) {
		const struct found_endpoint *f = &p->found->at[i];
		const struct weft_addr *addrs = &f->endpoint.addr;
		size_t nr = 1;

		if (f->host)
			addrs = hosts_addrs(p->hosts, f->host, &nr);
		for (size_t k = 0; k < nr; k++) {
			struct endpoint e = f->endpoint;

			if ((bool)weft_addr_is_v4(&addrs[k]) != v4)
				continue;
			e.addr = addrs[k];
			if (number && number <= 65535)
				e.port = (uint16_t)number;
			priority += e.priority;
			e.priority = (uint8_t)(priority > WEFT_PRIORITY_MAX ? WEFT_PRIORITY_MAX : priority);
			priority -= f->endpoint.priority;
			*ret_used |= is_used(&e);
			if (add(c, &e))
				return -ENOMEM;
		}
	}
	return 0;
}

static int add_service(struct candidates *c, const struct service *s, bool *ret_used)
{
	for (size_t i = 0; s && i < s->nr_endpoints; i++) {
		*ret_used |= is_used(&s->endpoints[i]);
		if (add(c, &s->endpoints[i]))
			return -ENOMEM;
	}
	return 0;
}

/* The parts in order, with `first` only until one has an endpoint in use; the file's own come last. */
static int gather(struct candidates *c, const struct service *written, const struct part *parts, size_t nr,
		  const struct service *prior)
{
	bool v4 = weft_addr_is_v4(&written->frontends[0].addr);

	for (size_t i = 0; i < nr; i++) {
		bool used = false;

		if (add_part(c, &parts[i], v4, &used) || (!parts[i].answered && add_service(c, prior, &used)))
			return -ENOMEM;
		if (written->combine == COMBINE_FIRST && used)
			return 0;
	}
	return add_service(c, written, &(bool){ false });
}

static int by_address(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int r = endpoint_compare(&x->e, &y->e);

	return r ? r : (x->order > y->order) - (x->order < y->order);
}

struct service *combine(const struct service *written, const struct part *parts, size_t nr, const struct service *prior)
{
	_cleanup_(service_unrefp) struct service *s = service_clone(written);
	struct candidates c = { 0 };
	int r = s ? gather(&c, written, parts, nr, prior) : -ENOMEM;

	if (!r && c.nr)
		qsort(c.at, c.nr, sizeof(*c.at), by_address);
	for (size_t i = 0; !r && i < c.nr; i++) {
		bool first = i == 0 || endpoint_compare(&c.at[i - 1].e, &c.at[i].e);
		bool last = i + 1 == c.nr || endpoint_compare(&c.at[i].e, &c.at[i + 1].e);

		if (written->combine == COMBINE_OVERRIDE ? last : first)
			r = service_add_endpoint(s, &c.at[i].e);
	}
	free(c.at);
	if (r)
		return NULL;
	service_settle(s);
	return MOVE(s, NULL);
}

/* ---- what a service can have ---- */

/* As many different priorities as there are levels; what is beyond shares the last. Those that are within stay as they
 * are written. */
static void fit_priorities(struct service *s)
{
	unsigned most = s->zone_aware ? WEFT_LEVELS / 2 : WEFT_LEVELS, nr = 0;
	bool seen[256] = { false };
	uint8_t last = 0;

	for (size_t i = 0; i < s->nr_endpoints; i++)
		seen[s->endpoints[i].priority] = true;
	for (unsigned p = 0; p < 256 && nr < most; p++)
		if (seen[p]) {
			last = (uint8_t)p;
			nr++;
		}
	for (size_t i = 0; i < s->nr_endpoints; i++)
		if (s->endpoints[i].priority > last)
			s->endpoints[i].priority = last;
}

void service_settle(struct service *s)
{
	size_t most = WEFT_ENDPOINTS_PER_SERVICE;
	long twice;

	while ((twice = service_sort(s)) >= 0) {
		memmove(&s->endpoints[twice], &s->endpoints[twice + 1],
			(s->nr_endpoints - (size_t)twice - 1) * sizeof(*s->endpoints));
		s->nr_endpoints--;
	}
	if (s->lb == WEFT_LB_MAGLEV && s->maglev_size < most)
		most = s->maglev_size;
	if (s->nr_endpoints > most)
		s->nr_endpoints = most;
	fit_priorities(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/pool.h"
#include "weft/lb.h"

struct model *model_new(void)
{
	return calloc(1, sizeof(struct model));
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nr; i++)
		service_unref(m->services[i]);
	free(m->services);
	free(m);
}

int model_add(struct model *m, struct service *s)
{
	size_t want = m->capacity ? m->capacity * 2 : 16;
	struct service **more;

	if (m->nr == m->capacity) {
		more = reallocarray(m->services, want, sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->services = more;
		m->capacity = want;
	}
	m->services[m->nr++] = service_ref(s);
	return 0;
}

/*
 * A set of names and one of frontends while a model is sealed: open addressing over {hash, service, frontend}, half
 * full at most. The hash is kept so that a probe rarely has to follow the pointer.
 */
struct mark {
	uint32_t hash;
	uint32_t service;  /* index + 1; 0: free */
	uint32_t frontend; /* index in the service */
};

struct marks {
	struct mark *mark;
	uint32_t mask;
};

static void marks_done(struct marks *t)
{
	free(t->mark);
}

static int marks_init(struct marks *t, size_t nr)
{
	size_t size = 16;

	while (size < nr * 2)
		size *= 2;
	if (size > UINT32_MAX)
		return -ENOMEM;
	t->mark = calloc(size, sizeof(*t->mark));
	if (!t->mark)
		return -ENOMEM;
	t->mask = (uint32_t)size - 1;
	return 0;
}

static uint32_t hash_name(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a, then mixed */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ull;
	return (uint32_t)weft_hash_mix(h);
}

static uint32_t hash_frontend(const struct frontend *f, unsigned proto)
{
	uint64_t c[2];

	memcpy(c, f->addr.byte, sizeof(c));
	return weft_hash_client(c[0], c[1], (uint32_t)f->port << 8 | proto);
}

/* Returns the index of the service that already has the name of service @i, or -1 after noting it. */
static long mark_name(struct marks *t, const struct model *m, size_t i)
{
	const char *name = m->services[i]->name;
	uint32_t hash = hash_name(name), at = hash & t->mask;

	for (; t->mark[at].service; at = (at + 1) & t->mask)
		if (t->mark[at].hash == hash && !strcmp(m->services[t->mark[at].service - 1]->name, name))
			return t->mark[at].service - 1;
	t->mark[at] = (struct mark){ .hash = hash, .service = (uint32_t)i + 1 };
	return -1;
}

static long mark_frontend(struct marks *t, const struct model *m, size_t i, size_t j)
{
	const struct service *s = m->services[i], *other;
	const struct frontend *f = &s->frontends[j], *g;
	uint32_t hash = hash_frontend(f, s->proto), at = hash & t->mask;

	for (; t->mark[at].service; at = (at + 1) & t->mask) {
		if (t->mark[at].hash != hash)
			continue;
		other = m->services[t->mark[at].service - 1];
		g = &other->frontends[t->mark[at].frontend];
		if (other->proto == s->proto && g->port == f->port && weft_addr_equal(&g->addr, &f->addr))
			return t->mark[at].service - 1;
	}
	t->mark[at] = (struct mark){ .hash = hash, .service = (uint32_t)i + 1, .frontend = (uint32_t)j };
	return -1;
}

static int check_names(const struct model *m, const struct service **ret_first, const struct service **ret_second)
{
	_cleanup_(marks_done) struct marks t = { 0 };
	long first;
	int r;

	r = marks_init(&t, m->nr);
	if (r)
		return r;
	for (size_t i = 0; i < m->nr; i++) {
		first = mark_name(&t, m, i);
		if (first < 0)
			continue;
		*ret_first = m->services[first];
		*ret_second = m->services[i];
		return -EEXIST;
	}
	return 0;
}

static int check_frontends(const struct model *m, const struct service **ret_first, const struct service **ret_second,
			   const struct frontend **ret_frontend)
{
	_cleanup_(marks_done) struct marks t = { 0 };
	size_t nr = 0;
	long first;
	int r;

	for (size_t i = 0; i < m->nr; i++)
		nr += m->services[i]->nr_frontends;
	r = marks_init(&t, nr);
	if (r)
		return r;
	for (size_t i = 0; i < m->nr; i++)
		for (size_t j = 0; j < m->services[i]->nr_frontends; j++) {
			if (service_lacks_address(m->services[i]))
				break; /* it will get one that nobody has */
			first = mark_frontend(&t, m, i, j);
			if (first < 0)
				continue;
			*ret_first = m->services[first];
			*ret_second = m->services[i];
			*ret_frontend = &m->services[i]->frontends[j];
			return -EEXIST;
		}
	return 0;
}

static int service_qsort_compare(const void *a, const void *b)
{
	return strcmp((*(struct service *const *)a)->name, (*(struct service *const *)b)->name);
}

/* Sorted and no name twice? */
static bool is_sealed(const struct model *m)
{
	for (size_t i = 1; i < m->nr; i++)
		if (strcmp(m->services[i - 1]->name, m->services[i]->name) >= 0)
			return false;
	return true;
}

int model_seal(struct model *m, const struct service **ret_first, const struct service **ret_second,
	       const struct frontend **ret_frontend)
{
	const struct service *first = NULL, *second = NULL;
	const struct frontend *frontend = NULL;
	bool sorted = is_sealed(m);
	int r;

	r = sorted ? 0 : check_names(m, &first, &second);
	if (!r)
		r = check_frontends(m, &first, &second, &frontend);
	if (r == -EEXIST) {
		*ret_first = first;
		*ret_second = second;
		*ret_frontend = frontend;
	}
	if (r)
		return r;
	if (!sorted)
		qsort(m->services, m->nr, sizeof(*m->services), service_qsort_compare);
	return 0;
}

static int name_compare(const void *name, const void *s)
{
	return strcmp(name, (*(struct service *const *)s)->name);
}

struct service *model_find(const struct model *m, const char *name)
{
	struct service **found = m->nr ? bsearch(name, m->services, m->nr, sizeof(*m->services), name_compare) : NULL;

	return found ? *found : NULL;
}

size_t model_count_endpoints(const struct model *m)
{
	size_t nr = 0;

	for (size_t i = 0; i < m->nr; i++)
		nr += m->services[i]->nr_endpoints;
	return nr;
}

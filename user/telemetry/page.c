/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/service.h"
#include "telemetry/page.h"
#include "weft/lb.h"

#define ROWS_FIRST 64

struct page *page_new(const struct metrics_options *options, uint32_t nr_services)
{
	_cleanup_(page_freep) struct page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->options = options;
	p->nr_services = nr_services;
	p->edges.row_size = sizeof(struct page_edge);
	p->endpoints.row_size = sizeof(struct page_endpoint_row);
	p->services = calloc(nr_services ? nr_services : 1, sizeof(*p->services));
	p->callers = callers_new();
	return p->services && p->callers ? MOVE(p, NULL) : NULL;
}

void page_free(struct page *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; p->services && i < p->nr_services; i++)
		free(p->services[i].name);
	free(p->services);
	callers_free(p->callers);
	free(p->edges.row);
	free(p->edges.slot);
	free(p->endpoints.row);
	free(p->endpoints.slot);
	free(p);
}

static const struct page_key *row_key(const struct page_rows *t, uint32_t i)
{
	return (const struct page_key *)(const void *)(t->row + i * t->row_size);
}

static uint32_t hash(const struct page_key *k)
{
	uint64_t h = weft_hash_mix(((uint64_t)k->service << 32 | k->caller) + 1);

	h = weft_hash_mix(h ^ ((uint64_t)weft_addr_word(&k->addr, 0) << 32 | weft_addr_word(&k->addr, 1)));
	h = weft_hash_mix(h ^ ((uint64_t)weft_addr_word(&k->addr, 2) << 32 | weft_addr_word(&k->addr, 3)));
	return (uint32_t)weft_hash_mix(h ^ ((uint64_t)k->port << 8 | k->endpoint));
}

/* The slot of @key, or the free one where it belongs. There are twice as many slots as rows. */
static uint32_t *find(struct page_rows *t, const struct page_key *key)
{
	uint32_t mask = 2 * t->capacity - 1, i = hash(key) & mask;

	while (t->slot[i] && memcmp(row_key(t, t->slot[i] - 1), key, sizeof(*key)) != 0)
		i = (i + 1) & mask;
	return &t->slot[i];
}

static int grow(struct page_rows *t)
{
	uint32_t n = t->capacity ? t->capacity * 2 : ROWS_FIRST;
	uint32_t *slot = calloc(2 * (size_t)n, sizeof(*slot));
	char *row = reallocarray(t->row, n, t->row_size);

	if (row)
		t->row = row;
	if (!row || !slot) {
		free(slot);
		return -ENOMEM;
	}
	free(t->slot);
	t->slot = slot;
	t->capacity = n;
	for (uint32_t i = 0; i < t->nr; i++)
		*find(t, row_key(t, i)) = i + 1;
	return 0;
}

/* The row of @key, made when it is not there; that of the service's rest when there are too many. NULL: no memory. */
static void *row_get(struct page *p, struct page_rows *t, const struct page_key *key)
{
	struct page_key rest = {
		.service = key->service,
		.endpoint = key->endpoint == PAGE_ALL ? PAGE_ALL : PAGE_OTHER,
		.caller = key->caller == CALLER_NONE ? CALLER_NONE : CALLER_OTHER,
	};
	bool whole = key->endpoint == PAGE_ALL && key->caller == CALLER_NONE; /* as many as there are services */
	uint32_t *slot;

	if (t->nr == t->capacity && grow(t) < 0)
		return NULL;
	slot = find(t, key);
	if (!*slot && !whole && t->nr - t->nr_other >= p->options->max_series) {
		p->dropped++;
		key = &rest;
		slot = find(t, key);
		t->nr_other += !*slot;
	}
	if (!*slot) {
		char *row = t->row + t->nr * t->row_size;

		memset(row, 0, t->row_size);
		memcpy(row, key, sizeof(*key));
		*slot = ++t->nr;
	}
	return t->row + (*slot - 1) * t->row_size;
}

int page_add_edge(struct page *p, const struct page_key *key, const struct weft_edge *edge)
{
	struct page_edge *row = row_get(p, &p->edges, key);
	__u64 *to;
	const __u64 *from = (const __u64 *)(const void *)edge;

	if (!row)
		return -ENOMEM;
	to = (__u64 *)(void *)&row->sum;
	for (size_t i = 0; i < sizeof(*edge) / sizeof(__u64); i++)
		to[i] += from[i];
	return 0;
}

int page_add_endpoint(struct page *p, const struct page_key *key, const struct page_endpoint_sum *sum,
		      uint32_t latency_us)
{
	struct page_endpoint_row *row = row_get(p, &p->endpoints, key);
	const uint64_t *from = (const uint64_t *)(const void *)sum;
	uint64_t *to;

	if (!row)
		return -ENOMEM;
	to = (uint64_t *)(void *)&row->sum;
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
	/* Sums have no latency; of two records of one address the measured one speaks. */
	if (row->key.endpoint == PAGE_ONE && latency_us)
		row->latency_us = latency_us;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct page_key *x = a, *y = b;
	int r;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	if (x->endpoint != y->endpoint)
		return x->endpoint < y->endpoint ? -1 : 1;
	r = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (r)
		return r;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return x->caller < y->caller ? -1 : x->caller > y->caller;
}

void page_sort(struct page *p)
{
	if (p->edges.nr)
		qsort(p->edges.row, p->edges.nr, p->edges.row_size, compare);
	if (p->endpoints.nr)
		qsort(p->endpoints.row, p->endpoints.nr, p->endpoints.row_size, compare);
}

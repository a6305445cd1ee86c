/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/service.h"

#define AFFINITY_DEF_MS (3u * 3600 * 1000) /* as Kubernetes' ClientIP affinity */

struct service *service_new(const char *name)
{
	_cleanup_(freep) struct service *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->name = strdup(name);
	if (!s->name)
		return NULL;
	s->proto = IPPROTO_TCP;
	s->lb = WEFT_LB_P2C_EWMA;
	s->hash_by = WEFT_CLIENT_ADDRESS;
	s->affinity = WEFT_CLIENT_NONE;
	s->affinity_ms = AFFINITY_DEF_MS;
	s->maglev_size = WEFT_MAGLEV_DEF;
	s->connect_timeout_ms = 5000;
	s->failover = true;
	s->drain_ms = 60000;
	s->slow_start_percent = 10;
	s->panic_percent = 50;
	s->zone_endpoints = 6;
	limits_init(&s->limits);
	ejection_init(&s->ejection);
	breaker_init(&s->breaker);
	health_check_init(&s->check);
	s->refs = 1;
	return MOVE(s, NULL);
}

struct service *service_ref(struct service *s)
{
	s->refs++;
	return s;
}

void service_unref(struct service *s)
{
	if (!s || --s->refs)
		return;
	health_check_done(&s->check);
	for (size_t i = 0; i < s->nr_sources; i++)
		source_done(&s->sources[i]);
	free(s->sources);
	free(s->name);
	free(s->frontends);
	free(s->endpoints);
	free(s->file);
	free(s);
}

/* Makes room for one more element of @size bytes. Doubles, so that adding n costs O(n). */
static int grow(void **array, size_t nr, uint32_t *capacity, size_t size)
{
	size_t want = nr < 4 ? 4 : nr * 2;
	void *more;

	if (nr < *capacity)
		return 0;
	if (want > UINT32_MAX / 2)
		return -ENOMEM;
	more = realloc(*array, want * size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*capacity = (uint32_t)want;
	return 0;
}

int service_add_frontend(struct service *s, const struct frontend *f)
{
	void *array = s->frontends;
	int r;

	r = grow(&array, s->nr_frontends, &s->frontends_capacity, sizeof(*f));
	if (r)
		return r;
	s->frontends = array;
	s->frontends[s->nr_frontends++] = *f;
	return 0;
}

int service_add_endpoint(struct service *s, const struct endpoint *e)
{
	void *array = s->endpoints;
	int r;

	r = grow(&array, s->nr_endpoints, &s->endpoints_capacity, sizeof(*e));
	if (r)
		return r;
	s->endpoints = array;
	s->endpoints[s->nr_endpoints++] = *e;
	return 0;
}

int endpoint_compare(const struct endpoint *a, const struct endpoint *b)
{
	int r = memcmp(a->addr.byte, b->addr.byte, sizeof(a->addr.byte));

	return r ? r : (a->port > b->port) - (a->port < b->port);
}

static int endpoint_qsort_compare(const void *a, const void *b)
{
	return endpoint_compare(a, b);
}

/* Gives back what growing by doubling took too much. */
static void shrink(struct service *s)
{
	void *less;

	if (s->endpoints_capacity <= s->nr_endpoints)
		return;
	if (!s->nr_endpoints) {
		free(MOVE(s->endpoints, NULL));
		s->endpoints_capacity = 0;
		return;
	}
	less = realloc(s->endpoints, s->nr_endpoints * sizeof(*s->endpoints));
	if (!less)
		return;
	s->endpoints = less;
	s->endpoints_capacity = (uint32_t)s->nr_endpoints;
}

long service_sort(struct service *s)
{
	struct endpoint *e;
	size_t i;

	shrink(s);
	e = s->endpoints;
	for (i = 1; i < s->nr_endpoints; i++)
		if (endpoint_compare(&e[i - 1], &e[i]) >= 0)
			break;
	if (i >= s->nr_endpoints) /* as most files are written */
		return -1;
	qsort(e, s->nr_endpoints, sizeof(*e), endpoint_qsort_compare);
	for (i = 1; i < s->nr_endpoints; i++)
		if (!endpoint_compare(&e[i - 1], &e[i]))
			return (long)i;
	return -1;
}

static bool frontends_equal(const struct service *a, const struct service *b)
{
	if (a->nr_frontends != b->nr_frontends)
		return false;
	for (size_t i = 0; i < a->nr_frontends; i++)
		if (a->frontends[i].port != b->frontends[i].port ||
		    !weft_addr_equal(&a->frontends[i].addr, &b->frontends[i].addr))
			return false;
	return true;
}

static bool endpoints_equal(const struct service *a, const struct service *b)
{
	if (a->nr_endpoints != b->nr_endpoints)
		return false;
	for (size_t i = 0; i < a->nr_endpoints; i++) {
		const struct endpoint *x = &a->endpoints[i], *y = &b->endpoints[i];

		if (endpoint_compare(x, y) || x->weight != y->weight || x->priority != y->priority ||
		    x->unready != y->unready || x->zone != y->zone)
			return false;
	}
	return true;
}

/* Also for what has no effect now, such as the numbers of a breaker that is off: a reload then says that it changed. */
static bool resilience_equal(const struct service *a, const struct service *b)
{
	return a->connect_timeout_ms == b->connect_timeout_ms && a->failover == b->failover &&
	       a->drain_ms == b->drain_ms && a->slow_start_ms == b->slow_start_ms &&
	       a->slow_start_percent == b->slow_start_percent && a->panic_percent == b->panic_percent &&
	       a->zone_aware == b->zone_aware && a->zone_endpoints == b->zone_endpoints &&
	       limits_equal(&a->limits, &b->limits) && ejection_equal(&a->ejection, &b->ejection) &&
	       breaker_equal(&a->breaker, &b->breaker) && health_check_equal(&a->check, &b->check);
}

bool service_equal(const struct service *a, const struct service *b)
{
	if (a == b)
		return true;
	return a->proto == b->proto && a->lb == b->lb && a->hash_by == b->hash_by && a->affinity == b->affinity &&
	       a->affinity_ms == b->affinity_ms && a->maglev_size == b->maglev_size && !strcmp(a->name, b->name) &&
	       a->combine == b->combine && resilience_equal(a, b) && frontends_equal(a, b) && endpoints_equal(a, b) &&
	       sources_equal(a->sources, a->nr_sources, b->sources, b->nr_sources);
}

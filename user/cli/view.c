/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/view.h"
#include "weft/lb.h"

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int view_add_frontend(struct view *v, const struct weft_frontend_key *key, uint32_t service)
{
	if (v->nr_frontends == v->capacity_frontends) {
		size_t n = v->capacity_frontends ? v->capacity_frontends * 2 : 64;
		struct view_frontend *more = realloc(v->frontends, n * sizeof(*more));

		if (!more)
			return -ENOMEM;
		v->frontends = more;
		v->capacity_frontends = n;
	}
	v->frontends[v->nr_frontends++] = (struct view_frontend){
		.addr = key->addr,
		.port = ntohs(key->port_be),
		.proto = key->proto,
		.service = service,
	};
	return 0;
}

static int add_frontend(void *ctx, const struct weft_frontend_key *key, const struct weft_frontend *value)
{
	return view_add_frontend(ctx, key, value->service);
}

static int frontend_compare(const void *a, const void *b)
{
	const struct view_frontend *x = a, *y = b;
	int r;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	r = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (r)
		return r;
	return x->port != y->port ? (int)x->port - (int)y->port : (int)x->proto - (int)y->proto;
}

void view_sort_frontends(struct view *v)
{
	if (v->nr_frontends)
		qsort(v->frontends, v->nr_frontends, sizeof(*v->frontends), frontend_compare);
}

static int service_compare(const void *a, const void *b)
{
	return strcmp(((const struct view_service *)a)->name, ((const struct view_service *)b)->name);
}

static int read_services(struct view *v)
{
	const struct maps *m = v->maps;
	uint32_t capacity = m->capacity[PLANE_MAP_SERVICES];
	size_t n = 0;

	for (uint32_t i = 1; i < capacity; i++)
		n += m->services[i].flags & WEFT_SERVICE_F_USED;
	v->services = calloc(n + 1, sizeof(*v->services));
	v->by_id = calloc((size_t)capacity + 1, sizeof(*v->by_id));
	if (!v->services || !v->by_id)
		return -ENOMEM;
	for (uint32_t i = 1; i < capacity && v->nr_services < n; i++) {
		const struct weft_service *s = &m->services[i];
		struct view_service *copy = &v->services[v->nr_services];

		if (!(s->flags & WEFT_SERVICE_F_USED))
			continue;
		copy->id = i;
		copy->serial = s->serial;
		memcpy(copy->name, s->name, sizeof(copy->name) - 1);
		v->nr_services++;
	}
	qsort(v->services, v->nr_services, sizeof(*v->services), service_compare);
	for (size_t i = 0; i < v->nr_services; i++)
		v->by_id[v->services[i].id] = (uint32_t)i + 1;
	return 0;
}

static int backend_compare(const void *a, const void *b, void *ctx)
{
	const struct weft_backend *all = ctx;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct weft_backend *x = &all[i], *y = &all[j];
	int r;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	r = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (!r)
		r = (int)ntohs(x->port_be) - (int)ntohs(y->port_be);
	return r ? r : i < j ? -1 : i > j;
}

static int read_backends(struct view *v)
{
	const struct maps *m = v->maps;
	uint32_t capacity = m->capacity[PLANE_MAP_BACKENDS];
	_cleanup_(freep) struct weft_backend *copy = NULL;
	size_t n = 0;

	/* Sorting needs keys that hold still. */
	copy = malloc((size_t)capacity * sizeof(*copy) + 1);
	v->slots = calloc((size_t)capacity + 1, sizeof(*v->slots));
	v->share = calloc((size_t)capacity + 1, sizeof(*v->share));
	if (!copy || !v->slots || !v->share)
		return -ENOMEM;
	memcpy(copy, m->backends, (size_t)capacity * sizeof(*copy));
	for (uint32_t i = 1; i < capacity; i++)
		n += (copy[i].flags & WEFT_BACKEND_F_USED) != 0;
	v->backends = calloc(n + 1, sizeof(*v->backends));
	if (!v->backends)
		return -ENOMEM;
	for (uint32_t i = 1; i < capacity; i++)
		if (copy[i].flags & WEFT_BACKEND_F_USED)
			v->backends[v->nr_backends++] = i;
	qsort_r(v->backends, v->nr_backends, sizeof(*v->backends), backend_compare, copy);
	return 0;
}

static void count_extent(struct view *v, uint32_t base, uint32_t nr)
{
	const struct maps *m = v->maps;

	for (uint32_t k = 0; k < nr; k++)
		if (m->slots[base + k] < m->capacity[PLANE_MAP_BACKENDS])
			v->slots[m->slots[base + k]]++;
}

static void count_slots(struct view *v)
{
	for (size_t i = 0; i < v->nr_services; i++) {
		const struct weft_spec *spec = view_spec(v, v->services[i].id);

		for (unsigned k = 0; spec && k < spec->nr_levels; k++) {
			const struct weft_level *l = &spec->level[k];

			if (l->table_size)
				count_extent(v, l->table_base, l->table_size);
			else
				count_extent(v, l->slot_base, l->nr_slots);
		}
	}
}

int view_read(const struct maps *m, struct view **ret)
{
	_cleanup_(view_freep) struct view *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->maps = m;
	v->now_ns = now_ns(CLOCK_MONOTONIC);
	v->boot_ns = now_ns(CLOCK_BOOTTIME);
	if (m->fd[PLANE_MAP_FRONTENDS] >= 0) {
		r = maps_each_frontend(m, add_frontend, v);
		if (r < 0)
			return r;
	}
	view_sort_frontends(v);
	r = read_services(v);
	if (r < 0)
		return r;
	r = read_backends(v);
	if (r < 0)
		return r;
	count_slots(v);
	view_shares(v);
	*ret = MOVE(v, NULL);
	return 0;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	free(v->frontends);
	free(v->services);
	free(v->by_id);
	free(v->backends);
	free(v->slots);
	free(v->share);
	free(v);
}

const struct view_service *view_find(const struct view *v, const char *name)
{
	size_t low = 0, high = v->nr_services;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = strcmp(v->services[middle].name, name);

		if (!r)
			return &v->services[middle];
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct view_service *view_find_id(const struct view *v, uint32_t service)
{
	uint32_t i = service < v->maps->capacity[PLANE_MAP_SERVICES] ? v->by_id[service] : 0;

	return i ? &v->services[i - 1] : NULL;
}

const struct view_frontend *view_frontends(const struct view *v, uint32_t service, size_t *ret_nr)
{
	size_t low = 0, high = v->nr_frontends, end;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (v->frontends[middle].service < service)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < v->nr_frontends && v->frontends[end].service == service; end++)
		;
	*ret_nr = end - low;
	return v->frontends + low;
}

const uint32_t *view_backends(const struct view *v, uint32_t service, size_t *ret_nr)
{
	const struct weft_backend *b = v->maps->backends;
	size_t low = 0, high = v->nr_backends, end;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (b[v->backends[middle]].service < service)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < v->nr_backends && b[v->backends[end]].service == service; end++)
		;
	*ret_nr = end - low;
	return v->backends + low;
}

const struct weft_spec *view_spec(const struct view *v, uint32_t service)
{
	const struct maps *m = v->maps;
	uint32_t slots = m->capacity[PLANE_MAP_SLOTS]; /* ids, not groups */
	const struct weft_spec *spec;
	uint32_t id;

	if (service >= m->capacity[PLANE_MAP_SERVICES])
		return NULL;
	id = m->services[service].spec;
	if (!id || id >= m->capacity[PLANE_MAP_SPECS])
		return NULL;
	spec = &m->specs[id];
	if (spec->service != service || spec->nr_levels > WEFT_LEVELS)
		return NULL;
	for (unsigned i = 0; i < WEFT_LEVELS; i++)
		if ((uint64_t)spec->level[i].slot_base + spec->level[i].nr_slots > slots ||
		    (uint64_t)spec->level[i].table_base + spec->level[i].table_size > slots)
			return NULL;
	return spec;
}

struct view_total view_total(const struct view *v, uint32_t service)
{
	const struct maps *m = v->maps;
	struct view_total t = { 0 };
	size_t nr;
	const uint32_t *ids = view_backends(v, service, &nr);

	for (size_t i = 0; i < nr; i++) {
		const struct weft_bstate *s = &m->bstate[ids[i]];

		t.endpoints += !(m->backends[ids[i]].flags & WEFT_BACKEND_F_DRAINING);
		t.ready += view_is_ready(v, ids[i]);
		t.ejected += (view_out(v, ids[i]) & WEFT_OUT_EJECTED) != 0;
		t.active += s->active;
		t.opened += s->opened;
		t.established += s->established;
		t.failed += s->failed;
	}
	t.refused = service < m->capacity[PLANE_MAP_SSTATE] ? m->sstate[service].refused : 0;
	return t;
}

uint32_t view_latency_us(const struct view *v, uint32_t backend)
{
	return weft_ewma_now(v->maps->bstate[backend].ewma, (uint32_t)(v->now_ns / 1000000u));
}

int view_addresses(const struct view *v, uint32_t service, const char ***ret, size_t *ret_nr)
{
	size_t nr;
	const struct view_frontend *f = view_frontends(v, service, &nr);
	/* pointers and the texts they point to in one piece */
	const char **list = malloc(nr * (sizeof(*list) + ADDR_TEXT_LEN) + 1);
	char *text = (char *)(list + nr);

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++, text += ADDR_TEXT_LEN)
		list[i] = addr_port_format(&f[i].addr, f[i].port, text, ADDR_TEXT_LEN);
	*ret = list;
	*ret_nr = nr;
	return 0;
}

const char *view_proto(const struct view *v, uint32_t service)
{
	size_t nr;
	const struct view_frontend *f = view_frontends(v, service, &nr);

	return nr ? proto_name(f->proto) : "-";
}

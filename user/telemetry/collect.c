/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reads the maps into a page. The kernel and the agent go on writing meanwhile: what does not fit together at this
 * moment (an endpoint's id that was just given to another one) is left out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "plane/plane.h"
#include "telemetry/page.h"
#include "weft/breaker.h"

static const struct weft_service *service_of(const struct maps *m, uint32_t id)
{
	if (!m->services || id == 0 || id >= m->capacity[PLANE_MAP_SERVICES])
		return NULL;
	return m->services[id].flags & WEFT_SERVICE_F_USED ? &m->services[id] : NULL;
}

static const struct weft_backend *backend_of(const struct maps *m, uint32_t id)
{
	if (!m->backends || id == 0 || id >= m->capacity[PLANE_MAP_BACKENDS])
		return NULL;
	return m->backends[id].flags & WEFT_BACKEND_F_USED ? &m->backends[id] : NULL;
}

/* What its breaker is in, by the operator's hand or by itself; NULL: it has none. */
static const char *breaker_state(const struct weft_service *s, const struct weft_spec *spec,
				 const struct weft_breaker *b)
{
	static const char *const words[] = { "closed", "open", "half-open", "closed" };

	if (s->flags & WEFT_SERVICE_F_FORCE_OPEN)
		return "forced-open";
	if (s->flags & WEFT_SERVICE_F_FORCE_CLOSED)
		return "forced-closed";
	return spec && spec->breaker_percent ? words[weft_breaker_state_of(b->word)] : NULL;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void collect_guard(const struct maps *m, uint32_t id, uint64_t ms, struct page_service *ret)
{
	const struct weft_spec *spec = m->specs ? maps_spec(m, id) : NULL;
	const struct weft_sstate *s = &m->sstate[id];
	struct weft_window w = weft_breaker_window(&s->breaker, ms);

	ret->refused = s->refused;
	ret->connections = s->active;
	ret->pending = s->pending;
	ret->breaker = breaker_state(&m->services[id], spec, &s->breaker);
	ret->breaker_opened = s->breaker.opened;
	ret->error_ratio = w.ok + w.failed ? (double)w.failed / (double)(w.ok + w.failed) : 0;
	if (!spec || spec->service != id)
		return;
	ret->max_connections = spec->max_connections;
	ret->max_pending = spec->max_pending;
	ret->rate = spec->rate_interval_ns ? 1e9 / (double)spec->rate_interval_ns : 0;
}

static int collect_services(const struct maps *m, struct page *p)
{
	uint64_t ms = now_ms();

	for (uint32_t i = 1; i < p->nr_services; i++) {
		const struct weft_service *s = service_of(m, i);

		if (!s)
			continue;
		p->services[i].name = strndup(s->name, sizeof(s->name));
		if (!p->services[i].name)
			return -ENOMEM;
		if (m->sstate)
			collect_guard(m, i, ms, &p->services[i]);
	}
	return 0;
}

static bool is_known(const struct page *p, uint32_t service)
{
	return service < p->nr_services && p->services[service].name;
}

static struct page_key endpoint_key(const struct page *p, const struct weft_backend *b)
{
	struct page_key key = { .service = b->service };

	if (p->options->endpoints) {
		key.endpoint = PAGE_ONE;
		key.addr = b->addr;
		key.port = ntohs(b->port_be);
	}
	return key;
}

/* The endpoint in the one state of its service's count. */
static void count_state(const struct weft_backend *b, uint32_t out, struct page_service *s)
{
	if (b->flags & WEFT_BACKEND_F_DRAINING)
		s->draining++;
	else if (!(b->flags & WEFT_BACKEND_F_READY) || !b->weight)
		s->disabled++;
	else if (out & WEFT_OUT_DRAINED)
		s->out[PAGE_OUT_DRAINED]++;
	else if (out & WEFT_OUT_UNREADY)
		s->out[PAGE_OUT_UNREADY]++;
	else if (out & WEFT_OUT_UNHEALTHY)
		s->out[PAGE_OUT_UNHEALTHY]++;
	else if (out & WEFT_OUT_EJECTED)
		s->out[PAGE_OUT_EJECTED]++;
	else
		s->ready++;
}

static struct page_endpoint_sum endpoint_sum(const struct weft_backend *b, const struct weft_bstate *s)
{
	struct page_endpoint_sum sum = { .active = s->active,
					 .pending = s->pending,
					 .ejections = s->ejected,
					 .moved = s->moved,
					 .reset_early = s->reset_early };

	if (!(b->flags & WEFT_BACKEND_F_READY))
		return sum;
#define X(id, bit, name, text) sum.out[PAGE_OUT_##id] = (s->out & bit) != 0;
	WEFT_OUTS(X)
#undef X
	return sum;
}

static int collect_endpoints(const struct maps *m, struct page *p)
{
	uint32_t capacity = m->backends ? m->capacity[PLANE_MAP_BACKENDS] : 0;
	int r = 0;

	for (uint32_t i = 1; i < capacity && !r; i++) {
		const struct weft_backend *b = backend_of(m, i);
		struct page_endpoint_sum sum;
		struct page_service *s;
		struct page_key key;

		if (!b || !is_known(p, b->service))
			continue;
		s = &p->services[b->service];
		count_state(b, m->bstate ? m->bstate[i].out : 0, s);
		if (!m->bstate)
			continue;
		key = endpoint_key(p, b);
		sum = endpoint_sum(b, &m->bstate[i]);
		r = page_add_endpoint(p, &key, &sum, m->bstate[i].ewma.us);
	}
	return r;
}

struct edges {
	const struct maps *maps;
	struct page *page;
	bool walked;
};

static int collect_edge(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	const struct edges *e = ctx;
	const struct weft_backend *b = backend_of(e->maps, key->backend);
	struct page *p = e->page;
	struct page_key row = { .service = key->service };

	if (!is_known(p, key->service))
		return 0;
	if (key->backend == 0) {
		row.endpoint = p->options->endpoints ? PAGE_REMOVED : PAGE_ALL;
	} else {
		if (!b || b->gen != key->gen || b->service != key->service)
			return 0;
		row = endpoint_key(p, b);
	}
	row.caller = p->options->callers ? callers_find(p->callers, key->caller) : CALLER_NONE;
	if (row.caller == CALLER_GONE && e->walked && !callers_is_gone(p->callers, key->caller))
		return 0; /* younger than the walk: on the next page */
	return page_add_edge(p, &row, value);
}

static int ignore_flow(void *ctx, const struct weft_flow_record *record)
{
	return 0;
}

static int note_caller(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	return callers_note(ctx, key->caller);
}

/* Without the hierarchy all callers are "gone": poorer labels, the same sums. */
static int collect_callers(struct edges *e)
{
	struct callers *c = e->page->callers;
	char root[4096];
	int r;

	if (plane_find_cgroup(root, sizeof(root)) < 0)
		return 0;
	r = maps_each_edge(e->maps, note_caller, c);
	if (r < 0)
		return r;
	r = callers_walk(c, root);
	e->walked = r == 0;
	callers_name_pods(c, e->maps->dir); /* or else paths remain */
	return r == -ENOMEM ? r : 0;
}

static int collect_edges(const struct maps *m, struct page *p)
{
	struct edges e = { m, p, false };
	int r;

	/* The walk itself brings the bytes of living connections into weft_edges. Without it they come at close. */
	r = maps_each_flow(m, ignore_flow, NULL);
	if (r == -ENOMEM)
		return r;
	r = p->options->callers ? collect_callers(&e) : 0;
	return r < 0 ? r : maps_each_edge(m, collect_edge, &e);
}

int page_collect(const struct maps *m, const struct metrics_options *options, struct page **ret)
{
	_cleanup_(page_freep) struct page *p = NULL;
	int r;

	p = page_new(options, m->services ? m->capacity[PLANE_MAP_SERVICES] : 0);
	if (!p)
		return -ENOMEM;
	r = collect_services(m, p);
	if (r == 0)
		r = collect_endpoints(m, p);
	if (r == 0 && m->fd[PLANE_MAP_EDGES] >= 0)
		r = collect_edges(m, p);
	if (r < 0)
		return r;
	p->has_counts = m->fd[PLANE_MAP_COUNTS] >= 0 && maps_counts(m, p->counts) == 0;
	for (int i = 0; i < PLANE_MAP_MAX; i++)
		p->has_usage[i] = m->fd[i] >= 0 && maps_usage(m, (enum plane_map)i, &p->usage[i]) == 0;
	page_sort(p);
	*ret = MOVE(p, NULL);
	return 0;
}

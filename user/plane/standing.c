/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "plane/maps.h"
#include "plane/standing.h"
#include "plane/state.h"

uint32_t maps_out(const struct maps *m, uint32_t backend)
{
	if (!(m->backends[backend].flags & WEFT_BACKEND_F_READY))
		return 0;
	return __atomic_load_n(&m->bstate[backend].out, __ATOMIC_ACQUIRE);
}

bool maps_is_ready(const struct maps *m, uint32_t backend)
{
	const struct weft_backend *b = &m->backends[backend];

	return (b->flags & WEFT_BACKEND_F_READY) && !(b->flags & WEFT_BACKEND_F_DRAINING) && b->weight &&
	       !maps_out(m, backend);
}

const char *maps_state(const struct maps *m, uint32_t backend)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} outs[] = {
		{ WEFT_OUT_DRAINED, "drained" },
		{ WEFT_OUT_UNREADY, "not-ready" },
		{ WEFT_OUT_UNHEALTHY, "unhealthy" },
		{ WEFT_OUT_EJECTED, "ejected" },
	};
	const struct weft_backend *b = &m->backends[backend];
	uint32_t out = maps_out(m, backend);

	if (b->flags & WEFT_BACKEND_F_DRAINING)
		return "draining";
	if (!b->weight || !(b->flags & WEFT_BACKEND_F_READY))
		return "off";
	for (size_t i = 0; i < sizeof(outs) / sizeof(outs[0]); i++)
		if (out & outs[i].bit)
			return outs[i].word;
	return "ready";
}

const struct holding *holding_find(const struct plane *p, const char *name)
{
	size_t low = 0, high = p->nr_order;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint32_t id = p->order[middle];
		int r = strncmp(name, p->m->services[id].name, WEFT_NAME_LEN);

		if (!r)
			return p->held[id].state == HOLDING_LIVE ? &p->held[id] : NULL;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static struct plane_endpoint standing(const struct maps *m, uint32_t id)
{
	const struct weft_backend *b = &m->backends[id];

	return (struct plane_endpoint){ .addr = b->addr,
					.port = ntohs(b->port_be),
					.state = maps_state(m, id),
					.ready = maps_is_ready(m, id),
					.out = maps_out(m, id),
					.connections = __atomic_load_n(&m->bstate[id].active, __ATOMIC_RELAXED) };
}

int plane_each_endpoint(const struct plane *p, const char *service,
			int (*fn)(void *ctx, const struct plane_endpoint *e), void *ctx)
{
	const struct holding *h = holding_find(p, service);
	int r = 0;

	if (!h)
		return -ENOENT;
	for (uint32_t i = 0; !r && i < h->nr; i++) {
		struct plane_endpoint e = standing(p->m, h->backends[i]);

		r = fn(ctx, &e);
	}
	for (uint32_t i = 0; !r && i < h->nr_draining; i++) {
		struct plane_endpoint e = standing(p->m, h->draining[i].id);

		if (e.connections)
			r = fn(ctx, &e);
	}
	return r;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "plane/health.h"
#include "plane/state.h"
#include "weft/outlier.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* The id of its endpoint; 0: not there. */
static uint32_t find_endpoint(const struct plane *p, const char *service, const struct weft_addr *addr, uint16_t port)
{
	const struct holding *h = holding_find(p, service);
	uint32_t low = 0, high = h ? h->nr : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2, id = h->backends[middle];
		const struct weft_backend *b = &p->m->backends[id];
		uint16_t its = ntohs(b->port_be);
		int r = memcmp(addr->byte, b->addr.byte, sizeof(addr->byte));

		if (!r)
			r = (port > its) - (port < its);
		if (!r)
			return id;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}

/* Slow start counts from before the endpoint is to be had, so that no connect sees it without. */
static bool recover(struct plane *p, uint32_t id, uint64_t now)
{
	struct weft_bstate *b = &p->m->bstate[id];

	if (!(__atomic_load_n(&b->out, __ATOMIC_ACQUIRE) & WEFT_OUT_UNHEALTHY))
		return false;
	__atomic_store_n(&b->since_ns, now, __ATOMIC_RELEASE);
	return maps_out_clear(p->m, id, p->m->backends[id].gen, WEFT_OUT_UNHEALTHY) > 0;
}

/* What had failed is forgiven, or the first failure from now on would eject it again. */
static bool uneject(struct plane *p, uint32_t id, uint64_t now)
{
	struct weft_bstate *b = &p->m->bstate[id];

	if (!__atomic_load_n(&b->ejected_until_ns, __ATOMIC_ACQUIRE))
		return false;
	weft_outlier_success(b);
	__atomic_store_n(&b->resets_in_row, 0, __ATOMIC_RELEASE);
	return maps_uneject(p->m, id, now) > 0;
}

int plane_set_health(struct plane *p, const char *service, const struct weft_addr *addr, uint16_t port,
		     enum plane_health health)
{
	uint32_t id = find_endpoint(p, service, addr, port);
	uint64_t now = now_ns();
	int changes = 0;

	if (!id)
		return -ENOENT;
	if (health == PLANE_UNHEALTHY)
		return maps_out_set(p->m, id, p->m->backends[id].gen, WEFT_OUT_UNHEALTHY) > 0 ? PLANE_HEALTH_CHANGED
											      : PLANE_HEALTH_SAME;
	if (recover(p, id, now))
		changes |= PLANE_HEALTH_CHANGED;
	if (health == PLANE_PASSED && uneject(p, id, now))
		changes |= PLANE_HEALTH_UNEJECTED;
	return changes;
}

int plane_get_health(const struct plane *p, const char *service, const struct weft_addr *addr, uint16_t port)
{
	uint32_t id = find_endpoint(p, service, addr, port);

	if (!id)
		return -ENOENT;
	return !(__atomic_load_n(&p->m->bstate[id].out, __ATOMIC_ACQUIRE) & WEFT_OUT_UNHEALTHY);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a test looks at: counters, endpoints, edges. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "harness.h"

void mark(struct mesh *m)
{
	ck_assert_int_eq(maps_counts(m->maps, m->mark), 0);
}

uint64_t happened(const struct mesh *m, enum weft_reason r)
{
	uint64_t now[WEFT_R_MAX];

	ck_assert_int_eq(maps_counts(m->maps, now), 0);
	return now[r] - m->mark[r];
}

uint32_t endpoint_id(const struct mesh *m, const char *service, const char *ip, uint16_t port)
{
	const struct maps *maps = m->maps;
	struct weft_addr addr;
	uint32_t found = 0;

	ck_assert_int_eq(addr_parse(ip, &addr), 0);
	for (uint32_t i = 1; i < maps->capacity[PLANE_MAP_BACKENDS]; i++) {
		const struct weft_backend *b = &maps->backends[i];

		if (!(b->flags & WEFT_BACKEND_F_USED) || b->port_be != htons(port) || !weft_addr_equal(&b->addr, &addr))
			continue;
		if (service && strcmp(maps->services[b->service].name, service))
			continue;
		if (b->flags & WEFT_BACKEND_F_READY)
			return i;
		found = i;
	}
	return found;
}

const struct weft_bstate *endpoint_state(const struct mesh *m, const char *service, const char *ip, uint16_t port)
{
	uint32_t id = endpoint_id(m, service, ip, port);

	ck_assert_msg(id, "%s:%u is no endpoint", ip, port);
	return &m->maps->bstate[id];
}

static uint32_t active_now(const struct weft_bstate *s)
{
	return __atomic_load_n(&s->active, __ATOMIC_RELAXED);
}

void expect_active(const struct mesh *m, const char *ip, uint16_t port, unsigned n)
{
	const struct weft_bstate *s = endpoint_state(m, NULL, ip, port);

	ck_assert_msg(WITHIN(2000, active_now(s) == n), "%s:%u: %u active, expected %u", ip, port, active_now(s), n);
}

uint64_t active_total(const struct mesh *m)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < m->maps->capacity[PLANE_MAP_BACKENDS]; i++)
		n += active_now(&m->maps->bstate[i]);
	return n;
}

void expect_nothing_active(const struct mesh *m, unsigned ms)
{
	ck_assert_msg(WITHIN(ms, active_total(m) == 0), "%llu still active", (unsigned long long)active_total(m));
}

void expect_audit_clean(const struct mesh *m)
{
	struct audit a = {};
	int r = maps_audit(m->maps, 2, &a);
	_cleanup_(freep) struct drift *drift = a.drift;

	ck_assert_msg(!r, "maps_audit: %d", r);
	ck_assert_msg(!a.nr_drift,
		      "%zu counters drift; the first: %s of service %u, endpoint %u: counted %lld, found %lld",
		      a.nr_drift, a.nr_drift ? drift_name(drift->what) : "", a.nr_drift ? drift->service : 0,
		      a.nr_drift ? drift->backend : 0, a.nr_drift ? (long long)drift->counted : 0,
		      a.nr_drift ? (long long)drift->found : 0);
}

static int add_edge(void *ctx, const struct weft_edge_key *key, const struct weft_edge *e)
{
	const uint64_t *from = (const uint64_t *)e;
	uint64_t *to = ctx;

	/* Every field is a 64-bit counter; the size is asserted in abi.h. */
	for (size_t i = 0; i < sizeof(*e) / sizeof(uint64_t); i++)
		to[i] += from[i];
	return 0;
}

struct weft_edge edges_total(const struct mesh *m)
{
	struct weft_edge sum = {};

	ck_assert_int_eq(maps_each_edge(m->maps, add_edge, &sum), 0);
	return sum;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Maps made by hand, as a kernel would have them: what the commands are shown in tests. No kernel, no root, no clock.
 */
#ifndef TESTS_CLI_FIXTURE_H
#define TESTS_CLI_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/view.h"
#include "model/service.h"
#include "weft/level.h"

#define FIXTURE_NOW_NS	 (1000ull * 1000000000ull)
#define FIXTURE_SERVICES 16
#define FIXTURE_SPECS	 16
#define FIXTURE_BACKENDS 32
#define FIXTURE_SLOTS	 64

struct fixture {
	struct maps maps;
	struct view *view;
	uint32_t nr_slots;
};

static inline void fixture_slots(struct fixture *f, uint32_t spec, const uint32_t *ids, uint32_t nr, bool table)
{
	if (table) {
		f->maps.specs[spec].level[0].table_base = f->nr_slots;
		f->maps.specs[spec].level[0].table_size = nr;
	} else {
		f->maps.specs[spec].level[0].slot_base = f->nr_slots;
		f->maps.specs[spec].level[0].nr_slots = nr;
	}
	for (uint32_t i = 0; i < nr; i++)
		f->maps.slots[f->nr_slots++] = ids[i];
}

static inline void fixture_service(struct fixture *f, uint32_t id, const char *name, uint32_t spec, enum weft_lb lb)
{
	struct weft_service *s = &f->maps.services[id];

	snprintf(s->name, sizeof(s->name), "%s", name);
	s->flags = WEFT_SERVICE_F_USED;
	s->spec = spec;
	s->serial = spec ? 3 : 0;
	if (!spec)
		return;
	f->maps.specs[spec] = (struct weft_spec){
		.service = id,
		.lb = lb,
		.hash_by = WEFT_CLIENT_ADDRESS,
		.flags = WEFT_SPEC_F_USED,
		.nr_levels = 1,
		.level = { { .avg_weight = 1, .cap = WEFT_WHOLE } },
		.serial = 3,
	};
}

static inline void fixture_backend(struct fixture *f, uint32_t id, uint32_t service, const char *address,
				   uint16_t weight, uint32_t flags)
{
	struct weft_backend *b = &f->maps.backends[id];
	uint16_t port = 0;

	addr_port_parse(address, &b->addr, &port);
	b->port_be = htons(port);
	b->weight = weight;
	b->flags = WEFT_BACKEND_F_USED | flags;
	b->service = service;
	b->gen = 1;
	if (!weight || flags & WEFT_BACKEND_F_DRAINING || !f->maps.services[service].spec)
		return;
	f->maps.specs[f->maps.services[service].spec].nr_backends++;
	f->maps.specs[f->maps.services[service].spec].level[0].nr_backends++;
}

static inline void fixture_frontend(struct fixture *f, uint32_t service, const char *address, uint8_t proto)
{
	struct weft_frontend_key key = { .proto = proto };
	uint16_t port = 0;

	addr_port_parse(address, &key.addr, &port);
	key.port_be = htons(port);
	view_add_frontend(f->view, &key, service);
}

static inline void fixture_web(struct fixture *f)
{
	const uint32_t slots[] = { 2, 1, 2 };

	fixture_service(f, 1, "web", 4, WEFT_LB_P2C_EWMA);
	fixture_backend(f, 2, 1, "10.0.0.2:8080", 2, WEFT_BACKEND_F_READY);
	fixture_backend(f, 1, 1, "10.0.0.1:8080", 1, WEFT_BACKEND_F_READY);
	fixture_backend(f, 3, 1, "10.0.0.3:8080", 0, 0);
	fixture_backend(f, 4, 1, "10.0.0.4:8080", 1, WEFT_BACKEND_F_DRAINING);
	fixture_slots(f, 4, slots, 3, false);
	f->maps.specs[4].level[0].avg_weight = 2;
	f->maps.bstate[1] = (struct weft_bstate){
		.active = 2,
		.failures_in_row = 1,
		.ewma = { .us = 850, .at_ms = 1000000 },
		.opened = 1200,
		.established = 1190,
		.failed = 10,
		.last_failure_ns = FIXTURE_NOW_NS - 90000000000ull,
		.last_handshake_us = 900,
		.last_rtt_us = 640,
	};
	f->maps.bstate[2] = (struct weft_bstate){
		.active = 3,
		.ewma = { .us = 12000, .at_ms = 1000000 - 6931 },
		.opened = 2400,
		.established = 2400,
		.last_handshake_us = 1100,
		.last_rtt_us = 12345,
	};
	f->maps.bstate[4].active = 1;
	f->maps.sstate[1].refused = 5;
}

static inline void fixture_rest(struct fixture *f)
{
	const uint32_t dns[] = { 5, 6 }, cache[] = { 7, 8 }, table[] = { 7, 8, 8, 7, 7, 8, 7 };

	fixture_service(f, 2, "dns", 5, WEFT_LB_ROUND_ROBIN);
	fixture_backend(f, 5, 2, "10.0.1.1:53", 1, WEFT_BACKEND_F_READY);
	fixture_backend(f, 6, 2, "10.0.1.2:53", 1, WEFT_BACKEND_F_READY);
	fixture_slots(f, 5, dns, 2, false);
	f->maps.specs[5].affinity = WEFT_CLIENT_ADDRESS;
	f->maps.specs[5].affinity_ms = 600000;
	f->maps.sstate[2].next = 7;

	fixture_service(f, 3, "cache", 6, WEFT_LB_MAGLEV);
	fixture_backend(f, 7, 3, "[fd00::1]:6379", 1, WEFT_BACKEND_F_READY);
	fixture_backend(f, 8, 3, "[fd00::2]:6379", 1, WEFT_BACKEND_F_READY);
	fixture_slots(f, 6, cache, 2, false);
	fixture_slots(f, 6, table, 7, true);

	fixture_service(f, 4, "empty", 7, WEFT_LB_RANDOM);
	f->maps.specs[7].nr_levels = 0;
	fixture_service(f, 5, "fresh", 0, WEFT_LB_RANDOM);
}

#define FIXTURE_SECOND 1000000000ull

/* An endpoint of "shop", taken out by @bits. */
static inline void fixture_out(struct fixture *f, uint32_t id, uint32_t bits)
{
	f->maps.bstate[id].out = bits;
	f->maps.sstate[6].unavailable[f->maps.backends[id].level]++;
}

/* Everything that resilience has: two priorities, the first one split by zones, limits, a breaker, ejections. */
static inline void fixture_shop(struct fixture *f)
{
	static const char *const address[] = { "10.0.6.1:80", "10.0.6.2:80", "10.0.6.3:80", "10.0.6.4:80",
					       "10.0.6.5:80", "10.0.6.6:80", "10.0.6.7:80" };
	static const uint8_t level[] = { 0, 0, 1, 1, 1, 2, 2 };
	struct weft_spec *spec = &f->maps.specs[8];
	struct weft_sstate *s = &f->maps.sstate[6];

	fixture_service(f, 6, "shop", 8, WEFT_LB_LEAST_REQUEST);
	for (uint32_t i = 0; i < 7; i++) {
		fixture_backend(f, 10 + i, 6, address[i], 1, WEFT_BACKEND_F_READY);
		f->maps.backends[10 + i].level = level[i];
	}
	spec->flags |= WEFT_SPEC_F_FAILOVER;
	spec->nr_levels = 3;
	for (uint32_t i = 0, at = 10; i < 3; i++) {
		static const uint32_t nr[] = { 2, 3, 2 };

		spec->level[i] = (struct weft_level){ .slot_base = f->nr_slots,
						      .nr_slots = nr[i],
						      .nr_backends = nr[i],
						      .avg_weight = 1,
						      .cap = i ? WEFT_WHOLE : 5000,
						      .priority = i == 2 ? 10 : 0,
						      .flags = i ? 0 : WEFT_LEVEL_F_LOCAL };
		for (uint32_t k = 0; k < nr[i]; k++)
			f->maps.slots[f->nr_slots++] = at++;
	}
	spec->panic_percent = 50;
	spec->connect_timeout_ms = 5000;
	spec->drain_ms = 60000;
	spec->max_connections = 100;
	spec->max_pending = 20;
	spec->max_endpoint_connections = 40;
	spec->rate_interval_ns = 10000000;
	spec->rate_burst_ns = 190000000;
	spec->breaker_percent = 50;
	spec->breaker_volume = 20;
	spec->breaker_sleep_ms = 5000;
	spec->eject_failures = 5;
	spec->eject_percent = 50;
	spec->eject_base_ms = 30000;
	spec->eject_max_ms = 300000;
	spec->eject_interval_ms = 10000;
	spec->slow_start_ms = 30000;
	spec->slow_start_percent = 10;
	s->active = 87;
	s->pending = 3;
	s->rate_at_ns = FIXTURE_NOW_NS + 70000000;
	s->ejected = 1;
	s->breaker.bucket[999 % WEFT_BREAKER_BUCKETS] = 999ull << 40 | 6ull << 20 | 30;
	s->breaker.bucket[1000 % WEFT_BREAKER_BUCKETS] = 1000ull << 40 | 2ull << 20 | 12;
	s->breaker.opened = 2;
	f->maps.bstate[10].active = 40;
	f->maps.bstate[11].active = 5;
	f->maps.bstate[12] = (struct weft_bstate){ .ejected_until_ns = FIXTURE_NOW_NS + 42 * FIXTURE_SECOND,
						   .ejections = 2,
						   .eject_cause = WEFT_CAUSE_TIMED_OUT,
						   .ejected = 3,
						   .failures_in_row = 5 };
	f->maps.bstate[13].since_ns = FIXTURE_NOW_NS - 12 * FIXTURE_SECOND;
	fixture_out(f, 12, WEFT_OUT_EJECTED);
	fixture_out(f, 15, WEFT_OUT_UNHEALTHY);
	fixture_out(f, 16, WEFT_OUT_DRAINED | WEFT_OUT_UNHEALTHY);
}

static inline void fixture_init(struct fixture *f)
{
	struct maps *m = &f->maps;

	memset(f, 0, sizeof(*f));
	for (int i = 0; i < PLANE_MAP_MAX; i++)
		m->fd[i] = -1;
	m->capacity[PLANE_MAP_SERVICES] = m->capacity[PLANE_MAP_SSTATE] = FIXTURE_SERVICES;
	m->capacity[PLANE_MAP_SPECS] = FIXTURE_SPECS;
	m->capacity[PLANE_MAP_BACKENDS] = m->capacity[PLANE_MAP_BSTATE] = FIXTURE_BACKENDS;
	m->capacity[PLANE_MAP_SLOTS] = FIXTURE_SLOTS;
	m->config = calloc(1, sizeof(*m->config));
	m->services = calloc(FIXTURE_SERVICES, sizeof(*m->services));
	m->sstate = calloc(FIXTURE_SERVICES, sizeof(*m->sstate));
	m->specs = calloc(FIXTURE_SPECS, sizeof(*m->specs));
	m->backends = calloc(FIXTURE_BACKENDS, sizeof(*m->backends));
	m->bstate = calloc(FIXTURE_BACKENDS, sizeof(*m->bstate));
	m->slots = calloc(FIXTURE_SLOTS, sizeof(*m->slots));
	m->config->abi = WEFT_ABI;
	m->config->flags = WEFT_CONFIG_F_CALLERS;
	m->config->serial = 9;
	fixture_web(f);
	fixture_rest(f);
	fixture_shop(f);
}

/* After the maps are as the test wants them. */
static inline void fixture_view(struct fixture *f)
{
	if (view_read(&f->maps, &f->view) < 0)
		abort();
	fixture_frontend(f, 1, "10.96.0.10:80", IPPROTO_TCP);
	fixture_frontend(f, 1, "10.96.0.11:80", IPPROTO_TCP);
	fixture_frontend(f, 2, "10.96.0.53:53", IPPROTO_UDP);
	fixture_frontend(f, 3, "[fd00::c]:6379", IPPROTO_TCP);
	fixture_frontend(f, 4, "10.96.0.99:443", IPPROTO_TCP);
	fixture_frontend(f, 5, "10.96.0.98:443", IPPROTO_TCP);
	fixture_frontend(f, 6, "10.96.0.60:80", IPPROTO_TCP);
	view_sort_frontends(f->view);
	f->view->now_ns = FIXTURE_NOW_NS;
	f->view->boot_ns = FIXTURE_NOW_NS;
}

static inline void fixture_done(struct fixture *f)
{
	struct maps *m = &f->maps;

	view_free(f->view);
	free(m->config);
	free(m->services);
	free(m->sstate);
	free(m->specs);
	free(m->backends);
	free(m->bstate);
	free(m->slots);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Endpoints that work, refuse and are silent, between two namespaces and on loopback, and services that try them in a
 * given order: one priority each, and no ejection, so that every connect meets the first one first.
 */
#ifndef BENCH_RESILIENCE_WORLD_H
#define BENCH_RESILIENCE_WORLD_H

#include "flow_world.h"
#include "plane/tc.h"

#define PORT_REFUSES 7009
#define SILENT_NET   "10.201.9.0/24" /* routed into nothing behind the far namespace */
#define SILENT_BASE  0x0ac90901u     /* 10.201.9.1 */
#define FAR_BASE     0x0ac90002u
#define NEAR_IP	     0x0ac90001u
#define TIMEOUT_MS   300u

/* What a service tries in turn. */
enum end { GOOD, REFUSES, REFUSES_TOO, SILENT, SILENT_TOO, NONE };

struct case_row {
	const char *name;
	enum end ends[3];
	bool ejects;  /* else every connect meets the first one */
	int expected; /* errno of connect() */
	const char *bar;
};

static const struct case_row case_rows[] = {
	{ "the first endpoint works", { GOOD, REFUSES, NONE }, false, 0, "" },
	{ "the first refuses", { REFUSES, GOOD, NONE }, false, 0, "<= 0.2" },
	{ "the first is black-holed", { SILENT, GOOD, NONE }, false, 0, "<= 50" },
	{ "two black holes, then a good one", { SILENT, SILENT_TOO, GOOD }, false, 0, "" },
	{ "all refuse: ECONNREFUSED", { REFUSES, REFUSES_TOO, NONE }, false, ECONNREFUSED, "" },
	{ "all silent: ETIMEDOUT at 300 ms", { SILENT, SILENT_TOO, NONE }, false, ETIMEDOUT, "" },
	{ "the first refuses, ejection on: the connects after it", { REFUSES, GOOD, NONE }, true, 0, "" },
	{ "the first is black-holed, ejection on: the connects after it", { SILENT, GOOD, NONE }, true, 0, "" },
};
#define NR_CASES (sizeof(case_rows) / sizeof(case_rows[0]))

/* Services beside the cases, all with one working endpoint: what resilience costs when nothing fails. */
enum feature { ALL_OFF, FAILOVER_ON, ALL_ON, FEATURES };
static const char *const feature_words[FEATURES] = { "through a service, resilience off", "failover on",
						     "failover, ejection, limits, rate and breaker on" };

static inline uint32_t case_vip(enum place place, size_t i)
{
	return (uint32_t)(16 + place * 64 + i);
}

static inline uint32_t feature_vip(enum place place, enum feature f)
{
	return (uint32_t)(16 + place * 64 + 32 + f);
}

static inline struct endpoint end_of(enum place place, enum end e)
{
	struct endpoint ep = { .port = PORT_WEFT, .weight = 1 };
	uint32_t addr = place == LOOPBACK ? INADDR_LOOPBACK : FAR_BASE;

	if (e == REFUSES || e == REFUSES_TOO)
		ep.port = (uint16_t)(PORT_REFUSES + (e == REFUSES_TOO));
	if (e == SILENT || e == SILENT_TOO)
		addr = SILENT_BASE + (e == SILENT_TOO);
	weft_addr_set_v4(&ep.addr, htonl(addr));
	return ep;
}

static inline struct service *world_service(const char *what, unsigned n, uint32_t vip)
{
	struct service *s;
	struct frontend f = { .addr = vip_of(vip), .port = VIP_PORT };
	char name[48];

	snprintf(name, sizeof(name), "%s-%u", what, n);
	s = service_new(name);
	if (s && service_add_frontend(s, &f)) {
		service_unref(s);
		return NULL;
	}
	if (s)
		s->connect_timeout_ms = TIMEOUT_MS;
	return s;
}

static inline int world_add(struct model *m, struct service *s)
{
	int r = service_sort(s) >= 0 ? -EEXIST : model_add(m, s);

	service_unref(s);
	return r;
}

static inline int world_case(struct model *m, enum place place, size_t i)
{
	const struct case_row *c = &case_rows[i];
	struct service *s = world_service("case", (unsigned)case_vip(place, i), case_vip(place, i));
	int r = s ? 0 : -ENOMEM;

	if (r)
		return r;
	s->ejection.on = c->ejects;
	s->ejection.percent = 100;
	for (unsigned k = 0; !r && k < 3 && c->ends[k] != NONE; k++) {
		struct endpoint e = end_of(place, c->ends[k]);

		e.priority = (uint8_t)k;
		r = service_add_endpoint(s, &e);
	}
	return r ? r : world_add(m, s);
}

static inline int world_feature(struct model *m, enum place place, enum feature f)
{
	struct service *s = world_service("feature", (unsigned)feature_vip(place, f), feature_vip(place, f));
	struct endpoint good = end_of(place, GOOD), other = end_of(place, REFUSES);
	int r = s ? 0 : -ENOMEM;

	if (r)
		return r;
	other.priority = 1; /* never tried, but there: failover follows only connects that could go elsewhere */
	s->failover = f != ALL_OFF;
	s->ejection.on = f == ALL_ON;
	if (f == ALL_OFF)
		s->connect_timeout_ms = 0;
	if (f == ALL_ON) {
		s->limits = (struct limits){ .connections = 10000,
					     .pending = 10000,
					     .endpoint_connections = 10000,
					     .endpoint_pending = 10000,
					     .rate = 10000000,
					     .burst = 1000000 };
		s->breaker = (struct breaker){ .percent = 50, .volume = 20, .sleep_ms = 5000 };
	}
	r = service_add_endpoint(s, &good);
	if (!r)
		r = service_add_endpoint(s, &other);
	return r ? r : world_add(m, s);
}

static inline int resilience_publish(struct flow_world *w)
{
	_cleanup_(model_freep) struct model *m = model_new();
	const struct service *a, *b;
	const struct frontend *shared;
	struct plane_error err;
	struct plane_change change;
	int r = m ? 0 : -ENOMEM;

	for (int place = 0; !r && place < PLACES; place++) {
		for (size_t i = 0; !r && i < NR_CASES; i++)
			r = world_case(m, (enum place)place, i);
		for (int f = 0; !r && f < FEATURES; f++)
			r = world_feature(m, (enum place)place, (enum feature)f);
	}
	if (!r)
		r = model_seal(m, &a, &b, &shared);
	if (!r && plane_apply(w->plane, m, &change, &err))
		r = log_err(-EINVAL, "%s", err.text);
	return r;
}

/* A hole behind the far namespace, whose descriptor is @far. */
static inline int silent_net(int far, int near)
{
	int r;

	if (setns(far, CLONE_NEWNET))
		return -errno;
	r = rig_write("/proc/sys/net/ipv4/ip_forward", "1");
	if (!r)
		r = IP("route", "add", "blackhole", SILENT_NET);
	if (setns(near, CLONE_NEWNET) && !r)
		r = -errno;
	if (!r)
		r = IP("route", "add", SILENT_NET, "via", FAR_ADDR);
	return r;
}

/* The failover programs on both links, or off both. */
static inline int resilience_links(struct flow_world *w, bool on)
{
	static const char *const links[] = { "lo", "near" };
	struct plane_error err = { .text = "" };
	int r = 0;

	for (unsigned i = 0; !r && i < 2; i++) {
		int ifindex = (int)if_nametoindex(links[i]);

		r = on ? plane_links_attach(w->plane, ifindex, &err) : plane_links_detach(w->plane, ifindex);
	}
	return r ? log_err(r, "failover programs: %s", err.text) : 0;
}

#endif

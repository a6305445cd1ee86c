/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One UDP service, "s", with as many endpoints as a test likes, told by their numbers; nobody needs to listen there. */
#ifndef TESTS_MANY_H
#define TESTS_MANY_H

#include "harness.h"

/* Endpoint @i is 127.0.@i / 200.@i % 200 + 2. */
static inline void endpoint_ip(char ip[32], unsigned i)
{
	snprintf(ip, 32, "127.0.%u.%u", i / 200, i % 200 + 2);
}

static inline struct service *given_s(enum weft_lb lb)
{
	return given_service(&mesh, "s", IPPROTO_UDP, "10.99.0.1", 80, lb);
}

/* Adds @n endpoints of @priority in @zone. */
static inline void given_some(struct service *s, unsigned n, uint8_t priority, const char *zone)
{
	char ip[32];

	for (unsigned i = 0; i < n; i++) {
		endpoint_ip(ip, (unsigned)s->nr_endpoints);
		given_endpoint(s, ip, 8080);
		s->endpoints[s->nr_endpoints - 1].priority = priority;
		s->endpoints[s->nr_endpoints - 1].zone = zone;
	}
}

static inline uint32_t id_of(unsigned i)
{
	char ip[32];

	endpoint_ip(ip, i);
	return endpoint_id(&mesh, "s", ip, 8080);
}

static inline void take_out(unsigned from, unsigned to, uint32_t bits)
{
	for (unsigned i = from; i < to; i++)
		ck_assert_int_eq(maps_out_set(mesh.maps, id_of(i), mesh.maps->backends[id_of(i)].gen, bits), 1);
}

static inline void bring_back(unsigned from, unsigned to, uint32_t bits)
{
	for (unsigned i = from; i < to; i++)
		ck_assert_int_eq(maps_out_clear(mesh.maps, id_of(i), mesh.maps->backends[id_of(i)].gen, bits), 1);
}

static inline uint64_t opened(unsigned from, unsigned to)
{
	uint64_t n = 0;

	for (unsigned i = from; i < to; i++)
		n += mesh.maps->bstate[id_of(i)].opened;
	return n;
}

static inline void connect_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd = udp_to("10.99.0.1", 80);

		ck_assert_msg(fd >= 0, "connect %u: %s", i, strerror(-fd));
		close(fd);
	}
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services by the thousand. Service i has the address 10.64.0.0 + i, port 80; the shape says where its endpoints are.
 */
#ifndef BENCH_SERVICES_H
#define BENCH_SERVICES_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "model/model.h"

#define VIP_BASE 0x0a400000u /* 10.64.0.0 */
#define VIP_PORT 80

struct shape {
	uint32_t services, endpoints; /* endpoints of each service */
	uint32_t endpoint_base;	      /* host order; the first endpoint's address */
	bool shared;		      /* every service has the same endpoints; else each its own */
	uint16_t port;
	bool both_protos;  /* odd services are UDP; else all are TCP */
	bool all_policies; /* services 2 j and 2 j + 1 use policy j; the rest the default */
	uint32_t shifted;  /* so many endpoints of each service have port + 1 instead: what a reload changes */
};

static inline struct weft_addr vip_of(uint32_t i)
{
	struct weft_addr a;

	weft_addr_set_v4(&a, htonl(VIP_BASE + i));
	return a;
}

static inline uint32_t shape_endpoint(const struct shape *s, uint32_t service, uint32_t e)
{
	return s->endpoint_base + (s->shared ? e : service * s->endpoints + e);
}

static inline int services_add(struct model *m, const struct shape *shape, uint32_t i)
{
	_cleanup_(service_unrefp) struct service *s = NULL;
	struct frontend f = { .addr = vip_of(i), .port = VIP_PORT };
	char name[32];
	int r;

	snprintf(name, sizeof(name), "svc-%06u", i);
	s = service_new(name);
	if (!s)
		return -ENOMEM;
	s->proto = shape->both_protos && i % 2 ? IPPROTO_UDP : IPPROTO_TCP;
	if (shape->all_policies && i < 2 * WEFT_LB_MAX)
		s->lb = (uint8_t)(i / 2);
	r = service_add_frontend(s, &f);
	for (uint32_t e = 0; !r && e < shape->endpoints; e++) {
		struct endpoint ep = { .port = (uint16_t)(shape->port + (e < shape->shifted)), .weight = 1 };

		weft_addr_set_v4(&ep.addr, htonl(shape_endpoint(shape, i, e)));
		r = service_add_endpoint(s, &ep);
	}
	if (!r && service_sort(s) >= 0)
		r = -EEXIST;
	return r ? r : model_add(m, s);
}

/* Sealed; NULL: no memory. */
static inline struct model *services_model(const struct shape *shape)
{
	_cleanup_(model_freep) struct model *m = model_new();
	const struct service *first, *second;
	const struct frontend *frontend;

	for (uint32_t i = 0; m && i < shape->services; i++)
		if (services_add(m, shape, i))
			return NULL;
	if (!m || model_seal(m, &first, &second, &frontend))
		return NULL;
	return MOVE(m, NULL);
}

#endif

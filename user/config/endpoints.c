/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The endpoints of a service. They are gathered with their lines in arrays that serve one service after the other, so
 * that each service gets an array of just its size and an error can still name the line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/scalar.h"
#include "config/services.h"
#include "config/settings.h"

static int read_endpoint_address(struct reader *rd, void *into)
{
	struct endpoint *e = into;
	struct address a;
	int r;

	r = scalar_address(rd, false, &a);
	if (r)
		return r;
	e->addr = a.addr;
	e->port = a.port;
	return 0;
}

static int read_endpoint_weight(struct reader *rd, void *into)
{
	struct endpoint *e = into;
	uint32_t weight = 0;
	int r;

	r = scalar_number(rd, 0, WEFT_WEIGHT_MAX, &weight);
	if (!r)
		e->weight = (uint16_t)weight;
	return r;
}

static int read_endpoint_priority(struct reader *rd, void *into)
{
	struct endpoint *e = into;
	uint32_t priority = 0;
	int r;

	r = scalar_number(rd, 0, WEFT_PRIORITY_MAX, &priority);
	if (!r)
		e->priority = (uint8_t)priority;
	return r;
}

static int read_endpoint_zone(struct reader *rd, void *into)
{
	_cleanup_(freep) char *zone = NULL;
	struct endpoint *e = into;
	int r;

	r = scalar_plain_text(rd, CONFIG_ZONE_MAX, &zone);
	if (r)
		return r;
	e->zone = word_keep(zone);
	return e->zone ? 0 : reader_fail_memory(rd);
}

static int read_endpoint_ready(struct reader *rd, void *into)
{
	struct endpoint *e = into;
	bool ready = true;
	int r;

	r = scalar_bool(rd, &ready);
	e->unready = !ready;
	return r;
}

static int keep_endpoint(struct reader *rd, struct services_reading *x, const struct endpoint *e, unsigned line)
{
	size_t want = x->capacity ? x->capacity * 2 : 64;
	void *more;

	if (x->nr_endpoints == WEFT_ENDPOINTS_PER_SERVICE)
		return reader_fail_at(rd, line, "a service has at most %d endpoints", WEFT_ENDPOINTS_PER_SERVICE);
	if (x->nr_endpoints == x->capacity) {
		more = reallocarray(x->endpoints, want, sizeof(*x->endpoints));
		if (!more)
			return reader_fail_memory(rd);
		x->endpoints = more;
		more = reallocarray(x->endpoint_lines, want, sizeof(*x->endpoint_lines));
		if (!more)
			return reader_fail_memory(rd);
		x->endpoint_lines = more;
		x->capacity = want;
	}
	x->endpoints[x->nr_endpoints] = *e;
	x->endpoint_lines[x->nr_endpoints++] = line;
	return 0;
}

static int read_endpoint(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "address", read_endpoint_address },	{ "weight", read_endpoint_weight },
		{ "priority", read_endpoint_priority }, { "zone", read_endpoint_zone },
		{ "ready", read_endpoint_ready },
	};
	struct endpoint e = { .weight = 1 };
	unsigned line = reader_line(rd);
	int r;

	if (reader_at_word(rd))
		r = read_endpoint_address(rd, &e);
	else if (rd->event.type == YAML_SEQUENCE_START_EVENT)
		r = reader_fail(rd, "must be a word or a mapping, not a list; an IPv6 address needs quotes: "
				    "\"[fd00::1]:80\"");
	else
		r = reader_mapping(rd, fields, sizeof(fields) / sizeof(fields[0]), &e);
	if (r)
		return r;
	if (!e.port)
		return reader_fail_at(rd, line, "\"address\" is missing");
	return keep_endpoint(rd, into, &e, line);
}

int service_read_endpoints(struct reader *rd, void *into)
{
	return reader_list(rd, read_endpoint, into);
}

/* Which of the endpoints, as written, is the second one like @e? */
static size_t second_like(const struct services_reading *x, const struct endpoint *e, size_t *ret_first)
{
	size_t first = x->nr_endpoints;

	for (size_t i = 0; i < x->nr_endpoints; i++) {
		if (endpoint_compare(&x->endpoints[i], e))
			continue;
		if (first < i) {
			*ret_first = first;
			return i;
		}
		first = i;
	}
	return 0;
}

static int fail_twice(struct reader *rd, const struct services_reading *x, long sorted)
{
	char text[ADDR_TEXT_LEN];
	struct endpoint e = x->service->endpoints[sorted];
	size_t first = 0, second = second_like(x, &e, &first);

	return reader_fail_below(rd, x->endpoint_lines[second], "endpoints", second,
				 "endpoint %s is there twice, first on line %u",
				 addr_port_format(&e.addr, e.port, text, sizeof(text)), x->endpoint_lines[first]);
}

/* Each distinct priority takes a level, two with zones. */
static int check_levels(struct reader *rd, const struct services_reading *x)
{
	const struct service *s = x->service;
	unsigned most = s->zone_aware ? WEFT_LEVELS / 2 : WEFT_LEVELS, nr = 0;
	bool seen[WEFT_PRIORITY_MAX + 1] = { false };

	for (size_t i = 0; i < x->nr_endpoints; i++) {
		if (seen[x->endpoints[i].priority])
			continue;
		seen[x->endpoints[i].priority] = true;
		if (++nr > most)
			return reader_fail_below(
				rd, x->endpoint_lines[i], "endpoints", i,
				"priority %u is one too many; a service%s has at most %u different ones",
				x->endpoints[i].priority, s->zone_aware ? " that is zone-aware" : "", most);
	}
	return 0;
}

int service_finish_endpoints(struct reader *rd, struct services_reading *x)
{
	struct service *s = x->service;
	int v4, r;
	long twice;

	if (!x->nr_endpoints)
		return 0;
	v4 = weft_addr_is_v4(service_lacks_address(s) ? &x->endpoints[0].addr : &s->frontends[0].addr);
	r = check_levels(rd, x);
	if (r)
		return r;
	for (size_t i = 0; i < x->nr_endpoints; i++)
		if (weft_addr_is_v4(&x->endpoints[i].addr) != v4)
			return reader_fail_below(
				rd, x->endpoint_lines[i], "endpoints", i,
				"an %s endpoint in a service with %s addresses; IPv4 and IPv6 cannot be "
				"mixed, write two services",
				v4 ? "IPv6" : "IPv4", v4 ? "IPv4" : "IPv6");
	s->endpoints = malloc(x->nr_endpoints * sizeof(*s->endpoints));
	if (!s->endpoints)
		return reader_fail_memory(rd);
	memcpy(s->endpoints, x->endpoints, x->nr_endpoints * sizeof(*s->endpoints));
	s->nr_endpoints = x->nr_endpoints;
	twice = service_sort(s);
	return twice < 0 ? 0 : fail_twice(rd, x, twice);
}

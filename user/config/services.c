/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A service: its name, its addresses, and what depends on more than one key, which is checked when the mapping ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/names.h"
#include "config/registries.h"
#include "config/scalar.h"
#include "config/services.h"

void services_reading_done(struct services_reading *x)
{
	service_unref(x->service);
	free(x->endpoints);
	free(x->endpoint_lines);
}

static int read_name(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!*text)
		return reader_fail(rd, "a name must not be empty");
	if (strlen(text) >= WEFT_NAME_LEN)
		return reader_fail(rd, "a name of %zu bytes is too long, %d are the most", strlen(text),
				   WEFT_NAME_LEN - 1);
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr("\"'`\\", *at))
			return reader_fail(rd,
					   "a name is made of ASCII letters, digits and signs, without blanks, "
					   "quotes and backslashes; not %s",
					   quote(text, &q));
	return scalar_copy(rd, text, &x->service->name);
}

static int read_frontend(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	struct service *s = x->service;
	struct address a;
	int r;

	r = scalar_address(rd, false, &a);
	if (r)
		return r;
	if (s->nr_frontends == WEFT_FRONTENDS_PER_SERVICE)
		return reader_fail(rd, "a service has at most %d addresses", WEFT_FRONTENDS_PER_SERVICE);
	for (size_t i = 0; i < s->nr_frontends; i++)
		if (s->frontends[i].port == a.port && weft_addr_equal(&s->frontends[i].addr, &a.addr))
			return reader_fail(rd, "this address is there twice, first on line %u", x->frontend_lines[i]);
	x->frontend_lines[s->nr_frontends] = reader_line(rd);
	r = service_add_frontend(s, &(struct frontend){ .addr = a.addr, .port = a.port });
	return r ? reader_fail_memory(rd) : 0;
}

static int fail_both(struct reader *rd, const struct service *s)
{
	if (service_lacks_address(s))
		return reader_fail(rd, "give either an address or only a port, not both");
	return reader_fail(rd, "give either \"address\" or \"addresses\", not both");
}

static int read_address(struct reader *rd, void *into)
{
	struct services_reading *x = into;

	if (x->service->nr_frontends)
		return fail_both(rd, x->service);
	return read_frontend(rd, into);
}

static int read_addresses(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned line = reader_line(rd);
	int r;

	if (x->service->nr_frontends)
		return fail_both(rd, x->service);
	r = reader_list(rd, read_frontend, into);
	if (!r && !x->service->nr_frontends)
		return reader_fail_at(rd, line, "must hold at least one address");
	return r;
}

static const struct reader_field service_fields[] = {
	{ "name", read_name },
	{ "address", read_address },
	{ "addresses", read_addresses },
	{ "port", service_read_port },
	{ "protocol", service_read_protocol },
	{ "balance", service_read_balance },
	{ "hash-by", service_read_hash_by },
	{ "affinity", service_read_affinity },
	{ "maglev-table", service_read_maglev_table },
	{ "connect-timeout", service_read_connect_timeout },
	{ "failover", service_read_failover },
	{ "drain-timeout", service_read_drain_timeout },
	{ "slow-start", service_read_slow_start },
	{ "panic-threshold", service_read_panic_threshold },
	{ "zone-aware", service_read_zone_aware },
	{ "limits", service_read_limits },
	{ "ejection", service_read_ejection },
	{ "breaker", service_read_breaker },
	{ "health-check", service_read_health_check },
	{ "endpoints", service_read_endpoints },
	{ "discover", service_read_discover },
	{ "combine", service_read_combine },
};

/* The frontends are of one family? Endpoints are held against the first one. */
static int check_family(struct reader *rd, const struct services_reading *x)
{
	const struct service *s = x->service;
	int v4 = weft_addr_is_v4(&s->frontends[0].addr);

	for (size_t i = 1; i < s->nr_frontends; i++)
		if (weft_addr_is_v4(&s->frontends[i].addr) != v4)
			return reader_fail_below(rd, x->frontend_lines[i], "addresses", i,
						 "IPv4 and IPv6 cannot be mixed in a service; write two services");
	return 0;
}

static int check_service(struct reader *rd, struct services_reading *x, unsigned line)
{
	const struct service *s = x->service;
	size_t nr = 0;
	int r;

	if (!*s->name)
		return reader_fail_at(rd, line, "\"name\" is missing");
	if (!s->nr_frontends)
		return reader_fail_at(rd, line, "\"address\" is missing");
	r = check_family(rd, x);
	if (!r)
		r = service_finish_limits(rd, x);
	if (!r)
		r = service_finish_protocol(rd, x);
	if (!r)
		r = service_finish_endpoints(rd, x);
	if (r || s->lb != WEFT_LB_MAGLEV)
		return r;
	for (size_t i = 0; i < s->nr_endpoints; i++)
		nr += s->endpoints[i].weight > 0;
	if (nr > s->maglev_size)
		return reader_fail_at(rd, line, "maglev-table: %u rows are too few for %zu endpoints", s->maglev_size,
				      nr);
	return 0;
}

static int read_service(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned line = reader_line(rd);
	int r;

	service_unref(MOVE(x->service, NULL));
	x->nr_endpoints = 0;
	memset(x->lines, 0, sizeof(x->lines));
	x->service = service_new("");
	if (!x->service)
		return reader_fail_memory(rd);
	x->service->line = line;
	r = scalar_copy(rd, rd->name, &x->service->file);
	if (!r)
		r = reader_mapping(rd, service_fields, sizeof(service_fields) / sizeof(service_fields[0]), x);
	if (!r)
		r = check_service(rd, x, line);
	if (r)
		return r;
	return model_add(x->model, x->service) ? reader_fail_memory(rd) : 0;
}

int services_read(struct reader *rd, struct services_reading *x)
{
	return reader_list(rd, read_service, x);
}

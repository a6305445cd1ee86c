/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The responder (`names:`), the pool (`addresses:`), and services that take an address from it (`port:`). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/dump.h"
#include "config/error.h"
#include "config/names.h"
#include "config/scalar.h"
#include "config/services.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

#define SUFFIX_MAX 120 /* bytes, so that names of services fit before it */
#define TTL_MIN_MS 1000u
#define TTL_MAX_MS (24u * 3600 * 1000)

/* ---- names ---- */

/* Answers come from the address that was asked, so it must be one. */
static int read_listen(struct reader *rd, void *into)
{
	struct config *c = into;
	struct address a;
	int r;

	r = scalar_address(rd, false, &a);
	if (r)
		return r;
	c->names.on = true;
	c->names.addr = a.addr;
	c->names.port = a.port;
	return 0;
}

static bool is_domain(const char *text)
{
	size_t len;

	if (!*text || strlen(text) > SUFFIX_MAX)
		return false;
	for (;; text++) {
		len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_");
		if (!len || len > 63 || *text == '-' || text[len - 1] == '-')
			return false;
		text += len;
		if (*text != '.')
			return !*text;
	}
}

static int read_suffix(struct reader *rd, void *into)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!is_domain(text))
		return reader_fail(
			rd,
			"must be a domain such as \"weft.internal\": labels of 1 to 63 of a-z, 0-9, \"-\" and "
			"\"_\", %d bytes at most; not %s",
			SUFFIX_MAX, quote(text, &q));
	return scalar_copy(rd, text, &((struct config *)into)->names.suffix);
}

static int read_ttl(struct reader *rd, void *into)
{
	return scalar_duration(rd, TTL_MIN_MS, TTL_MAX_MS, false, &((struct config *)into)->names.ttl_ms);
}

int settings_read_names(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "listen", read_listen },
		{ "suffix", read_suffix },
		{ "ttl", read_ttl },
	};
	unsigned line = reader_line(rd);
	int r;

	r = reader_mapping(rd, fields, NR(fields), into);
	if (!r && !((struct config *)into)->names.on)
		return reader_fail_at(rd, line, "\"listen\" is missing");
	return r;
}

/* ---- addresses ---- */

/* Ranges that no service can be reached at. */
static bool is_usable(const struct prefix *p)
{
	const __u8 *b = p->addr.byte;

	if (weft_addr_is_v4(&p->addr))
		return p->bits >= 8 && b[12] != 0 && b[12] < 224;
	return p->bits >= 8 && b[0] != 0 && b[0] != 0xff && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

static int read_prefix(struct reader *rd, void *into)
{
	struct config *c = into;
	char other[PREFIX_TEXT_LEN];
	struct prefix p, *more;
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	r = prefix_parse(text, &p);
	if (r == -ERANGE)
		return reader_fail(rd, "%s is an address in a range; write the range as %s", quote(text, &q),
				   prefix_format(&p, other, sizeof(other)));
	if (r)
		return reader_fail(rd, "%s is no range of addresses; write it as 10.99.0.0/16 or \"fd99::/64\"",
				   quote(text, &q));
	if (!is_usable(&p))
		return reader_fail(rd, "%s is no range that services can have addresses of", quote(text, &q));
	if (c->nr_addresses == ADDRESSES_MAX)
		return reader_fail(rd, "at most %d ranges are read", ADDRESSES_MAX);
	for (size_t i = 0; i < c->nr_addresses; i++)
		if (prefix_overlaps(&c->addresses[i], &p))
			return reader_fail(rd, "%s has addresses of %s", quote(text, &q),
					   prefix_format(&c->addresses[i], other, sizeof(other)));
	more = reallocarray(c->addresses, c->nr_addresses + 1, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	c->addresses = more;
	more[c->nr_addresses++] = p;
	return 0;
}

int settings_read_addresses(struct reader *rd, void *into)
{
	return reader_at_word(rd) ? read_prefix(rd, into) : reader_list(rd, read_prefix, into);
}

/* ---- a service's port ---- */

static int read_port(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	struct service *s = x->service;
	struct frontend f = { .port = 0 };
	uint32_t port;
	int r;

	r = scalar_number(rd, 1, 65535, &port);
	if (r)
		return r;
	if (s->nr_frontends == WEFT_FRONTENDS_PER_SERVICE)
		return reader_fail(rd, "a service has at most %d ports", WEFT_FRONTENDS_PER_SERVICE);
	for (size_t i = 0; i < s->nr_frontends; i++)
		if (s->frontends[i].port == port)
			return reader_fail(rd, "this port is there twice, first on line %u", x->frontend_lines[i]);
	x->frontend_lines[s->nr_frontends] = reader_line(rd);
	f.port = (uint16_t)port;
	return service_add_frontend(s, &f) ? reader_fail_memory(rd) : 0;
}

int service_read_port(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned line = reader_line(rd);
	int r;

	if (x->service->nr_frontends)
		return reader_fail(rd, "give either an address or only a port, not both");
	r = reader_at_word(rd) ? read_port(rd, into) : reader_list(rd, read_port, into);
	if (!r && !x->service->nr_frontends)
		return reader_fail_at(rd, line, "must hold at least one port");
	return r;
}

int config_check_addresses(const struct config *c, const struct model *m, struct config_error *ret_error)
{
	const struct service *s;

	for (size_t i = 0; !c->nr_addresses && i < m->nr; i++) {
		s = m->services[i];
		if (service_lacks_address(s))
			return error_set(ret_error, -EINVAL, s->file ? s->file : c->file, s->line, NULL,
					 "service \"%s\" has a port but no address, and there are no \"addresses\" in "
					 "weft.yaml to give it one of",
					 s->name);
	}
	return 0;
}

int config_fail_addresses(int r, const struct service *s, struct config_error *ret_error)
{
	return error_set(ret_error, r, s->file ? s->file : "", s->line, NULL,
			 r == -ENOSPC ? "no address is left for service \"%s\"; \"addresses\" needs larger ranges"
				      : "service \"%s\" has %s endpoints, and \"addresses\" no range of that family",
			 s->name, s->nr_endpoints && weft_addr_is_v4(&s->endpoints[0].addr) ? "IPv4" : "IPv6");
}

/* ---- the normal form ---- */

void dump_names(const struct config *c, FILE *out)
{
	char text[PREFIX_TEXT_LEN + DURATION_TEXT_LEN];

	if (c->nr_addresses) {
		fprintf(out, "addresses:\n");
		for (size_t i = 0; i < c->nr_addresses; i++)
			fprintf(out, "  - \"%s\"\n", prefix_format(&c->addresses[i], text, sizeof(text)));
	}
	if (!c->names.on)
		return;
	fprintf(out, "names:\n  listen: \"%s\"\n  suffix: ",
		addr_port_format(&c->names.addr, c->names.port, text, sizeof(text)));
	dump_text(out, c->names.suffix);
	fprintf(out, "\n  ttl: %s\n", duration_format(c->names.ttl_ms, text, sizeof(text)));
}

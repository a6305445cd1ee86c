/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Messages of the DNS for tests, written record by record without compression. */
#ifndef DNS_FIXTURE_H
#define DNS_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <string.h>

#include "dns/message.h"
#include "weft/addr.h"

struct dns_fixture {
	uint8_t bytes[DNS_MESSAGE_MAX];
	struct dns_writer w;
	uint16_t nr[DNS_SECTIONS];
};

static inline struct dns_name name_of(const char *text)
{
	struct dns_name n;

	ck_assert_msg(dns_name_parse(text, &n) == 0, "%s", text);
	return n;
}

static inline void given_name(struct dns_fixture *f, const char *text)
{
	struct dns_name n = name_of(text);

	dns_write(&f->w, n.wire, n.len);
}

/* Begins a message with one question. */
static inline void given_message(struct dns_fixture *f, uint16_t flags, const char *name, uint16_t type)
{
	struct dns_header h = { .id = 0x1234, .flags = flags, .nr = { 1 } };

	f->w = (struct dns_writer){ .bytes = f->bytes, .max = sizeof(f->bytes) };
	memset(f->nr, 0, sizeof(f->nr));
	dns_write_header(&f->w, &h);
	given_name(f, name);
	dns_write_u16(&f->w, type);
	dns_write_u16(&f->w, DNS_IN);
}

static inline void given_record(struct dns_fixture *f, enum dns_section section, const char *name, uint16_t type,
				uint32_t ttl, const void *data, size_t len)
{
	given_name(f, name);
	dns_write_u16(&f->w, type);
	dns_write_u16(&f->w, DNS_IN);
	dns_write_u32(&f->w, ttl);
	dns_write_u16(&f->w, (uint16_t)len);
	dns_write(&f->w, data, len);
	ck_assert(!f->w.full);
	dns_put_u16(f->bytes + 4 + 2 * section, ++f->nr[section]);
}

static inline void given_addr(struct dns_fixture *f, enum dns_section section, const char *name, uint32_t ttl,
			      const char *addr)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, addr, bytes) == 1) {
		given_record(f, section, name, DNS_A, ttl, bytes, 4);
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, addr, bytes), 1);
		given_record(f, section, name, DNS_AAAA, ttl, bytes, 16);
	}
}

static inline void given_cname(struct dns_fixture *f, const char *name, uint32_t ttl, const char *target)
{
	struct dns_name n = name_of(target);

	given_record(f, DNS_ANSWER, name, DNS_CNAME, ttl, n.wire, n.len);
}

static inline void given_srv(struct dns_fixture *f, const char *name, uint32_t ttl, uint16_t priority, uint16_t weight,
			     uint16_t port, const char *target)
{
	struct dns_name n = name_of(target);
	uint8_t bytes[6 + DNS_NAME_MAX];

	dns_put_u16(bytes, priority);
	dns_put_u16(bytes + 2, weight);
	dns_put_u16(bytes + 4, port);
	memcpy(bytes + 6, n.wire, n.len);
	given_record(f, DNS_ANSWER, name, DNS_SRV, ttl, bytes, 6u + n.len);
}

static inline void given_soa(struct dns_fixture *f, const char *zone, uint32_t ttl, uint32_t minimum)
{
	uint8_t bytes[22] = { 0 };

	dns_put_u16(bytes + 18, (uint16_t)(minimum >> 16));
	dns_put_u16(bytes + 20, (uint16_t)minimum);
	given_record(f, DNS_AUTHORITY, zone, DNS_SOA, ttl, bytes, sizeof(bytes));
}

#endif

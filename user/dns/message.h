/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Messages of the DNS (RFC 1035) as bytes: names, headers, records; reading that trusts nothing and always ends, and
 * writing that never leaves its buffer. A value: no I/O.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX	255 /* bytes on the wire, lengths and the root's zero among them */
#define DNS_LABEL_MAX	63
#define DNS_TEXT_LEN	1024 /* of a name with everything escaped, and its NUL */
#define DNS_HEADER_LEN	12
#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_LEN	512  /* without EDNS0 */
#define DNS_EDNS_LEN	1232 /* what fits into any packet that is not cut to pieces */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_HINFO = 13,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};

enum { DNS_IN = 1, DNS_CLASS_ANY = 255 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* its upper bits are in the OPT record */
};

/* Bits of dns_header.flags. */
enum {
	DNS_QR = 0x8000,
	DNS_OPCODE = 0x7800,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_CD = 0x0010,
	DNS_RCODE = 0x000f,
};

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

/* A name as on the wire, without compression: lengths and labels as they were written, then a zero byte. */
struct dns_name {
	uint8_t len; /* 1.. */
	uint8_t wire[DNS_NAME_MAX];
};

/* "web.example.com", with a dot at the end or without; "." is the root. No escapes; -EINVAL: an empty or overlong
 * label, nothing at all, too long as a whole, or a byte that is not printable ASCII. */
int dns_name_parse(const char *text, struct dns_name *ret);
/* Without the dot at the end; odd bytes as \DDD. @len of at least DNS_TEXT_LEN. Returns @text. */
char *dns_name_text(const struct dns_name *n, char *text, size_t len);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b); /* ASCII letters in any case */
/* @n = @n.@suffix. -EINVAL: too long, @n is as it was. */
int dns_name_append(struct dns_name *n, const struct dns_name *suffix);
/* How many bytes of @n stand before @suffix; -1: it does not end with it. */
int dns_name_below(const struct dns_name *n, const struct dns_name *suffix);
uint8_t dns_lower(uint8_t c);

struct dns_header {
	uint16_t id, flags;
	uint16_t nr[DNS_SECTIONS];
};

/* The fixed part of a question or record; data stands in the message. */
struct dns_record {
	struct dns_name name;
	uint16_t type, class;
	uint32_t ttl; /* as on the wire: see dns_ttl() */
	size_t at;    /* of the data */
	uint16_t len;
};

struct dns_reader {
	const uint8_t *bytes;
	size_t len, at;
};

/* All return 0 or -EBADMSG, and @r stands behind what was read. */
int dns_read_header(struct dns_reader *r, struct dns_header *ret);
int dns_read_name(struct dns_reader *r, struct dns_name *ret); /* pointers lead backwards only */
int dns_read_question(struct dns_reader *r, struct dns_record *ret);
int dns_read_record(struct dns_reader *r, struct dns_record *ret);
int dns_read_u16(struct dns_reader *r, uint16_t *ret);
int dns_read_u32(struct dns_reader *r, uint32_t *ret);
/* In s; what is negative there is 0 (RFC 2181, 8). */
uint32_t dns_ttl(const struct dns_record *rec);
/* A reader of the data of @rec: names in it may point into the whole message, but do not reach beyond the data. */
struct dns_reader dns_read_data(const struct dns_reader *r, const struct dns_record *rec);

/* Once something did not fit, full is set and nothing more is written. */
struct dns_writer {
	uint8_t *bytes;
	size_t max, at;
	bool full;
};

void dns_write(struct dns_writer *w, const void *bytes, size_t len);
void dns_write_u16(struct dns_writer *w, uint16_t v);
void dns_write_u32(struct dns_writer *w, uint32_t v);
void dns_write_header(struct dns_writer *w, const struct dns_header *h);
void dns_put_u16(uint8_t *at, uint16_t v);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One question, one zone, no recursion. The question goes back byte by byte, its letters as they came: resolvers that
 * mix upper and lower case to be sure of their answers (0x20) look for just that.
 */
#include <string.h>

#include "dns/reply.h"
#include "dns/reverse.h"

#define POINTER_TO_QUESTION (0xc000 | DNS_HEADER_LEN)
#define EDNS_DO		    0x8000u /* "DNSSEC is understood": goes back as it came (RFC 3225) */

struct query {
	struct dns_header h;
	struct dns_record q;
	size_t question_end;
	bool edns;
	uint16_t edns_len;
	uint32_t edns_flags;
	unsigned edns_version;
};

/* 0, or an rcode. What follows OPT is read to the end, so that nothing that is cut off passes. */
static unsigned read_query(struct dns_reader *r, struct query *ret)
{
	struct dns_record rec;
	unsigned nr;

	if (ret->h.flags & DNS_OPCODE)
		return DNS_NOTIMP;
	/* There is nothing before the question that its name could point to. */
	if (ret->h.nr[DNS_QUESTION] != 1 || dns_read_question(r, &ret->q) ||
	    r->at != DNS_HEADER_LEN + ret->q.name.len + 4u)
		return DNS_FORMERR;
	ret->question_end = r->at;
	nr = (unsigned)ret->h.nr[DNS_ANSWER] + ret->h.nr[DNS_AUTHORITY] + ret->h.nr[DNS_ADDITIONAL];
	for (unsigned i = 0; i < nr; i++) {
		if (dns_read_record(r, &rec))
			return DNS_FORMERR;
		if (rec.type != DNS_OPT)
			continue;
		if (ret->edns || rec.name.len != 1)
			return DNS_FORMERR;
		ret->edns = true;
		ret->edns_len = rec.class;
		ret->edns_version = rec.ttl >> 16 & 0xff;
		ret->edns_flags = rec.ttl & EDNS_DO;
	}
	return ret->edns && ret->edns_version ? DNS_BADVERS : DNS_NOERROR;
}

/* ---- records ---- */

struct reply {
	const struct zone *z;
	const struct reply_options *o;
	const struct query *q;
	struct dns_writer w;
	uint16_t nr[DNS_SECTIONS];
	unsigned rcode;
	bool ours;	/* this is the zone's to tell */
	bool truncated; /* it did not fit */
};

/* @name NULL: the name that was asked for. */
static void write_record(struct reply *x, enum dns_section section, const struct dns_name *name, uint16_t type,
			 const void *data, size_t len)
{
	if (name)
		dns_write(&x->w, name->wire, name->len);
	else
		dns_write_u16(&x->w, POINTER_TO_QUESTION);
	dns_write_u16(&x->w, type);
	dns_write_u16(&x->w, DNS_IN);
	dns_write_u32(&x->w, x->o->ttl);
	dns_write_u16(&x->w, (uint16_t)len);
	dns_write(&x->w, data, len);
	x->nr[section]++;
}

/* Its minimum is what negative answers are kept for (RFC 2308). */
static void write_soa(struct reply *x, enum dns_section section)
{
	const struct dns_name *zone = zone_suffix(x->z);
	uint8_t data[2 * DNS_NAME_MAX + 20];
	struct dns_writer w = { .bytes = data, .max = sizeof(data) };

	dns_write(&w, zone->wire, zone->len);
	dns_write(&w, zone->wire, zone->len);
	dns_write_u32(&w, x->o->serial);
	dns_write_u32(&w, 3600);
	dns_write_u32(&w, 600);
	dns_write_u32(&w, 86400);
	dns_write_u32(&w, x->o->ttl);
	write_record(x, section, zone, DNS_SOA, data, w.at);
}

static void write_addrs(struct reply *x, const struct zone_node *n, bool v4)
{
	const struct weft_addr *at = zone_addrs(x->z, n);

	for (uint32_t i = 0; i < n->nr; i++) {
		if ((bool)weft_addr_is_v4(&at[i]) != v4)
			continue;
		if (v4)
			write_record(x, DNS_ANSWER, NULL, DNS_A, at[i].byte + 12, 4);
		else
			write_record(x, DNS_ANSWER, NULL, DNS_AAAA, at[i].byte, 16);
	}
}

/* ---- answers ---- */

static enum reply_kind refuse(struct reply *x)
{
	x->rcode = DNS_REFUSED;
	return REPLY_REFUSED;
}

/* ANY is answered with a record that says no (RFC 8482), so that nobody asks again, or for much. */
static void write_any(struct reply *x)
{
	static const uint8_t hinfo[] = "\7RFC8482";

	write_record(x, DNS_ANSWER, NULL, DNS_HINFO, hinfo, sizeof(hinfo));
}

static enum reply_kind answer_name(struct reply *x)
{
	const struct zone_node *n = zone_find(x->z, &x->q->q.name);
	bool apex = dns_name_equal(&x->q->q.name, zone_suffix(x->z));

	x->ours = true;
	if (!n) {
		x->rcode = DNS_NXDOMAIN;
	} else if (x->q->q.type == DNS_ANY) {
		write_any(x);
	} else if (x->q->q.type == DNS_A || x->q->q.type == DNS_AAAA) {
		write_addrs(x, n, x->q->q.type == DNS_A);
	} else if (x->q->q.type == DNS_SOA && apex) {
		write_soa(x, DNS_ANSWER);
	}
	if (x->nr[DNS_ANSWER])
		return REPLY_ANSWER;
	write_soa(x, DNS_AUTHORITY);
	return n ? REPLY_NO_DATA : REPLY_NO_NAME;
}

static enum reply_kind answer(struct reply *x)
{
	const struct dns_record *q = &x->q->q;
	const struct zone_node *n;

	if ((q->class != DNS_IN && q->class != DNS_CLASS_ANY) || q->type == DNS_AXFR || q->type == DNS_IXFR)
		return refuse(x);
	if (dns_name_below(&q->name, zone_suffix(x->z)) >= 0)
		return answer_name(x);
	n = q->type == DNS_PTR || q->type == DNS_ANY ? zone_find_reverse(x->z, &q->name) : NULL;
	if (!n)
		return refuse(x);
	x->ours = true;
	write_record(x, DNS_ANSWER, NULL, DNS_PTR, n->name.wire, n->name.len);
	return REPLY_ANSWER;
}

/* ---- the frame ---- */

static void write_opt(struct reply *x)
{
	static const uint8_t root;

	dns_write(&x->w, &root, 1);
	dns_write_u16(&x->w, DNS_OPT);
	dns_write_u16(&x->w, DNS_EDNS_LEN);
	dns_write_u32(&x->w, x->rcode >> 4 << 24 | x->q->edns_flags);
	dns_write_u16(&x->w, 0);
	x->nr[DNS_ADDITIONAL]++;
}

static size_t room(const struct reply_options *o, const struct query *q)
{
	if (o->tcp)
		return DNS_MESSAGE_MAX;
	if (!q->edns || q->edns_len < DNS_UDP_LEN)
		return DNS_UDP_LEN;
	return q->edns_len < DNS_EDNS_LEN ? q->edns_len : DNS_EDNS_LEN;
}

#define OPT_LEN 11

/* What does not fit is left out as a whole: whoever wants it asks again by TCP. */
static enum reply_kind write_body(struct reply *x)
{
	size_t begin = x->w.at;
	enum reply_kind kind;

	kind = answer(x);
	if (!x->w.full)
		return kind;
	x->truncated = true;
	x->w.full = false;
	x->w.at = begin;
	memset(x->nr, 0, sizeof(x->nr));
	return kind;
}

static size_t frame(struct reply *x)
{
	struct dns_header h = x->q->h;

	h.flags = (uint16_t)(DNS_QR | (h.flags & (DNS_OPCODE | DNS_RD | DNS_CD)) | (x->ours ? DNS_AA : 0) |
			     (x->truncated ? DNS_TC : 0) | (x->rcode & DNS_RCODE));
	memcpy(h.nr, x->nr, sizeof(h.nr));
	h.nr[DNS_QUESTION] = x->q->question_end ? 1 : 0;
	dns_write_header(&(struct dns_writer){ .bytes = x->w.bytes, .max = DNS_HEADER_LEN }, &h);
	return x->w.at;
}

size_t reply_to(const struct zone *z, const struct reply_options *o, const uint8_t *query, size_t len, uint8_t *out,
		enum reply_kind *ret_kind)
{
	struct dns_reader r = { .bytes = query, .len = len };
	struct query q = { 0 };
	struct reply x = { .z = z, .o = o, .q = &q, .w = { .bytes = out, .at = DNS_HEADER_LEN } };

	*ret_kind = REPLY_NONE;
	if (len > DNS_MESSAGE_MAX || dns_read_header(&r, &q.h) || (q.h.flags & DNS_QR))
		return 0;
	x.rcode = read_query(&r, &q);
	*ret_kind = REPLY_BAD;
	x.w.max = room(o, &q) - (q.edns ? OPT_LEN : 0);
	if (q.question_end)
		dns_write(&x.w, query + DNS_HEADER_LEN, q.question_end - DNS_HEADER_LEN);
	if (!x.rcode && !z)
		x.rcode = DNS_SERVFAIL;
	if (!x.rcode)
		*ret_kind = write_body(&x);
	if (q.edns) {
		x.w.max += OPT_LEN;
		write_opt(&x);
	}
	return frame(&x);
}

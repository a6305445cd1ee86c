/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/answers.h"

#define ALIASES_MAX 16 /* in a row */

/* Where the sections of a response begin. */
struct response {
	struct dns_reader r;
	struct dns_header h;
	size_t section[DNS_SECTIONS];
	uint16_t type;
};

const char *dns_rcode_text(unsigned rcode)
{
	static const char *const texts[] = { "NOERROR",	 "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
					     "YXDOMAIN", "YXRRSET", "NXRRSET",	"NOTAUTH",  "NOTZONE" };

	if (rcode == DNS_BADVERS)
		return "BADVERS";
	return rcode < sizeof(texts) / sizeof(texts[0]) ? texts[rcode] : "an unknown error";
}

void dns_answers_done(struct dns_answers *a)
{
	free(a->addrs);
	free(a->srvs);
	free(a->hints);
	*a = (struct dns_answers){ 0 };
}

static void least(struct dns_answers *a, uint32_t ttl)
{
	a->ttl = a->has_ttl && a->ttl < ttl ? a->ttl : ttl;
	a->has_ttl = true;
}

/* Addresses that stand for nobody in particular: blockers of advertisements answer 0.0.0.0. */
static bool is_usable(const struct weft_addr *a)
{
	const __u8 *b = a->byte;

	if (weft_addr_is_any(a))
		return false;
	if (weft_addr_is_v4(a))
		return (b[12] < 224 || b[12] > 239) && weft_addr_word(a, 3) != 0xffffffff;
	return b[0] != 0xff && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

static bool addr_read(const struct response *x, const struct dns_record *rec, struct weft_addr *ret)
{
	const uint8_t *data = x->r.bytes + rec->at;
	__be32 v4;

	if (rec->type == DNS_A && rec->len == sizeof(v4)) {
		memcpy(&v4, data, sizeof(v4));
		weft_addr_set_v4(ret, v4);
	} else if (rec->type == DNS_AAAA && rec->len == sizeof(*ret)) {
		memcpy(ret, data, sizeof(*ret));
		if (weft_addr_is_v4(ret))
			return false;
	} else {
		return false;
	}
	return is_usable(ret);
}

static bool has(const struct dns_addr *at, size_t nr, const struct dns_addr *a)
{
	for (size_t i = 0; i < nr; i++)
		if (at[i].owner == a->owner && weft_addr_equal(&at[i].addr, &a->addr))
			return true;
	return false;
}

/* @at has room for as many as the section has records. */
static void add_addr(struct dns_answers *a, struct dns_addr *at, size_t *nr, const struct dns_addr *fresh)
{
	if (has(at, *nr, fresh))
		a->odd++;
	else
		at[(*nr)++] = *fresh;
}

static void add_srv(struct dns_answers *a, const struct response *x, const struct dns_record *rec)
{
	struct dns_reader data = dns_read_data(&x->r, rec);
	struct dns_srv *s = &a->srvs[a->nr_srvs];

	if (dns_read_u16(&data, &s->priority) || dns_read_u16(&data, &s->weight) || dns_read_u16(&data, &s->port) ||
	    dns_read_name(&data, &s->target) || data.at != data.len)
		a->odd++;
	else
		a->nr_srvs++;
}

/* One step from *name to what it is another name of. 1: none. */
static int follow(struct dns_answers *a, const struct response *x, struct dns_name *name)
{
	struct dns_reader r = x->r, data;
	struct dns_record rec;
	struct dns_name target;

	r.at = x->section[DNS_ANSWER];
	for (unsigned i = 0; i < x->h.nr[DNS_ANSWER]; i++) {
		if (dns_read_record(&r, &rec))
			return -EBADMSG;
		if (rec.type != DNS_CNAME || rec.class != DNS_IN || !dns_name_equal(&rec.name, name))
			continue;
		data = dns_read_data(&x->r, &rec);
		if (dns_read_name(&data, &target) || data.at != data.len)
			return -EBADMSG;
		least(a, dns_ttl(&rec));
		*name = target;
		return 0;
	}
	return 1;
}

static int read_answers(struct dns_answers *a, const struct response *x, const struct dns_name *name)
{
	struct dns_reader r = x->r;
	struct dns_addr fresh = { 0 };
	struct dns_record rec;

	r.at = x->section[DNS_ANSWER];
	for (unsigned i = 0; i < x->h.nr[DNS_ANSWER]; i++) {
		if (dns_read_record(&r, &rec))
			return -EBADMSG;
		if (rec.type == DNS_CNAME)
			continue;
		if (rec.type != x->type || rec.class != DNS_IN || !dns_name_equal(&rec.name, name)) {
			a->odd++;
			continue;
		}
		least(a, dns_ttl(&rec));
		if (x->type == DNS_SRV)
			add_srv(a, x, &rec);
		else if (addr_read(x, &rec, &fresh.addr))
			add_addr(a, a->addrs, &a->nr_addrs, &(struct dns_addr){ fresh.addr, dns_ttl(&rec), 0 });
		else
			a->odd++;
	}
	return 0;
}

static void add_hint(struct dns_answers *a, const struct response *x, const struct dns_record *rec)
{
	struct dns_addr hint = { .ttl = dns_ttl(rec) };

	while (hint.owner < a->nr_srvs && !dns_name_equal(&a->srvs[hint.owner].target, &rec->name))
		hint.owner++;
	if (hint.owner < a->nr_srvs && addr_read(x, rec, &hint.addr))
		add_addr(a, a->hints, &a->nr_hints, &hint);
}

/* What is wrong here is no reason to give up what was said before. */
static void read_hints(struct dns_answers *a, const struct response *x)
{
	struct dns_reader r = x->r;
	struct dns_record rec;

	r.at = x->section[DNS_ADDITIONAL];
	for (unsigned i = 0; i < x->h.nr[DNS_ADDITIONAL]; i++) {
		if (dns_read_record(&r, &rec)) {
			a->odd++;
			return;
		}
		if (rec.class == DNS_IN && (rec.type == DNS_A || rec.type == DNS_AAAA))
			add_hint(a, x, &rec);
	}
}

/* The SOA of a negative answer tells how long it may be believed (RFC 2308, 5). */
static void read_negative(struct dns_answers *a, const struct response *x)
{
	struct dns_reader r = x->r, data;
	struct dns_record rec;
	uint32_t minimum;

	r.at = x->section[DNS_AUTHORITY];
	for (unsigned i = 0; i < x->h.nr[DNS_AUTHORITY]; i++) {
		if (dns_read_record(&r, &rec))
			return;
		if (rec.type != DNS_SOA || rec.class != DNS_IN || rec.len < 22)
			continue;
		data = dns_read_data(&x->r, &rec);
		data.at = data.len - 4;
		if (dns_read_u32(&data, &minimum) == 0) {
			least(a, dns_ttl(&rec));
			least(a, minimum);
		}
		return;
	}
	/* An alias of nothing is not believed longer than the alias; without one nothing is known. */
}

static int read_frame(struct response *x, const struct dns_name *name)
{
	struct dns_record rec;

	if (dns_read_header(&x->r, &x->h) || !(x->h.flags & DNS_QR) || (x->h.flags & DNS_OPCODE))
		return -EBADMSG;
	if (x->h.nr[DNS_QUESTION] != 1 || dns_read_question(&x->r, &rec))
		return -EBADMSG;
	if (rec.type != x->type || rec.class != DNS_IN || !dns_name_equal(&rec.name, name))
		return -EBADMSG;
	for (int s = DNS_ANSWER; s < DNS_SECTIONS; s++) {
		x->section[s] = x->r.at;
		/* The additional section is read as far as it goes: truncation may have hit it. */
		for (unsigned i = 0; s != DNS_ADDITIONAL && i < x->h.nr[s]; i++)
			if (dns_read_record(&x->r, &rec))
				return -EBADMSG;
	}
	return 0;
}

static int allocate(struct dns_answers *a, const struct response *x)
{
	size_t nr = x->h.nr[DNS_ANSWER] + 1u;

	if (x->type == DNS_SRV) {
		a->srvs = calloc(nr, sizeof(*a->srvs));
		a->hints = calloc(x->h.nr[DNS_ADDITIONAL] + 1u, sizeof(*a->hints));
		return a->srvs && a->hints ? 0 : -ENOMEM;
	}
	a->addrs = calloc(nr, sizeof(*a->addrs));
	return a->addrs ? 0 : -ENOMEM;
}

static int read_all(struct dns_answers *a, const struct response *x, const struct dns_name *name)
{
	struct dns_name canonical = *name;
	int r;

	r = allocate(a, x);
	for (int i = 0; r == 0 && i < ALIASES_MAX; i++)
		r = follow(a, x, &canonical);
	if (r < 0)
		return r;
	if (r == 0) /* in a circle, or as good as */
		return -EBADMSG;
	r = read_answers(a, x, &canonical);
	if (r)
		return r;
	if (a->nr_srvs)
		read_hints(a, x);
	else if (!a->nr_addrs)
		read_negative(a, x);
	return 0;
}

int dns_answers_read(const void *bytes, size_t len, const struct dns_name *name, uint16_t type, struct dns_answers *ret)
{
	struct response x = { .r = { .bytes = bytes, .len = len }, .type = type };
	int r;

	*ret = (struct dns_answers){ 0 };
	if (len > DNS_MESSAGE_MAX)
		return -EBADMSG;
	/* Servers that cannot read a question need not repeat it. */
	r = read_frame(&x, name);
	if (len >= DNS_HEADER_LEN && (x.h.flags & DNS_QR)) {
		ret->rcode = x.h.flags & DNS_RCODE;
		if (ret->rcode != DNS_NOERROR && ret->rcode != DNS_NXDOMAIN)
			return 0;
	}
	if (!r && (x.h.flags & DNS_TC))
		r = -EBADMSG;
	if (!r)
		r = read_all(ret, &x, name);
	if (r) {
		dns_answers_done(ret);
		return r;
	}
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fuzzes the parser of DNS messages. The first byte says what the rest is: an answer to one of our questions, or a
 * question to the responder, whose reply must be one that our own parser takes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/answers.h"
#include "dns/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *zone;

static void need(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_dns: %s\n", what);
	abort();
}

static void add(struct model *m, const char *name, unsigned nr, bool v4)
{
	struct service *s = service_new(name);
	char text[32];

	for (unsigned i = 0; i < nr; i++) {
		struct frontend f = { .port = 80 };

		snprintf(text, sizeof(text), v4 ? "10.99.0.%u" : "fd99::%x", i + 1);
		need(addr_parse(text, &f.addr) == 0 && service_add_frontend(s, &f) == 0, "an address");
	}
	need(model_add(m, s) == 0, "no memory");
	service_unref(s);
}

static void begin(void)
{
	struct model *m = model_new();

	add(m, "web", 2, true);
	add(m, "many", 60, true);
	add(m, "s/k:p", 1, false);
	need(zone_new("w.x", m, &zone) == 0, "no zone");
	model_free(m);
}

/* Everything that was read is within bounds. */
static void check_answers(const struct dns_answers *a, uint16_t type)
{
	char text[DNS_TEXT_LEN];

	need(!a->nr_addrs || type != DNS_SRV, "addresses in an answer for SRV");
	need(!a->nr_srvs || type == DNS_SRV, "SRV in an answer for addresses");
	for (size_t i = 0; i < a->nr_addrs; i++)
		need(weft_addr_is_v4(&a->addrs[i].addr) == (type == DNS_A), "an address of another family");
	for (size_t i = 0; i < a->nr_srvs; i++)
		need(strlen(dns_name_text(&a->srvs[i].target, text, sizeof(text))) < sizeof(text), "a text too long");
	for (size_t i = 0; i < a->nr_hints; i++)
		need(a->hints[i].owner < a->nr_srvs, "an address of no target");
	if (a->rcode != DNS_NOERROR && a->rcode != DNS_NXDOMAIN)
		need(!a->nr_addrs && !a->nr_srvs && !a->has_ttl, "a failure with contents");
}

static void fuzz_answer(const uint8_t *bytes, size_t size, uint16_t type)
{
	struct dns_answers a;
	struct dns_name name;
	int r;

	need(dns_name_parse("web.x", &name) == 0, "a name");
	r = dns_answers_read(bytes, size, &name, type, &a);
	need(r == 0 || r == -EBADMSG, "an errno that is not promised");
	if (r == 0)
		check_answers(&a, type);
	dns_answers_done(&a);
}

/* A reply is read by our own parser to its very end. */
static void check_reply(const uint8_t *query, const uint8_t *out, size_t len, bool tcp)
{
	struct dns_reader r = { .bytes = out, .len = len };
	struct dns_header h;
	struct dns_record rec;

	need(tcp || len <= DNS_EDNS_LEN, "a reply too long for a datagram");
	need(dns_read_header(&r, &h) == 0 && (h.flags & DNS_QR), "a reply without a header");
	need(!memcmp(query, out, 2), "another id");
	need(h.nr[DNS_QUESTION] <= 1, "more than one question");
	need(!h.nr[DNS_QUESTION] || dns_read_question(&r, &rec) == 0, "a broken question");
	need(!memcmp(query + DNS_HEADER_LEN, out + DNS_HEADER_LEN, r.at - DNS_HEADER_LEN), "another question");
	for (unsigned i = 0; i < (unsigned)h.nr[1] + h.nr[2] + h.nr[3]; i++)
		need(dns_read_record(&r, &rec) == 0, "a broken record");
	need(r.at == r.len, "something behind the end");
	need(!(h.flags & DNS_TC) || !h.nr[DNS_ANSWER], "half an answer");
}

static void fuzz_query(const uint8_t *bytes, size_t size, bool tcp)
{
	_cleanup_(freep) uint8_t *out = malloc(DNS_MESSAGE_MAX);
	struct reply_options o = { .ttl = 5, .serial = 1, .tcp = tcp };
	enum reply_kind kind;
	size_t len;

	len = reply_to(zone, &o, bytes, size, out, &kind);
	need(kind < REPLY_KINDS && (kind == REPLY_NONE) == (len == 0), "a kind that does not fit");
	if (len)
		check_reply(bytes, out, len, tcp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	_cleanup_(freep) uint8_t *bytes = malloc(size ? size : 1); /* exactly as long: an overrun is seen */

	if (!zone)
		begin();
	if (!size)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	bytes = realloc(bytes, size > 1 ? size - 1 : 1);
	if (data[0] & 1)
		fuzz_answer(bytes, size - 1, types[(data[0] >> 1) % 3]);
	else
		fuzz_query(bytes, size - 1, data[0] & 2);
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the responder says to whom: names of services, nothing, refusals, EDNS0, truncation, and bytes that are no
 * question. */
#include <errno.h>

#include "base/cleanup.h"
#include "dns/answers.h"
#include "dns/reply.h"
#include "dns/reverse.h"
#include "dns_fixture.h"
#include "unit.h"

#define TTL 5

static struct zone *zone;
static struct dns_fixture q;
static uint8_t out[DNS_MESSAGE_MAX];
static size_t out_len;
static enum reply_kind kind;
static struct dns_header h;
static struct dns_reader r; /* behind the question of the reply */
static struct reply_options options;

static void add(struct model *m, const char *name, const char *const *addrs)
{
	struct service *s = service_new(name);

	for (; *addrs; addrs++) {
		struct frontend f = { .port = 80 };

		ck_assert_int_eq(addr_parse(*addrs, &f.addr), 0);
		ck_assert_int_eq(service_add_frontend(s, &f), 0);
	}
	ck_assert_int_eq(model_add(m, s), 0);
	service_unref(s);
}

static void setup(void)
{
	struct model *m = model_new();
	const char *many[101] = { NULL };
	char text[100][20];

	for (int i = 0; i < 100; i++) {
		snprintf(text[i], sizeof(text[i]), "10.5.0.%d", i + 1);
		many[i] = text[i];
	}
	add(m, "web", (const char *const[]){ "10.99.0.1", "10.99.0.2", NULL });
	add(m, "six", (const char *const[]){ "fd99::1", NULL });
	add(m, "Upper", (const char *const[]){ "10.99.0.3", NULL });
	add(m, "deep.below.here", (const char *const[]){ "10.99.0.4", NULL });
	add(m, "shop/cart:http", (const char *const[]){ "10.99.0.5", NULL });
	add(m, "shop/cart:grpc", (const char *const[]){ "10.99.0.5", NULL });
	add(m, "bad..name", (const char *const[]){ "10.99.0.6", NULL });
	add(m, "twice", (const char *const[]){ "10.99.0.1", "10.99.0.1", NULL });
	add(m, "many", many);
	ck_assert_int_eq(zone_new("weft.internal", m, &zone), 0);
	model_free(m);
	options = (struct reply_options){ .ttl = TTL, .serial = 7 };
}

static void teardown(void)
{
	zone_free(MOVE(zone, NULL));
}

static void reply_len(size_t len)
{
	struct dns_record rec;

	memset(out, 0xee, sizeof(out));
	out_len = reply_to(zone, &options, q.bytes, len, out, &kind);
	if (!out_len)
		return;
	r = (struct dns_reader){ .bytes = out, .len = out_len };
	ck_assert_int_eq(dns_read_header(&r, &h), 0);
	ck_assert_uint_eq(h.id, 0x1234);
	ck_assert(h.flags & DNS_QR);
	if (h.nr[DNS_QUESTION])
		ck_assert_int_eq(dns_read_question(&r, &rec), 0);
}

static void ask(const char *name, uint16_t type)
{
	given_message(&q, DNS_RD, name, type);
	reply_len(q.w.at);
}

static void given_edns(uint16_t len, unsigned version, bool dnssec_ok)
{
	static const uint8_t root;

	dns_write(&q.w, &root, 1);
	dns_write_u16(&q.w, DNS_OPT);
	dns_write_u16(&q.w, len);
	dns_write_u32(&q.w, version << 16 | (dnssec_ok ? 0x8000u : 0));
	dns_write_u16(&q.w, 0);
	dns_put_u16(q.bytes + 4 + 2 * DNS_ADDITIONAL, ++q.nr[DNS_ADDITIONAL]);
}

static unsigned rcode(void)
{
	return h.flags & DNS_RCODE;
}

/* The next record. */
static struct dns_record next(void)
{
	struct dns_record rec;

	ck_assert_int_eq(dns_read_record(&r, &rec), 0);
	return rec;
}

static void check_answers(const char *name, uint16_t type, const char *const *addrs)
{
	struct dns_name n = name_of(name);
	struct dns_answers a;
	char text[ADDR_TEXT_LEN];
	size_t nr = 0;

	ck_assert_int_eq(dns_answers_read(out, out_len, &n, type, &a), 0);
	for (; *addrs; addrs++, nr++) {
		ck_assert_uint_lt(nr, a.nr_addrs);
		ck_assert_str_eq(addr_format(&a.addrs[nr].addr, text, sizeof(text)), *addrs);
	}
	ck_assert_uint_eq(nr, a.nr_addrs);
	ck_assert_uint_eq(a.odd, 0);
	ck_assert_uint_eq(a.ttl, TTL);
	dns_answers_done(&a);
}

static const struct {
	const char *name;
	uint16_t type;
	const char *addrs[3];
} names[] = {
	{ "web.weft.internal", DNS_A, { "10.99.0.1", "10.99.0.2" } },
	{ "WeB.wEFT.Internal", DNS_A, { "10.99.0.1", "10.99.0.2" } },
	{ "six.weft.internal", DNS_AAAA, { "fd99::1" } },
	{ "upper.weft.internal", DNS_A, { "10.99.0.3" } },
	{ "deep.below.here.weft.internal", DNS_A, { "10.99.0.4" } },
	{ "cart.shop.weft.internal", DNS_A, { "10.99.0.5" } },
	{ "shop/cart:http.weft.internal", DNS_A, { "10.99.0.5" } },
	{ "twice.weft.internal", DNS_A, { "10.99.0.1" } },
	{ "six.weft.internal", DNS_A, { NULL } },
	{ "web.weft.internal", DNS_AAAA, { NULL } },
	{ "web.weft.internal", DNS_SRV, { NULL } },
	{ "weft.internal", DNS_A, { NULL } },
	{ "below.here.weft.internal", DNS_A, { NULL } },
	{ "here.weft.internal", DNS_A, { NULL } },
};

START_TEST(services_have_names)
{
	ask(names[_i].name, names[_i].type);
	ck_assert_uint_eq(rcode(), DNS_NOERROR);
	ck_assert(h.flags & DNS_AA);
	ck_assert(h.flags & DNS_RD);
	ck_assert(!(h.flags & (DNS_RA | DNS_TC)));
	if (names[_i].type != DNS_SRV)
		check_answers(names[_i].name, names[_i].type, names[_i].addrs);
	ck_assert_int_eq(kind, names[_i].addrs[0] ? REPLY_ANSWER : REPLY_NO_DATA);
	ck_assert_uint_eq(h.nr[DNS_AUTHORITY], names[_i].addrs[0] ? 0 : 1);
}
END_TEST

START_TEST(letters_go_back_as_they_came)
{
	ask("WeB.wEFT.Internal", DNS_A);
	ck_assert_mem_eq(out + DNS_HEADER_LEN, q.bytes + DNS_HEADER_LEN, q.w.at - DNS_HEADER_LEN);
}
END_TEST

START_TEST(other_names_below_do_not_exist)
{
	static const char *const none[] = { "nobody.weft.internal", "x.web.weft.internal", "xweb.weft.internal",
					    "shop.cart.weft.internal", "below.weft.internal" };
	struct dns_record soa;
	struct dns_reader data;
	uint32_t minimum;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		ask(none[i], DNS_A);
		ck_assert_uint_eq(rcode(), DNS_NXDOMAIN);
		ck_assert_int_eq(kind, REPLY_NO_NAME);
		ck_assert_uint_eq(h.nr[DNS_AUTHORITY], 1);
		soa = next();
		ck_assert_uint_eq(soa.type, DNS_SOA);
		ck_assert_uint_eq(soa.ttl, TTL);
		data = dns_read_data(&r, &soa);
		data.at = data.len - 4;
		ck_assert_int_eq(dns_read_u32(&data, &minimum), 0);
		ck_assert_uint_eq(minimum, TTL);
	}
}
END_TEST

START_TEST(what_is_not_below_is_refused)
{
	static const char *const others[] = { "example.com",	".",
					      "internal",	"weft.internal.example",
					      "xweft.internal", "9.0.99.10.in-addr.arpa" };

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		ask(others[i], DNS_A);
		ck_assert_uint_eq(rcode(), DNS_REFUSED);
		ck_assert_int_eq(kind, REPLY_REFUSED);
		ck_assert(!(h.flags & DNS_AA));
	}
	ask("web.weft.internal", DNS_AXFR);
	ck_assert_uint_eq(rcode(), DNS_REFUSED);
	given_message(&q, 0, "web.weft.internal", DNS_A);
	dns_put_u16(q.bytes + q.w.at - 2, 3); /* class CH */
	reply_len(q.w.at);
	ck_assert_uint_eq(rcode(), DNS_REFUSED);
}
END_TEST

START_TEST(any_gets_one_small_record)
{
	struct dns_record rec;

	ask("many.weft.internal", DNS_ANY);
	ck_assert_uint_eq(rcode(), DNS_NOERROR);
	ck_assert_uint_eq(h.nr[DNS_ANSWER], 1);
	rec = next();
	ck_assert_uint_eq(rec.type, DNS_HINFO);
	ck_assert_mem_eq(out + rec.at, "\7RFC8482\0", 9);
}
END_TEST

START_TEST(the_zone_has_a_soa)
{
	struct dns_record rec;

	ask("weft.internal", DNS_SOA);
	ck_assert_uint_eq(h.nr[DNS_ANSWER], 1);
	ck_assert_uint_eq(h.nr[DNS_AUTHORITY], 0);
	rec = next();
	ck_assert_uint_eq(rec.type, DNS_SOA);
}
END_TEST

static const struct {
	const char *name, *of; /* NULL: refused */
} reverse[] = {
	{ "2.0.99.10.in-addr.arpa", "web.weft.internal" },
	{ "3.0.99.10.IN-ADDR.arpa", "upper.weft.internal" },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.9.d.f.ip6.arpa", "six.weft.internal" },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.9.D.F.ip6.arpa", "six.weft.internal" },
	{ "0.99.10.in-addr.arpa", NULL },
	{ "1.1.0.99.10.in-addr.arpa", NULL },
	{ "02.0.99.10.in-addr.arpa", NULL },
	{ "258.0.99.10.in-addr.arpa", NULL },
	{ "x.0.99.10.in-addr.arpa", NULL },
	{ "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.9.d.f.ip6.arpa", NULL },
	{ "11.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.9.d.f.ip6.arpa", NULL },
	{ "in-addr.arpa", NULL },
};

START_TEST(addresses_have_names)
{
	struct dns_record rec;
	struct dns_reader data;
	struct dns_name n, want;

	ask(reverse[_i].name, DNS_PTR);
	ck_assert_uint_eq(rcode(), reverse[_i].of ? DNS_NOERROR : DNS_REFUSED);
	if (!reverse[_i].of)
		return;
	want = name_of(reverse[_i].of);
	rec = next();
	data = dns_read_data(&r, &rec);
	ck_assert_int_eq(dns_read_name(&data, &n), 0);
	ck_assert(dns_name_equal(&n, &want));
}
END_TEST

START_TEST(what_does_not_fit_is_asked_for_by_tcp)
{
	ask("many.weft.internal", DNS_A);
	ck_assert(h.flags & DNS_TC);
	ck_assert_uint_eq(h.nr[DNS_ANSWER], 0);
	ck_assert_uint_eq(out_len, q.w.at);
	options.tcp = true;
	reply_len(q.w.at);
	ck_assert(!(h.flags & DNS_TC));
	ck_assert_uint_eq(h.nr[DNS_ANSWER], 100);
}
END_TEST

static const struct {
	uint16_t len;
	bool fits; /* 100 addresses: 35 + 100 * 16 + 11 bytes */
} edns[] = { { 0, false }, { 512, false }, { 1232, false }, { 4096, false }, { 65535, false } };

START_TEST(room_is_what_edns_tells_within_bounds)
{
	struct dns_record opt;

	given_message(&q, DNS_RD, "many.weft.internal", DNS_A);
	given_edns(edns[_i].len, 0, _i % 2);
	reply_len(q.w.at);
	ck_assert(!!(h.flags & DNS_TC) == !edns[_i].fits);
	ck_assert_uint_eq(h.nr[DNS_ADDITIONAL], 1);
	opt = next();
	ck_assert_uint_eq(opt.type, DNS_OPT);
	ck_assert_uint_eq(opt.class, DNS_EDNS_LEN);
	ck_assert_uint_eq(opt.ttl, _i % 2 ? 0x8000 : 0);
	ck_assert_uint_eq(r.at, out_len);
}
END_TEST

/* As many addresses as there are, with every room there is: an answer is whole or not there. */
START_TEST(answers_are_whole_or_not_there)
{
	struct model *m = model_new();
	const char *addrs[80] = { NULL };
	char text[79][20];

	zone_free(zone);
	for (int i = 0; i < 79; i++) {
		snprintf(text[i], sizeof(text[i]), "10.5.0.%d", i + 1);
		addrs[i] = text[i];
	}
	add(m, "x", addrs + 79 - _i);
	ck_assert_int_eq(zone_new("y", m, &zone), 0);
	model_free(m);
	for (unsigned len = 512; len < 1300; len++) {
		size_t whole = DNS_HEADER_LEN + 5 + 4 + (size_t)_i * 16 + 11;

		given_message(&q, 0, "x.y", DNS_A);
		given_edns((uint16_t)len, 0, false);
		reply_len(q.w.at);
		ck_assert_uint_le(out_len, len < 1232 ? len : 1232);
		ck_assert(!!(h.flags & DNS_TC) == (whole > (len < 1232 ? len : 1232)));
		ck_assert_uint_eq(h.nr[DNS_ANSWER], h.flags & DNS_TC ? 0 : _i);
	}
}
END_TEST

START_TEST(later_versions_of_edns_are_told_ours)
{
	struct dns_record opt;

	given_message(&q, DNS_RD, "web.weft.internal", DNS_A);
	given_edns(1232, 1, false);
	reply_len(q.w.at);
	ck_assert_uint_eq(h.nr[DNS_ANSWER], 0);
	opt = next();
	ck_assert_uint_eq(rcode() | opt.ttl >> 24 << 4, DNS_BADVERS);
	ck_assert_uint_eq(opt.ttl >> 16 & 0xff, 0);
}
END_TEST

START_TEST(two_opts_are_an_error)
{
	given_message(&q, DNS_RD, "web.weft.internal", DNS_A);
	given_edns(1232, 0, false);
	given_edns(1232, 0, false);
	reply_len(q.w.at);
	ck_assert_uint_eq(rcode(), DNS_FORMERR);
}
END_TEST

START_TEST(who_asks_nothing_gets_an_error_or_nothing)
{
	given_message(&q, DNS_QR, "web.weft.internal", DNS_A);
	reply_len(q.w.at);
	ck_assert_uint_eq(out_len, 0);
	given_message(&q, 0, "web.weft.internal", DNS_A);
	for (size_t len = 0; len < DNS_HEADER_LEN; len++) {
		reply_len(len);
		ck_assert_uint_eq(out_len, 0);
	}
	for (size_t len = DNS_HEADER_LEN; len < q.w.at; len++) {
		reply_len(len);
		ck_assert_uint_eq(out_len, DNS_HEADER_LEN);
		ck_assert_uint_eq(rcode(), DNS_FORMERR);
	}
	given_message(&q, 5 << 11, "web.weft.internal", DNS_A); /* UPDATE */
	reply_len(q.w.at);
	ck_assert_uint_eq(rcode(), DNS_NOTIMP);
	given_message(&q, 0, "web.weft.internal", DNS_A);
	dns_put_u16(q.bytes + 4, 2);
	reply_len(q.w.at);
	ck_assert_uint_eq(rcode(), DNS_FORMERR);
	dns_put_u16(q.bytes + 4, 0);
	reply_len(q.w.at);
	ck_assert_uint_eq(rcode(), DNS_FORMERR);
}
END_TEST

START_TEST(a_question_does_not_point)
{
	static const uint8_t pointers[][6] = {
		{ 0xc0, 12 }, { 0xc0, 0 }, { 0xc0, 4 }, { 1, 'a', 0xc0, 12 }, { 0xff, 0xff }
	};

	for (size_t i = 0; i < 5; i++) {
		given_message(&q, 0, "web.weft.internal", DNS_A);
		memcpy(q.bytes + DNS_HEADER_LEN, pointers[i], 6);
		reply_len(q.w.at);
		ck_assert_uint_eq(out_len, DNS_HEADER_LEN);
		ck_assert_uint_eq(rcode(), DNS_FORMERR);
	}
}
END_TEST

START_TEST(before_there_is_a_zone_it_says_so)
{
	zone_free(MOVE(zone, NULL));
	ask("web.weft.internal", DNS_A);
	ck_assert_uint_eq(rcode(), DNS_SERVFAIL);
	ck_assert_uint_eq(h.nr[DNS_QUESTION], 1);
}
END_TEST

START_TEST(names_are_counted)
{
	ck_assert_uint_eq(zone_left_out(zone), 1);
	ck_assert_uint_eq(zone_count(zone), 9); /* two of Kubernetes have three names */
}
END_TEST

START_TEST(many_services_are_found)
{
	struct model *m = model_new();
	char name[32], addr[32], whole[48];
	const char *addrs[2] = { addr, NULL };

	zone_free(zone);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "s%u.ns%u", i, i % 7);
		snprintf(addr, sizeof(addr), "10.%u.%u.1", i >> 8, i & 255);
		add(m, name, addrs);
	}
	ck_assert_int_eq(zone_new("weft.internal", m, &zone), 0);
	model_free(m);
	ck_assert_uint_eq(zone_count(zone), 5000);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(addr, sizeof(addr), "10.%u.%u.1", i >> 8, i & 255);
		snprintf(whole, sizeof(whole), "S%u.Ns%u.weft.internal", i, i % 7);
		ask(whole, DNS_A);
		check_answers(whole, DNS_A, addrs);
	}
}
END_TEST

START_TEST(a_long_suffix_leaves_room_for_no_name)
{
	struct model *m = model_new();
	char suffix[254];

	zone_free(MOVE(zone, NULL));
	for (size_t i = 0; i < 253; i++)
		suffix[i] = i % 2 ? '.' : 'a';
	suffix[253] = '\0';
	add(m, "web", (const char *const[]){ "10.99.0.1", NULL });
	ck_assert_int_eq(zone_new(suffix, m, &zone), 0);
	ck_assert_uint_eq(zone_left_out(zone), 1);
	/* Its SOA does not fit into a datagram; the answer is none all the same. */
	ask(suffix, DNS_A);
	ck_assert_uint_eq(rcode(), DNS_NOERROR);
	ck_assert_uint_le(out_len, 512);
	ck_assert_int_eq(zone_new("a..b", m, &zone), -EINVAL);
	model_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns reply");
	TCase *c = tcase_create("reply");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, services_have_names, 0, UNIT_NR(names));
	tcase_add_test(c, letters_go_back_as_they_came);
	tcase_add_test(c, other_names_below_do_not_exist);
	tcase_add_test(c, what_is_not_below_is_refused);
	tcase_add_test(c, any_gets_one_small_record);
	tcase_add_test(c, the_zone_has_a_soa);
	tcase_add_loop_test(c, addresses_have_names, 0, UNIT_NR(reverse));
	tcase_add_test(c, what_does_not_fit_is_asked_for_by_tcp);
	tcase_add_loop_test(c, room_is_what_edns_tells_within_bounds, 0, UNIT_NR(edns));
	tcase_add_loop_test(c, answers_are_whole_or_not_there, 1, 80);
	tcase_add_test(c, later_versions_of_edns_are_told_ours);
	tcase_add_test(c, two_opts_are_an_error);
	tcase_add_test(c, who_asks_nothing_gets_an_error_or_nothing);
	tcase_add_test(c, a_question_does_not_point);
	tcase_add_test(c, before_there_is_a_zone_it_says_so);
	tcase_add_test(c, names_are_counted);
	tcase_add_test(c, many_services_are_found);
	tcase_add_test(c, a_long_suffix_leaves_room_for_no_name);
	suite_add_tcase(s, c);
	return unit_run(s);
}

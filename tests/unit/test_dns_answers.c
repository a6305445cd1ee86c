/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What responses say: addresses, SRV records, nothing, or that they are of no use; and endpoints made of them. */
#include <errno.h>

#include "dns/answers.h"
#include "dns_fixture.h"
#include "model/service.h"
#include "registry/dns_srv.h"
#include "unit.h"

#define RESPONSE (DNS_QR | DNS_RD | DNS_RA)

static struct dns_fixture f;
static struct dns_answers a;

static int read_len(const char *name, uint16_t type, size_t len)
{
	struct dns_name n = name_of(name);

	dns_answers_done(&a);
	return dns_answers_read(f.bytes, len, &n, type, &a);
}

static int read_it(const char *name, uint16_t type)
{
	return read_len(name, type, f.w.at);
}

static void teardown(void)
{
	dns_answers_done(&a);
}

static void check_addr(const struct weft_addr *addr, const char *text)
{
	char got[ADDR_TEXT_LEN];

	ck_assert_str_eq(addr_format(addr, got, sizeof(got)), text);
}

START_TEST(addresses_are_read_with_the_least_ttl)
{
	given_message(&f, RESPONSE, "web.example", DNS_A);
	given_addr(&f, DNS_ANSWER, "web.example", 60, "10.0.0.1");
	given_addr(&f, DNS_ANSWER, "WEB.example", 30, "10.0.0.2");
	ck_assert_int_eq(read_it("web.EXAMPLE", DNS_A), 0);
	ck_assert_uint_eq(a.nr_addrs, 2);
	ck_assert(a.has_ttl);
	ck_assert_uint_eq(a.ttl, 30);
	check_addr(&a.addrs[0].addr, "10.0.0.1");
	check_addr(&a.addrs[1].addr, "10.0.0.2");
	ck_assert_uint_eq(a.odd, 0);
}
END_TEST

START_TEST(aliases_are_followed_in_any_order)
{
	given_message(&f, RESPONSE, "web.example", DNS_AAAA);
	given_addr(&f, DNS_ANSWER, "c.example", 300, "fd00::1");
	given_cname(&f, "b.example", 7, "c.example");
	given_cname(&f, "web.example", 60, "b.example");
	ck_assert_int_eq(read_it("web.example", DNS_AAAA), 0);
	ck_assert_uint_eq(a.nr_addrs, 1);
	ck_assert_uint_eq(a.ttl, 7);
	check_addr(&a.addrs[0].addr, "fd00::1");
}
END_TEST

START_TEST(aliases_in_a_circle_are_refused)
{
	given_message(&f, RESPONSE, "web.example", DNS_A);
	given_cname(&f, "web.example", 60, "b.example");
	given_cname(&f, "b.example", 60, "web.example");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "10.0.0.1");
	ck_assert_int_eq(read_it("web.example", DNS_A), -EBADMSG);
}
END_TEST

START_TEST(an_alias_of_nothing_is_none)
{
	given_message(&f, RESPONSE, "web.example", DNS_A);
	given_cname(&f, "web.example", 60, "b.example");
	given_soa(&f, "example", 3600, 20);
	ck_assert_int_eq(read_it("web.example", DNS_A), 0);
	ck_assert_uint_eq(a.nr_addrs, 0);
	ck_assert_uint_eq(a.ttl, 20);
}
END_TEST

START_TEST(what_is_of_no_use_is_left_out)
{
	static const uint8_t three[3] = { 10, 0, 0 }, mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };

	given_message(&f, RESPONSE, "web.example", DNS_A);
	given_addr(&f, DNS_ANSWER, "web.example", 60, "0.0.0.0");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "224.0.0.1");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "255.255.255.255");
	given_record(&f, DNS_ANSWER, "web.example", DNS_A, 60, three, sizeof(three));
	given_addr(&f, DNS_ANSWER, "other.example", 60, "10.0.0.9");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "fd00::1");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "10.0.0.1");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "10.0.0.1");
	ck_assert_int_eq(read_it("web.example", DNS_A), 0);
	ck_assert_uint_eq(a.nr_addrs, 1);
	ck_assert_uint_eq(a.odd, 7);

	given_message(&f, RESPONSE, "web.example", DNS_AAAA);
	given_record(&f, DNS_ANSWER, "web.example", DNS_AAAA, 60, mapped, sizeof(mapped));
	given_addr(&f, DNS_ANSWER, "web.example", 60, "fe80::1");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "ff02::1");
	given_addr(&f, DNS_ANSWER, "web.example", 60, "::");
	ck_assert_int_eq(read_it("web.example", DNS_AAAA), 0);
	ck_assert_uint_eq(a.nr_addrs, 0);
	ck_assert_uint_eq(a.odd, 4);
}
END_TEST

START_TEST(nothing_is_an_answer)
{
	given_message(&f, RESPONSE | DNS_NXDOMAIN, "web.example", DNS_A);
	given_soa(&f, "example", 60, 900);
	ck_assert_int_eq(read_it("web.example", DNS_A), 0);
	ck_assert_uint_eq(a.rcode, DNS_NXDOMAIN);
	ck_assert_uint_eq(a.ttl, 60);
	given_message(&f, RESPONSE, "web.example", DNS_A);
	ck_assert_int_eq(read_it("web.example", DNS_A), 0);
	ck_assert_uint_eq(a.rcode, DNS_NOERROR);
	ck_assert(!a.has_ttl);
	ck_assert_uint_eq(a.nr_addrs, 0);
}
END_TEST

START_TEST(failures_say_which)
{
	static const unsigned rcodes[] = { DNS_FORMERR, DNS_SERVFAIL, DNS_NOTIMP, DNS_REFUSED, 9 };

	for (size_t i = 0; i < 5; i++) {
		given_message(&f, (uint16_t)(RESPONSE | rcodes[i]), "web.example", DNS_A);
		given_addr(&f, DNS_ANSWER, "web.example", 60, "10.0.0.1");
		ck_assert_int_eq(read_it("web.example", DNS_A), 0);
		ck_assert_uint_eq(a.rcode, rcodes[i]);
		ck_assert_uint_eq(a.nr_addrs, 0);
	}
	ck_assert_str_eq(dns_rcode_text(DNS_SERVFAIL), "SERVFAIL");
	/* Who could not read the question does not repeat it. */
	given_message(&f, RESPONSE | DNS_FORMERR, "web.example", DNS_A);
	ck_assert_int_eq(read_len("web.example", DNS_A, DNS_HEADER_LEN), 0);
	ck_assert_uint_eq(a.rcode, DNS_FORMERR);
}
END_TEST

START_TEST(other_messages_are_refused)
{
	given_message(&f, DNS_RD, "web.example", DNS_A);
	ck_assert_int_eq(read_it("web.example", DNS_A), -EBADMSG);
	given_message(&f, RESPONSE, "web.example", DNS_A);
	ck_assert_int_eq(read_it("web.example", DNS_AAAA), -EBADMSG);
	ck_assert_int_eq(read_it("web2.example", DNS_A), -EBADMSG);
	given_message(&f, RESPONSE | DNS_TC, "web.example", DNS_A);
	given_addr(&f, DNS_ANSWER, "web.example", 60, "10.0.0.1");
	ck_assert_int_eq(read_it("web.example", DNS_A), -EBADMSG);
}
END_TEST

START_TEST(cut_off_answers_are_refused)
{
	given_message(&f, RESPONSE, "web.example", DNS_A);
	given_cname(&f, "web.example", 60, "b.example");
	given_addr(&f, DNS_ANSWER, "b.example", 60, "10.0.0.1");
	for (size_t len = 0; len < f.w.at; len++)
		ck_assert_int_eq(read_len("web.example", DNS_A, len), -EBADMSG);
	ck_assert_int_eq(read_it("web.example", DNS_A), 0);
}
END_TEST

START_TEST(targets_come_with_their_addresses)
{
	static const uint8_t cut[5];

	given_message(&f, RESPONSE, "_http._tcp.web", DNS_SRV);
	given_srv(&f, "_http._tcp.web", 60, 10, 5, 8080, "a.web");
	given_srv(&f, "_http._tcp.web", 60, 20, 5, 8081, "b.web");
	given_record(&f, DNS_ANSWER, "_http._tcp.web", DNS_SRV, 60, cut, sizeof(cut));
	given_addr(&f, DNS_ADDITIONAL, "A.web", 50, "10.0.0.1");
	given_addr(&f, DNS_ADDITIONAL, "a.web", 50, "fd00::1");
	given_addr(&f, DNS_ADDITIONAL, "stranger.web", 50, "10.6.6.6");
	ck_assert_int_eq(read_it("_http._tcp.web", DNS_SRV), 0);
	ck_assert_uint_eq(a.nr_srvs, 2);
	ck_assert_uint_eq(a.odd, 1);
	ck_assert_uint_eq(a.srvs[1].port, 8081);
	ck_assert_uint_eq(a.nr_hints, 2);
	ck_assert_uint_eq(a.hints[0].owner, 0);
	ck_assert_uint_eq(a.ttl, 60);
	/* Hints are a gift: without their end the rest still counts. */
	ck_assert_int_eq(read_len("_http._tcp.web", DNS_SRV, f.w.at - 3), 0);
	ck_assert_uint_eq(a.nr_srvs, 2);
}
END_TEST

/* ---- endpoints of SRV records ---- */

static struct weft_addr addr_of(const char *text)
{
	struct weft_addr addr;

	ck_assert_int_eq(addr_parse(text, &addr), 0);
	return addr;
}

static const struct {
	uint16_t priority[3], weight[3];
	uint32_t rank[3], expected[3];
} srvs[] = {
	{ { 10, 20, 30 }, { 1, 2, 3 }, { 0, 1, 2 }, { 1, 2, 3 } },
	{ { 30, 10, 10 }, { 1, 2, 3 }, { 1, 0, 0 }, { 1, 2, 3 } },
	{ { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 }, { 1, 1, 1 } },
	{ { 0, 0, 0 }, { 0, 10, 20 }, { 0, 0, 0 }, { 1, 10, 20 } },
	{ { 5, 5, 6 }, { 60000, 30000, 10 }, { 0, 0, 1 }, { 1000, 500, 10 } },
	{ { 5, 5, 5 }, { 65535, 1, 1000 }, { 0, 0, 0 }, { 1000, 1, 15 } },
	{ { 0, 65535, 65535 }, { 1000, 1000, 1000 }, { 0, 1, 1 }, { 1000, 1000, 1000 } },
};

START_TEST(priorities_are_ranks_and_weights_keep_their_proportions)
{
	struct weft_addr addr[3] = { addr_of("10.0.0.1"), addr_of("10.0.0.2"), addr_of("fd00::3") };
	struct dns_srv srv[4] = { 0 };
	struct srv_target target[3] = { 0 };
	struct srv_targets targets = { target, 3 };
	struct found found = { 0 };
	unsigned odd = 0, met = 0;

	for (int i = 0; i < 3; i++) {
		target[i].name = name_of(i == 0 ? "a.x" : i == 1 ? "b.x" : "c.x");
		target[i].known.at[i == 2] = &addr[i];
		target[i].known.nr[i == 2] = 1;
		srv[i] = (struct dns_srv){ srvs[_i].priority[i], srvs[_i].weight[i], (uint16_t)(8080 + i),
					   target[i].name };
	}
	srv[3] = (struct dns_srv){ 0, 1, 1, name_of(".") };
	ck_assert_int_eq(srv_found(srv, 4, &targets, &found, &odd), 0);
	ck_assert_uint_eq(found.nr, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct endpoint *e = &found.at[i].endpoint;
		int k = e->port - 8080;

		met |= 1u << k;
		ck_assert(weft_addr_equal(&e->addr, &addr[k]));
		ck_assert_uint_eq(e->priority, srvs[_i].rank[k]);
		ck_assert_uint_eq(e->weight, srvs[_i].expected[k]);
	}
	ck_assert_uint_eq(met, 7);
	ck_assert_uint_eq(odd, 0);
	found_done(&found);
}
END_TEST

START_TEST(a_record_without_port_is_counted)
{
	struct weft_addr addr = addr_of("10.0.0.1");
	struct srv_target target = { .name = name_of("a.x"), .known = { { &addr }, { 1 } } };
	struct srv_targets targets = { &target, 1 };
	struct dns_srv srv[2] = { { 0, 1, 0, target.name }, { 0, 1, 80, target.name } };
	struct found found = { 0 };
	unsigned odd = 0;

	ck_assert_int_eq(srv_found(srv, 2, &targets, &found, &odd), 0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_uint_eq(odd, 1);
	ck_assert_str_eq(found.at[0].name, "a.x");
	found_done(&found);
}
END_TEST

/* ---- what A and AAAA say together ---- */

static struct dns_answers some(const char *addr, uint32_t ttl)
{
	struct dns_answers x = { .has_ttl = true, .ttl = ttl, .addrs = calloc(1, sizeof(*x.addrs)), .nr_addrs = 1 };

	x.addrs[0].addr = addr_of(addr);
	return x;
}

START_TEST(a_family_that_fails_keeps_what_it_had)
{
	struct name_addrs known = { 0 };
	struct resolved r = { .nr = 2 };
	enum outcome outcome;
	bool has_ttl;
	uint32_t ttl;

	r.part[0] = (struct resolved_part){ DNS_A, OUTCOME_SOME, some("10.0.0.1", 60) };
	r.part[1] = (struct resolved_part){ DNS_AAAA, OUTCOME_SOME, some("fd00::1", 30) };
	ck_assert_int_eq(name_addrs_update(&known, &r, &outcome, &has_ttl, &ttl), 0);
	ck_assert_int_eq(outcome, OUTCOME_SOME);
	ck_assert_uint_eq(ttl, 30);

	r.part[1].outcome = OUTCOME_FAILED;
	ck_assert_int_eq(name_addrs_update(&known, &r, &outcome, &has_ttl, &ttl), 0);
	ck_assert_int_eq(outcome, OUTCOME_SOME);
	ck_assert_uint_eq(ttl, 60);
	ck_assert_uint_eq(known.nr[1], 1);

	/* Nothing is only believed of both. */
	dns_answers_done(&r.part[0].answers);
	r.part[0].outcome = OUTCOME_NONE;
	ck_assert_int_eq(name_addrs_update(&known, &r, &outcome, &has_ttl, &ttl), 0);
	ck_assert_int_eq(outcome, OUTCOME_FAILED);
	ck_assert_uint_eq(known.nr[0], 1);

	dns_answers_done(&r.part[1].answers);
	r.part[1].outcome = OUTCOME_NONE;
	ck_assert_int_eq(name_addrs_update(&known, &r, &outcome, &has_ttl, &ttl), 0);
	ck_assert_int_eq(outcome, OUTCOME_NONE);
	ck_assert(!has_ttl);
	ck_assert_uint_eq(known.nr[0] + known.nr[1], 0);
	name_addrs_done(&known);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns answers");
	TCase *c = tcase_create("answers");

	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_add_test(c, addresses_are_read_with_the_least_ttl);
	tcase_add_test(c, aliases_are_followed_in_any_order);
	tcase_add_test(c, aliases_in_a_circle_are_refused);
	tcase_add_test(c, an_alias_of_nothing_is_none);
	tcase_add_test(c, what_is_of_no_use_is_left_out);
	tcase_add_test(c, nothing_is_an_answer);
	tcase_add_test(c, failures_say_which);
	tcase_add_test(c, other_messages_are_refused);
	tcase_add_test(c, cut_off_answers_are_refused);
	tcase_add_test(c, targets_come_with_their_addresses);
	tcase_add_loop_test(c, priorities_are_ranks_and_weights_keep_their_proportions, 0, UNIT_NR(srvs));
	tcase_add_test(c, a_record_without_port_is_counted);
	tcase_add_test(c, a_family_that_fails_keeps_what_it_had);
	suite_add_tcase(s, c);
	return unit_run(s);
}

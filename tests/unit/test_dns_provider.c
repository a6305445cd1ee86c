/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries of type dns against a server that answers, lies, fails and is not there. */
#include "dns_provider.h"

START_TEST(addresses_are_found_and_followed)
{
	TOLD(A1, { "shop.x", DNS_AAAA, 0, "fd00::1" });
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
	ck_assert_uint_eq(view().found->nr, 2); /* of which the service's family counts */
	TOLD(A1, A2);
	becomes("10.0.0.1:80 10.0.0.2:80");
	TOLD(A2);
	becomes("10.0.0.2:80");
	ck_assert_uint_gt(server.asked_edns, 0);
}
END_TEST

/* ms until the server is asked again. */
static unsigned until_asked(void)
{
	uint64_t start = uv_hrtime();
	unsigned asked = server.asked;

	for (unsigned ms = 0; ms < DEADLINE_MS && server.asked == asked; ms += 5)
		pass(5);
	ck_assert_uint_ne(server.asked, asked);
	start = uv_hrtime() - start;
	pass(20); /* the other family's */
	return (unsigned)(start / 1000000);
}

START_TEST(a_ttl_is_waited_for)
{
	TOLD({ "shop.x", DNS_A, 1, "10.0.0.1" });
	configure("", "name: shop.x, port: 80");
	until_asked();
	ck_assert_uint_ge(until_asked(), 900);
	becomes("10.0.0.1:80");
}
END_TEST

START_TEST(ttls_have_bounds)
{
	TOLD({ "shop.x", DNS_A, 86400, "10.0.0.1" });
	configure(", max-ttl: 200ms", "name: shop.x, port: 80");
	until_asked();
	ck_assert_uint_ge(until_asked(), 150);
	becomes("10.0.0.1:80");
}
END_TEST

START_TEST(aliases_have_ttls_as_well)
{
	TOLD({ "shop.x", DNS_CNAME, 0, "b.x" }, { "b.x", DNS_A, 3600, "10.0.0.1" });
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
	TOLD({ "shop.x", DNS_CNAME, 0, "c.x" }, { "c.x", DNS_A, 3600, "10.0.0.2" });
	becomes("10.0.0.2:80");
}
END_TEST

static const struct {
	enum mode mode;
	enum source_state state;
	const char *text;
} faults[] = {
	{ MODE_SILENT, SOURCE_FAILING, "shop.x: no server answers" },
	{ MODE_GARBAGE, SOURCE_FAILING, "" },
	{ MODE_CUT, SOURCE_FAILING, "" },
	{ MODE_OTHER_ID, SOURCE_FAILING, "shop.x: no server answers" },
	{ MODE_SERVFAIL, SOURCE_FAILING, "shop.x: the server answers SERVFAIL" },
	{ MODE_REFUSED, SOURCE_FAILING, "shop.x: the server answers REFUSED" },
	{ MODE_TRUNCATED_DEAF, SOURCE_FAILING, "shop.x: no server answers" },
	{ MODE_NXDOMAIN, SOURCE_HELD, "" },
};

START_TEST(faults_take_nothing_away)
{
	TOLD(A1);
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
	server.negative_ttl = 1;
	server.mode = faults[_i].mode;
	source_becomes(faults[_i].state);
	if (*faults[_i].text)
		ck_assert_str_eq(view().error, faults[_i].text);
	ck_assert_str_eq(endpoints_now(), "10.0.0.1:80");
	server.mode = MODE_ANSWER;
	TOLD(A2);
	becomes("10.0.0.2:80");
	ck_assert_int_eq(view().state, SOURCE_OK);
}
END_TEST

START_TEST(faults_at_the_start_are_outlived)
{
	TOLD(A1);
	server.mode = faults[_i].mode;
	server.negative_ttl = 1;
	configure("", "name: shop.x, port: 80");
	pass(300);
	ck_assert_str_eq(endpoints_now(), "");
	server.mode = MODE_ANSWER;
	becomes("10.0.0.1:80");
}
END_TEST

START_TEST(a_server_that_is_gone_is_waited_for)
{
	TOLD(A1);
	server_stop(&server);
	uv_run(&loop, UV_RUN_NOWAIT);
	configure("", "name: shop.x, port: 80");
	source_becomes(SOURCE_FAILING);
	ck_assert_str_eq(view().error, "shop.x: no server can be reached");
	server_start(&server, &loop);
	becomes("10.0.0.1:80");
	server_stop(&server);
	source_becomes(SOURCE_FAILING);
	ck_assert_str_eq(endpoints_now(), "10.0.0.1:80");
	TOLD(A2);
	server_start(&server, &loop);
	becomes("10.0.0.2:80");
}
END_TEST

START_TEST(what_does_not_fit_comes_by_tcp)
{
	server.mode = MODE_TRUNCATED;
	TOLD(A1);
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
	ck_assert_uint_gt(server.asked_tcp, 0);
}
END_TEST

START_TEST(servers_without_edns_are_asked_without)
{
	server.mode = MODE_FORMERR_EDNS;
	TOLD(A1);
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
}
END_TEST

START_TEST(one_family_may_fail)
{
	server.mode_aaaa = MODE_SERVFAIL;
	TOLD(A1);
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
	ck_assert_int_eq(view().state, SOURCE_OK);
}
END_TEST

START_TEST(nothing_is_believed_when_both_families_say_it)
{
	TOLD(A1);
	configure("", "name: shop.x, port: 80, empty: clear");
	becomes("10.0.0.1:80");
	server.mode_aaaa = MODE_SERVFAIL;
	TOLD({ "shop.x", DNS_SRV, 0, "1 1 1 x" }); /* the name is there, its address is not */
	source_becomes(SOURCE_FAILING);
	ck_assert_str_eq(endpoints_now(), "10.0.0.1:80");
	server.mode_aaaa = MODE_ANSWER;
	becomes("");
}
END_TEST

START_TEST(negative_answers_have_a_ttl)
{
	server.negative_ttl = 1;
	configure("", "name: shop.x, port: 80");
	until_asked();
	ck_assert_uint_ge(until_asked(), 900);
	TOLD(A1);
	becomes("10.0.0.1:80");
}
END_TEST

static const enum mode failing_first[] = { MODE_SERVFAIL, MODE_REFUSED, MODE_SILENT };

START_TEST(the_next_server_is_asked)
{
	server_start(&second, &loop);
	told(&second, (const struct told[]){ A1, { 0 } });
	server.mode = failing_first[_i];
	configure("", "name: shop.x, port: 80");
	becomes("10.0.0.1:80");
	ck_assert_uint_gt(server.asked, 0);
}
END_TEST

START_TEST(names_are_completed)
{
	TOLD({ "web.b.x", DNS_A, 0, "10.0.0.1" });
	configure(", search: [a.x, b.x]", "name: web, port: 80");
	becomes("10.0.0.1:80");
	/* A domain that fails does not make the others say that there is nothing. */
	server.failing = "b.x";
	server.negative_ttl = 1;
	source_becomes(SOURCE_FAILING);
	ck_assert_str_eq(view().error, "web.b.x: the server answers SERVFAIL");
}
END_TEST

START_TEST(a_dot_at_the_end_completes_a_name)
{
	TOLD({ "web.b.x", DNS_A, 0, "10.0.0.1" });
	server.negative_ttl = 1;
	configure(", search: [b.x]", "name: web., port: 80");
	source_becomes(SOURCE_OK);
	ck_assert_str_eq(endpoints_now(), "");
	ck_assert_uint_eq(server.asked, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns provider");
	TCase *c = tcase_create("provider");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, addresses_are_found_and_followed);
	tcase_add_test(c, a_ttl_is_waited_for);
	tcase_add_test(c, ttls_have_bounds);
	tcase_add_test(c, aliases_have_ttls_as_well);
	tcase_add_loop_test(c, faults_take_nothing_away, 0, UNIT_NR(faults));
	tcase_add_loop_test(c, faults_at_the_start_are_outlived, 0, UNIT_NR(faults));
	tcase_add_test(c, a_server_that_is_gone_is_waited_for);
	tcase_add_test(c, what_does_not_fit_comes_by_tcp);
	tcase_add_test(c, servers_without_edns_are_asked_without);
	tcase_add_test(c, one_family_may_fail);
	tcase_add_test(c, nothing_is_believed_when_both_families_say_it);
	tcase_add_test(c, negative_answers_have_a_ttl);
	tcase_add_loop_test(c, the_next_server_is_asked, 0, UNIT_NR(failing_first));
	tcase_add_test(c, names_are_completed);
	tcase_add_test(c, a_dot_at_the_end_completes_a_name);
	suite_add_tcase(s, c);
	return unit_run(s);
}

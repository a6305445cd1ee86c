/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries of type dns: SRV records, what is refused, many names, and the end. */
#include "dns_provider.h"

#define SRV(data)                                                                                                      \
	{                                                                                                              \
		"_h._tcp.shop.x", DNS_SRV, 0, data                                                                     \
	}

static void given_srvs(void)
{
	TOLD(SRV("10 60 8080 a.x"), SRV("10 40 8081 b.x"), SRV("20 0 8082 c.x"), SRV("5 1 1 ."),
	     { "a.x", DNS_A, 0, "10.0.0.1" }, { "b.x", DNS_A, 0, "10.0.0.2" }, { "c.x", DNS_A, 0, "10.0.0.3" });
}

START_TEST(srv_records_are_endpoints)
{
	server.hints = _i;
	given_srvs();
	configure("", "name: _h._tcp.shop.x, type: srv");
	becomes("10.0.0.1:8080/0/60 10.0.0.2:8081/0/40 10.0.0.3:8082/1/1");
	TOLD(SRV("10 60 8080 a.x"), { "a.x", DNS_A, 0, "10.0.0.9" });
	becomes("10.0.0.9:8080/0/60");
}
END_TEST

START_TEST(a_port_that_is_written_is_that_of_all)
{
	given_srvs();
	configure("", "name: _h._tcp.shop.x, type: srv, port: 99");
	becomes("10.0.0.1:99/0/60 10.0.0.2:99/0/40 10.0.0.3:99/1/1");
}
END_TEST

START_TEST(a_target_that_fails_stays_as_it_was)
{
	given_srvs();
	configure("", "name: _h._tcp.shop.x, type: srv");
	becomes("10.0.0.1:8080/0/60 10.0.0.2:8081/0/40 10.0.0.3:8082/1/1");
	server.failing = "b.x";
	TOLD(SRV("10 60 8080 a.x"), SRV("10 40 8081 b.x"), { "a.x", DNS_A, 0, "10.0.0.7" },
	     { "b.x", DNS_A, 0, "10.0.0.8" });
	becomes("10.0.0.2:8081/0/40 10.0.0.7:8080/0/60");
	server.failing = NULL;
	becomes("10.0.0.7:8080/0/60 10.0.0.8:8081/0/40");
}
END_TEST

START_TEST(a_target_that_always_failed_is_left_out)
{
	given_srvs();
	server.failing = "b.x";
	configure("", "name: _h._tcp.shop.x, type: srv");
	becomes("10.0.0.1:8080/0/60 10.0.0.3:8082/1/1");
	server.failing = ".x"; /* all of them: nothing is known */
	source_becomes(SOURCE_FAILING);
	ck_assert_str_eq(endpoints_now(), "10.0.0.1:8080/0/60 10.0.0.3:8082/1/1");
}
END_TEST

START_TEST(a_service_that_is_not_here_is_empty)
{
	TOLD(SRV("0 0 0 ."));
	configure("", "name: _h._tcp.shop.x, type: srv");
	source_becomes(SOURCE_OK);
	ck_assert_uint_eq(view().found->nr, 0);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
	const char *registry, *source, *text;
} refused[] = {
	{ "", "name: shop.x", "port: is missing; only SRV records (\"type: srv\") tell it" },
	{ "", "name: shop.x, port: http", "port: must be a number for names of the DNS" },
	{ "", "name: \"web..x\", port: 80", "\"web..x\" is no name of the DNS" },
};

START_TEST(what_can_never_work_is_said)
{
	configure(refused[_i].registry, refused[_i].source);
	pass(20);
	ck_assert_int_eq(view().state, SOURCE_FAILING);
	ck_assert_str_eq(view().error, refused[_i].text);
	ck_assert_uint_eq(server.asked, 0);
}
END_TEST

/* ---- in great numbers ---- */

START_TEST(many_names_are_looked_up_at_a_pace)
{
	enum { NR = 300 };
	_cleanup_(freep) char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	uint64_t start;

	TOLD(A1);
	fprintf(f,
		"registries: [{name: names, type: dns, servers: [\"127.0.0.1:%u\"], reads-per-second: "
		"200}]\nservices:\n",
		server.port);
	for (unsigned i = 0; i < NR; i++)
		fprintf(f,
			"  - {name: s%u, address: \"1.1.%u.%u:80\", discover: {registry: names, name: shop.x, port: "
			"80}}\n",
			i, i / 250, i % 250 + 1);
	fclose(f);
	start = uv_hrtime();
	load(text, len);
	pass(100);
	ck_assert_uint_le(server.asked, 2 * (200 + (uv_hrtime() - start) / 1000000 / 5 + 1));
	for (unsigned ms = 0; ms < DEADLINE_MS && !discovery_settled(d); ms += 20)
		pass(20);
	ck_assert(discovery_settled(d));
	model_free(MOVE(model, NULL));
	ck_assert_int_eq(discovery_model(d, written, &model), 0);
	ck_assert_uint_eq(model_count_endpoints(model), NR);
}
END_TEST

/* Whenever it ends, nothing is left: teardown sees to that. */
START_TEST(it_ends_in_the_middle_of_things)
{
	given_srvs();
	configure("", "name: _h._tcp.shop.x, type: srv");
	for (int i = 0; i < _i; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns srv");
	TCase *c = tcase_create("srv");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, srv_records_are_endpoints, 0, 2);
	tcase_add_test(c, a_port_that_is_written_is_that_of_all);
	tcase_add_test(c, a_target_that_fails_stays_as_it_was);
	tcase_add_test(c, a_target_that_always_failed_is_left_out);
	tcase_add_test(c, a_service_that_is_not_here_is_empty);
	tcase_add_loop_test(c, what_can_never_work_is_said, 0, UNIT_NR(refused));
	tcase_add_test(c, many_names_are_looked_up_at_a_pace);
	tcase_add_loop_test(c, it_ends_in_the_middle_of_things, 0, 12);
	suite_add_tcase(s, c);
	return unit_run(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries of type dns against a server that answers, lies, fails and is not there. */
#include <errno.h>

#include "discovery/discovery.h"
#include "dns_server.h"
#include "registry/providers.h"
#include "unit.h"

#define DEADLINE_MS 5000

static const struct provider *const only_dns[] = { &provider_dns, NULL };

static uv_loop_t loop;
static struct discovery *d;
static struct model *written, *model;
static struct config *config;
static struct dns_server server, second;
static unsigned changes;
static char endpoints[1024];

static void on_changed(void *ctx)
{
	changes++;
}

static void setup(void)
{
	struct discovery_options o = { .loop = &loop, .providers = only_dns, .changed = on_changed };

	memset(&server, 0, sizeof(server));
	memset(&second, 0, sizeof(second));
	changes = 0;
	uv_loop_init(&loop);
	ck_assert_int_eq(discovery_new(&o, &d), 0);
	server_start(&server, &loop);
}

static void teardown(void)
{
	discovery_close(d, NULL, NULL);
	server_stop(&server);
	server_stop(&second);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	model_free(MOVE(model, NULL));
	model_free(MOVE(written, NULL));
	config_free(MOVE(config, NULL));
}

static void load(const char *text, size_t len)
{
	struct config_error e;

	ck_assert_msg(config_parse("test", text, len, &config, &e) == 0, "%s: %s", e.key, e.text);
	written = config->model;
	config->model = model_new();
	ck_assert_int_eq(config_seal(written, &e), 0);
	ck_assert_int_eq(discovery_configure(d, config, written), 0);
}

/* @registry and @source: more keys, "" for none. The second server is one when it listens. */
static void configure(const char *registry, const char *source)
{
	_cleanup_(freep) char *text = NULL;
	char other[32] = "";
	int n;

	if (second.port)
		snprintf(other, sizeof(other), ", \"127.0.0.1:%u\"", second.port);
	n = asprintf(&text,
		     "registries: [{name: names, type: dns, servers: [\"127.0.0.1:%u\"%s], min-ttl: 100ms, "
		     "backoff-max: 200ms, timeout: 100ms %s}]\n"
		     "services: [{name: web, address: 1.1.1.1:80, discover: {registry: names, %s}}]\n",
		     server.port, other, registry, source);
	ck_assert_int_gt(n, 0);
	load(text, (size_t)n);
}

/* "ADDRESS:PORT/PRIORITY/WEIGHT ...", shorter for 0 and 1. */
static const char *endpoints_now(void)
{
	const struct service *s;
	char text[ADDR_TEXT_LEN];
	size_t n = 0;

	model_free(MOVE(model, NULL));
	ck_assert_int_eq(discovery_model(d, written, &model), 0);
	s = model_find(model, "web");
	*endpoints = '\0';
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];

		n += (size_t)snprintf(endpoints + n, sizeof(endpoints) - n, "%s%s", i ? " " : "",
				      addr_port_format(&e->addr, e->port, text, sizeof(text)));
		if (e->priority || e->weight != 1)
			n += (size_t)snprintf(endpoints + n, sizeof(endpoints) - n, "/%u/%u", e->priority, e->weight);
	}
	return endpoints;
}

static void on_tick(uv_timer_t *t)
{
}

static void pass(unsigned ms)
{
	uint64_t until = uv_hrtime() + ms * 1000000ull;
	uv_timer_t tick;

	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 1, 1);
	while (uv_hrtime() < until)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void becomes(const char *want)
{
	for (unsigned ms = 0; ms < DEADLINE_MS && strcmp(endpoints_now(), want); ms += 5)
		pass(5);
	ck_assert_str_eq(endpoints_now(), want);
}

static int take_view(void *ctx, const struct source_view *v)
{
	*(struct source_view *)ctx = *v;
	return 0;
}

static struct source_view view(void)
{
	struct source_view v = { 0 };

	discovery_each_source(d, take_view, &v);
	return v;
}

static void source_becomes(enum source_state state)
{
	for (unsigned ms = 0; ms < DEADLINE_MS && view().state != state; ms += 5)
		pass(5);
	ck_assert_str_eq(source_state_name(view().state), source_state_name(state));
}

static void told(struct dns_server *s, const struct told *t)
{
	size_t i = 0;

	memset(s->told, 0, sizeof(s->told));
	for (; t->name; t++)
		s->told[i++] = *t;
}
#define TOLD(...) told(&server, (const struct told[]){ __VA_ARGS__, { 0 } })

#define A1                                                                                                             \
	{                                                                                                              \
		"shop.x", DNS_A, 0, "10.0.0.1"                                                                         \
	}
#define A2                                                                                                             \
	{                                                                                                              \
		"shop.x", DNS_A, 0, "10.0.0.2"                                                                         \
	}

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

/* ---- SRV ---- */

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

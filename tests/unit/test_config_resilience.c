/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The values that the keys of resilience come to; what is refused is in tests/config/bad. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "unit.h"

static struct model *model;
static struct config_error error;

static int read_lines(const char *lines)
{
	char text[1024];

	snprintf(text, sizeof(text), "services:\n  - {name: a, address: 10.0.0.1:80, %s}\n", lines);
	model_free(model);
	model = model_new();
	memset(&error, 0, sizeof(error));
	return config_parse_services("x", text, strlen(text), model, &error);
}

/* The service that @lines make. */
static const struct service *given(const char *lines)
{
	ck_assert_msg(!read_lines(lines), "%s: %s: %s", lines, error.key, error.text);
	return model->services[0];
}

START_TEST(nothing_written_is_the_defaults)
{
	_cleanup_(service_unrefp) struct service *s = service_new("a");
	struct weft_addr ip;

	ck_assert_int_eq(addr_parse("10.0.0.1", &ip), 0);
	ck_assert_int_eq(service_add_frontend(s, &(struct frontend){ .addr = ip, .port = 80 }), 0);
	ck_assert(service_equal(s, given("endpoints: []")));
}
END_TEST

START_TEST(udp_has_what_needs_handshakes_off)
{
	const struct service *s = given("failover: off, protocol: udp");

	ck_assert_uint_eq(s->connect_timeout_ms, 0);
	ck_assert(!s->failover && !s->ejection.on);
	ck_assert_uint_eq(s->drain_ms, 60000);
}
END_TEST

START_TEST(limits_take_numbers_and_off)
{
	const struct limits *l =
		&given("limits: {max-connections: 9, max-pending: off, connects-per-second: 7}")->limits;

	ck_assert_uint_eq(l->connections, 9);
	ck_assert_uint_eq(l->pending, 0);
	ck_assert_uint_eq(l->rate, 7);
	ck_assert_uint_eq(l->burst, 7);
	ck_assert_uint_eq(given("limits: {connects-per-second: 7, burst: 1}")->limits.burst, 1);
	ck_assert_uint_eq(given("limits: {max-pending: 100000000}")->limits.pending, 100000000);
}
END_TEST

START_TEST(defaults_give_way_to_what_is_written)
{
	ck_assert_uint_eq(given("ejection: {base-time: 1h}")->ejection.max_ms, 3600000);
	ck_assert_uint_eq(given("ejection: {max-time: 10ms}")->ejection.base_ms, 10);
	ck_assert_uint_eq(given("health-check: {type: tcp, interval: 100ms}")->check.timeout_ms, 100);
	ck_assert_uint_eq(given("health-check: {type: tcp, interval: 100ms, timeout: 100ms}")->check.timeout_ms, 100);
	ck_assert_uint_eq(given("health-check: {type: tcp, interval: 1h}")->check.timeout_ms, 1000);
}
END_TEST

START_TEST(success_rate_takes_decimals)
{
	static const struct {
		const char *text;
		unsigned stdev;
	} cases[] = { { "1", 1000 }, { "1.9", 1900 }, { "0.001", 1 }, { "10", 10000 }, { "2.05", 2050 } };
	static const char *const bad[] = { "1.", ".5", "01", "1.2345", "-1", "1e1", "10.001", "99999999", "1,5" };
	char text[128];

	for (int i = 0; i < UNIT_NR(cases); i++) {
		snprintf(text, sizeof(text), "ejection: {success-rate: {stdev-factor: %s}}", cases[i].text);
		ck_assert_uint_eq(given(text)->ejection.rate_stdev, cases[i].stdev);
		ck_assert_uint_eq(given(text)->ejection.rate_endpoints, 5);
	}
	for (int i = 0; i < UNIT_NR(bad); i++) {
		snprintf(text, sizeof(text), "ejection: {success-rate: {stdev-factor: '%s'}}", bad[i]);
		ck_assert_msg(read_lines(text) == -EINVAL, "%s was accepted", text);
	}
	ck_assert_uint_eq(given("ejection: {success-rate: off}")->ejection.rate_endpoints, 0);
}
END_TEST

START_TEST(short_forms_are_the_long_ones)
{
	static const char *const forms[][2] = {
		{ "slow-start: 30s", "slow-start: {window: 30s}" },
		{ "slow-start: 30s", "slow-start: {min-percent: 10, window: 30s}" },
		{ "zone-aware: on", "zone-aware: {}" },
		{ "zone-aware: on", "zone-aware: {min-endpoints: 6}" },
		{ "ejection: on", "ejection: {}" },
		{ "ejection: {success-rate: on}", "ejection: {success-rate: {min-endpoints: 5}}" },
		{ "breaker: on", "breaker: {error-percent: 50, min-connects: 20, sleep-window: 5s}" },
		{ "breaker: on", "breaker: {}" },
		{ "panic-threshold: off", "panic-threshold: 0" },
		{ "health-check: http", "health-check: {type: http, path: /, status: 200-399}" },
		{ "health-check: off", "connect-timeout: 5s" },
		{ "connect-timeout: off", "connect-timeout: 0" },
		{ "endpoints: [10.0.0.2:80]", "endpoints: [{address: 10.0.0.2:80, priority: 0, ready: true}]" },
	};

	for (int i = 0; i < UNIT_NR(forms); i++) {
		_cleanup_(service_unrefp) struct service *s = NULL;

		given(forms[i][0]);
		s = service_ref(model->services[0]);
		ck_assert_msg(service_equal(s, given(forms[i][1])), "%s is not %s", forms[i][0], forms[i][1]);
	}
}
END_TEST

START_TEST(checks_have_what_was_written)
{
	const struct health_check *c =
		&given("health-check: {type: grpc, tls: true, service: s, host: h, ca-file: /c, port: 9}")->check;

	ck_assert_uint_eq(c->type, HEALTH_GRPC);
	ck_assert(c->tls && c->tls_verify);
	ck_assert_str_eq(c->grpc_service, "s");
	ck_assert_str_eq(c->host, "h");
	ck_assert_str_eq(c->ca_file, "/c");
	ck_assert_uint_eq(c->port, 9);
	ck_assert_ptr_null(c->path);
	c = &given("health-check: {type: exec, command: [/c, '', b c]}")->check;
	ck_assert_str_eq(c->command[0], "/c");
	ck_assert_str_eq(c->command[1], "");
	ck_assert_str_eq(c->command[2], "b c");
	ck_assert_ptr_null(c->command[3]);
	c = &given("health-check: {type: http, status: 204}")->check;
	ck_assert_uint_eq(c->status_min, 204);
	ck_assert_uint_eq(c->status_max, 204);
	ck_assert_str_eq(c->path, "/");
}
END_TEST

START_TEST(endpoints_share_the_words_of_zones)
{
	const struct service *s = given("endpoints: [{address: 10.0.0.2:80, zone: z, ready: false, priority: 127}, "
					"{address: 10.0.0.3:80, zone: z}, 10.0.0.4:80]");

	ck_assert_str_eq(s->endpoints[0].zone, "z");
	ck_assert_ptr_eq(s->endpoints[0].zone, s->endpoints[1].zone);
	ck_assert_ptr_null(s->endpoints[2].zone);
	ck_assert(s->endpoints[0].unready && !s->endpoints[1].unready);
	ck_assert_uint_eq(s->endpoints[0].priority, 127);
}
END_TEST

START_TEST(many_words_and_patterns_are_refused)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char text[4096], words[1024] = "";

	for (int i = 0; i < 256; i++)
		memcpy(words + 2 * i, ",e", 3);
	snprintf(text, sizeof(text), "interfaces: {include: [e%s]}\n", words);
	ck_assert_int_eq(config_parse("x", text, strlen(text), &c, &error), -EINVAL);
	ck_assert_str_eq(error.text, "at most 256 patterns are read");
	for (int i = 0; i < 64; i++)
		memcpy(words + 2 * i, ",a", 3);
	snprintf(text, sizeof(text), "health-check: {type: exec, command: [/c%s]}", words);
	ck_assert_int_eq(read_lines(text), -EINVAL);
	ck_assert_str_eq(error.text, "a command has at most 64 words");
}
END_TEST

static void done(void)
{
	model_free(model);
	model = NULL;
}

static Suite *resilience_suite(void)
{
	Suite *s = suite_create("config resilience");
	TCase *t = tcase_create("values");

	tcase_add_checked_fixture(t, NULL, done);
	tcase_add_test(t, nothing_written_is_the_defaults);
	tcase_add_test(t, udp_has_what_needs_handshakes_off);
	tcase_add_test(t, limits_take_numbers_and_off);
	tcase_add_test(t, defaults_give_way_to_what_is_written);
	tcase_add_test(t, success_rate_takes_decimals);
	tcase_add_test(t, short_forms_are_the_long_ones);
	tcase_add_test(t, checks_have_what_was_written);
	tcase_add_test(t, endpoints_share_the_words_of_zones);
	tcase_add_test(t, many_words_and_patterns_are_refused);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(resilience_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Defaults and equality of what a service wants when its endpoints fail. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/service.h"
#include "unit.h"

static struct service *given_service(void)
{
	struct service *s = service_new("web");
	struct endpoint e = { .port = 80, .weight = 1, .zone = word_keep("a") };

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	return s;
}

START_TEST(a_new_service_has_the_defaults_of_resilience)
{
	_cleanup_(service_unrefp) struct service *s = service_new("web");
	static const struct limits none;

	ck_assert_uint_eq(s->connect_timeout_ms, 5000);
	ck_assert(s->failover && !s->zone_aware);
	ck_assert_uint_eq(s->drain_ms, 60000);
	ck_assert_uint_eq(s->slow_start_ms, 0);
	ck_assert_uint_eq(s->slow_start_percent, 10);
	ck_assert_uint_eq(s->panic_percent, 50);
	ck_assert_uint_eq(s->zone_endpoints, 6);
	ck_assert(limits_equal(&s->limits, &none));
	ck_assert(s->ejection.on);
	ck_assert_uint_eq(s->ejection.failures, 5);
	ck_assert_uint_eq(s->ejection.base_ms, 30000);
	ck_assert_uint_eq(s->ejection.max_ms, 300000);
	ck_assert_uint_eq(s->ejection.interval_ms, 10000);
	ck_assert_uint_eq(s->ejection.percent, 50);
	ck_assert_uint_eq(s->ejection.rate_endpoints, 0);
	ck_assert_uint_eq(s->ejection.rate_volume, 100);
	ck_assert_uint_eq(s->ejection.rate_stdev, 1900);
	ck_assert_uint_eq(s->breaker.percent, 0);
	ck_assert_uint_eq(s->breaker.volume, 20);
	ck_assert_uint_eq(s->breaker.sleep_ms, 5000);
	ck_assert_uint_eq(s->check.type, HEALTH_NONE);
	ck_assert_uint_eq(s->check.status_min, 200);
	ck_assert_uint_eq(s->check.status_max, 399);
	ck_assert(s->check.tls_verify);
}
END_TEST

START_TEST(words_are_kept_once)
{
	char word[16] = "rack-7";
	const char *kept = word_keep(word);

	ck_assert_str_eq(kept, "rack-7");
	ck_assert_ptr_ne(kept, word);
	word[5] = '8';
	ck_assert_ptr_ne(word_keep(word), kept);
	ck_assert_str_eq(kept, "rack-7");
	ck_assert_ptr_eq(word_keep("rack-7"), kept);
	for (unsigned i = 0; i < 2000; i++) { /* more than there are buckets */
		snprintf(word, sizeof(word), "z%u", i);
		ck_assert_str_eq(word_keep(word), word);
	}
	ck_assert_ptr_eq(word_keep("rack-7"), kept);
}
END_TEST

/* Each of these, one more than it was. */
#define NUMBERS(X)                                                                                                     \
	X(connect_timeout_ms)                                                                                          \
	X(drain_ms)                                                                                                    \
	X(slow_start_ms)                                                                                               \
	X(slow_start_percent)                                                                                          \
	X(panic_percent)                                                                                               \
	X(zone_endpoints)                                                                                              \
	X(limits.connections)                                                                                          \
	X(limits.pending)                                                                                              \
	X(limits.endpoint_connections)                                                                                 \
	X(limits.endpoint_pending)                                                                                     \
	X(limits.rate)                                                                                                 \
	X(limits.burst)                                                                                                \
	X(ejection.failures)                                                                                           \
	X(ejection.base_ms)                                                                                            \
	X(ejection.max_ms)                                                                                             \
	X(ejection.interval_ms)                                                                                        \
	X(ejection.percent)                                                                                            \
	X(ejection.rate_endpoints)                                                                                     \
	X(ejection.rate_volume)                                                                                        \
	X(ejection.rate_stdev)                                                                                         \
	X(breaker.percent)                                                                                             \
	X(breaker.volume)                                                                                              \
	X(breaker.sleep_ms)                                                                                            \
	X(check.type)                                                                                                  \
	X(check.jitter)                                                                                                \
	X(check.port)                                                                                                  \
	X(check.status_min)                                                                                            \
	X(check.status_max)                                                                                            \
	X(check.interval_ms)                                                                                           \
	X(check.timeout_ms)                                                                                            \
	X(check.rise)                                                                                                  \
	X(check.fall)                                                                                                  \
	X(endpoints[0].priority)
#define SWITCHES(X)                                                                                                    \
	X(failover)                                                                                                    \
	X(zone_aware)                                                                                                  \
	X(ejection.on)                                                                                                 \
	X(check.tls_verify)                                                                                            \
	X(check.tls)                                                                                                   \
	X(endpoints[0].unready)
#define TEXTS(X)                                                                                                       \
	X(path)                                                                                                        \
	X(host)                                                                                                        \
	X(expect)                                                                                                      \
	X(grpc_service)                                                                                                \
	X(ca_file)

static unsigned change_number(struct service *s, unsigned which)
{
	unsigned i = 0;

#define X(field)                                                                                                       \
	if (i++ == which)                                                                                              \
		s->field++;
	NUMBERS(X)
#undef X
#define X(field)                                                                                                       \
	if (i++ == which)                                                                                              \
		s->field = !s->field;
	SWITCHES(X)
#undef X
#define X(field)                                                                                                       \
	if (i++ == which)                                                                                              \
		s->check.field = strdup("x");
	TEXTS(X)
#undef X
	return i;
}

START_TEST(any_change_of_resilience_makes_services_unequal)
{
	unsigned nr = change_number(NULL, ~0u);

	ck_assert_uint_gt(nr, 40);
	for (unsigned i = 0; i < nr; i++) {
		_cleanup_(service_unrefp) struct service *a = given_service();
		_cleanup_(service_unrefp) struct service *b = given_service();

		ck_assert(service_equal(a, b));
		change_number(b, i);
		ck_assert_msg(!service_equal(a, b), "field %u is not compared", i);
		change_number(a, i);
		ck_assert_msg(service_equal(a, b), "field %u is compared by where it is", i);
	}
}
END_TEST

static char **given_command(const char *first, const char *second)
{
	char **command = calloc(3, sizeof(*command));

	command[0] = strdup(first);
	command[1] = second ? strdup(second) : NULL;
	return command;
}

START_TEST(commands_are_compared_word_by_word)
{
	struct health_check a, b;

	health_check_init(&a);
	health_check_init(&b);
	a.command = given_command("/bin/a", "x");
	ck_assert(!health_check_equal(&a, &b));
	b.command = given_command("/bin/a", "x");
	ck_assert(health_check_equal(&a, &b));
	b.command[1][0] = 'y';
	ck_assert(!health_check_equal(&a, &b));
	health_check_done(&b);
	b.command = given_command("/bin/a", NULL);
	ck_assert(!health_check_equal(&a, &b));
	ck_assert(!health_check_equal(&b, &a));
	health_check_done(&a);
	health_check_done(&b);
	ck_assert(health_check_equal(&a, &b));
	for (unsigned i = 0; i < HEALTH_MAX; i++)
		ck_assert_str_ne(health_name(i), "unknown");
	ck_assert_str_eq(health_name(HEALTH_MAX), "unknown");
	ck_assert_str_eq(health_text(HEALTH_MAX), "unknown");
}
END_TEST

START_TEST(another_zone_makes_services_unequal)
{
	_cleanup_(service_unrefp) struct service *a = given_service();
	_cleanup_(service_unrefp) struct service *b = given_service();

	ck_assert(service_equal(a, b));
	b->endpoints[0].zone = word_keep("b");
	ck_assert(!service_equal(a, b));
	b->endpoints[0].zone = NULL;
	ck_assert(!service_equal(a, b));
}
END_TEST

static Suite *resilience_suite(void)
{
	Suite *s = suite_create("resilience");
	TCase *t = tcase_create("values");

	tcase_add_test(t, a_new_service_has_the_defaults_of_resilience);
	tcase_add_test(t, words_are_kept_once);
	tcase_add_test(t, any_change_of_resilience_makes_services_unequal);
	tcase_add_test(t, commands_are_compared_word_by_word);
	tcase_add_test(t, another_zone_makes_services_unequal);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(resilience_suite());
}

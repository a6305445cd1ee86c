/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Checks that really run, against a listener and commands of this machine: what a reload keeps, what is shared, and how
 * it ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "health/health.h"
#include "unit.h"

static uv_loop_t loop;
static struct health *health;
static int listener = -1;
static uint16_t port; /* of the listener */
static unsigned nr_results, nr_sockets;
static struct health_result last; /* .service and .text are not kept */
static char last_text[HEALTH_TEXT_LEN], last_service[WEFT_NAME_LEN];
static bool known_healthy; /* what the kernel says of endpoints that are new to the checks */

static void on_socket(void *ctx, int fd, const struct weft_addr *addr, uint16_t to)
{
	nr_sockets++;
}

static bool is_healthy(void *ctx, const char *service, const struct weft_addr *addr, uint16_t of)
{
	return known_healthy;
}

static void on_result(void *ctx, const struct health_result *r)
{
	nr_results++;
	last = *r;
	snprintf(last_text, sizeof(last_text), "%s", r->text);
	snprintf(last_service, sizeof(last_service), "%s", r->service);
}

static void on_deadline(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Runs the loop until there are @nr results more. */
static void wait_results(unsigned nr)
{
	unsigned want = nr_results + nr;
	bool over = false;
	uv_timer_t deadline;

	uv_timer_init(&loop, &deadline);
	deadline.data = &over;
	uv_timer_start(&deadline, on_deadline, 10000, 0);
	while (nr_results < want && !over)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&deadline, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_msg(!over, "%u results, wanted %u", nr_results, want);
}

static void listen_again(uint16_t at)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(at) };
	socklen_t len = sizeof(in);
	int one = 1;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(listener, (const struct sockaddr *)(const void *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(listener, 1024), 0);
	getsockname(listener, (struct sockaddr *)(void *)&in, &len);
	port = ntohs(in.sin_port);
}

static void setup(void)
{
	const struct health_hooks hooks = { NULL, on_socket, is_healthy, on_result };

	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(health_new(&loop, &hooks, &health), 0);
	nr_results = nr_sockets = 0;
	known_healthy = false;
	listen_again(0);
}

static void teardown(void)
{
	health_free(MOVE(health, NULL));
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	closep(&listener);
	listener = -1;
}

/* A service with a check of its listener (ports from, from + 1, ...), quick to decide. */
static struct service *given_service(const char *name, unsigned nr, uint16_t from)
{
	struct service *s = service_new(name);

	s->check.type = HEALTH_TCP;
	s->check.interval_ms = 30;
	s->check.timeout_ms = 500;
	s->check.rise = 2;
	s->check.fall = 3;
	s->check.jitter = 10;
	for (unsigned i = 0; i < nr; i++) {
		struct endpoint e = { .port = (uint16_t)(from + i), .weight = 1 };

		weft_addr_set_v4(&e.addr, htonl(INADDR_LOOPBACK));
		ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	}
	service_sort(s);
	return s;
}

/* Makes them the model, and gives the references away. */
static void apply(struct service *a, struct service *b)
{
	struct model *m = model_new();
	struct service *all[] = { a, b };

	for (int i = 0; i < 2; i++) {
		if (!all[i])
			continue;
		ck_assert_int_eq(model_add(m, all[i]), 0);
		service_unref(all[i]);
	}
	ck_assert_int_eq(model_seal(m, &(const struct service *){ NULL }, &(const struct service *){ NULL },
				    &(const struct frontend *){ NULL }),
			 0);
	ck_assert_int_eq(health_apply(health, m), 0);
	model_free(m);
}

static char **words(const char *script)
{
	char **w = calloc(4, sizeof(char *));

	w[0] = strdup("/bin/sh");
	w[1] = strdup("-c");
	w[2] = strdup(script);
	return w;
}

static struct service *given_command(const char *name, const char *script)
{
	struct service *s = given_service(name, 1, 80);

	s->check.type = HEALTH_EXEC;
	s->check.command = words(script);
	return s;
}

static struct health_counts counts(void)
{
	struct health_counts *all, c;
	size_t nr;

	ck_assert_int_eq(health_counts(health, &all, &nr), 0);
	c = all[0];
	free(all);
	return c;
}

START_TEST(a_listener_is_healthy_until_it_is_closed)
{
	apply(given_service("web", 1, port), NULL);
	ck_assert_uint_eq(counts().unknown, 1);
	wait_results(1);
	ck_assert(last.healthy && last.changed && last.passed);
	ck_assert_str_eq(last_text, "connected");
	ck_assert_str_eq(last_service, "web");
	closep(&listener);
	listener = -1;
	while (last.healthy)
		wait_results(1);
	ck_assert(last.row == 3 && last.changed);
	ck_assert_str_eq(last_text, "Connection refused");
	listen_again(port);
	while (!last.healthy)
		wait_results(1);
	ck_assert(last.row == 2);
	ck_assert_uint_eq(counts().healthy, 1);
	ck_assert_uint_eq(counts().attempts, nr_results);
	ck_assert_uint_eq(nr_sockets, nr_results);
}
END_TEST

START_TEST(a_reload_keeps_what_is_known)
{
	struct service *s;

	apply(given_service("web", 1, port), NULL);
	wait_results(2);
	apply(given_service("web", 2, port), NULL); /* one more, which nobody listens for */
	ck_assert_uint_eq(counts().healthy, 1);
	ck_assert_uint_eq(counts().unknown, 1);
	ck_assert_uint_eq(counts().attempts, 2);
	wait_results(3);
	ck_assert_uint_eq(counts().unhealthy, 1);
	/* Another check: what the old one said holds until the new one says something. */
	s = given_service("web", 2, port);
	s->check.timeout_ms = 400;
	apply(s, NULL);
	ck_assert_uint_eq(counts().healthy, 1);
	ck_assert_uint_eq(counts().unhealthy, 1);
	wait_results(2);
	apply(NULL, NULL);
	wait_results(0);
	nr_results = 0;
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(nr_results, 0);
}
END_TEST

START_TEST(alike_checks_of_two_services_are_one)
{
	struct health_totals t;
	struct service *other = given_service("b", 1, port);

	apply(given_service("a", 1, port), other);
	health_totals(health, &t);
	ck_assert_uint_eq(t.targets, 1);
	wait_results(6);
	ck_assert_uint_eq(nr_sockets, 3);
	/* What one of them asks differently is another check. */
	other = given_service("b", 1, port);
	other->check.timeout_ms = 100;
	apply(given_service("a", 1, port), other);
	health_totals(health, &t);
	ck_assert_uint_eq(t.targets, 2);
	/* Rise and fall are of the check: who leaves, leaves it to the other. */
	apply(given_service("b", 1, port), NULL);
	health_totals(health, &t);
	ck_assert_uint_eq(t.targets, 1);
	wait_results(2);
	ck_assert_str_eq(last_service, "b");
}
END_TEST

START_TEST(what_took_connections_goes_on_until_its_check_fails)
{
	known_healthy = true;
	closep(&listener);
	listener = -1;
	apply(given_service("web", 1, port), NULL); /* as an agent that starts */
	ck_assert_uint_eq(counts().healthy, 1);
	wait_results(2);
	ck_assert(last.healthy && !last.passed);
	wait_results(1);
	ck_assert(!last.healthy && last.changed);
	apply(NULL, NULL);
	apply(given_service("web", 1, port), NULL); /* a check that came to endpoints in use */
	ck_assert_uint_eq(counts().healthy, 1);
	wait_results(1);
	ck_assert(!last.healthy && last.changed);
}
END_TEST

static const struct {
	const char *script, *text;
	bool passed;
} commands[] = {
	{ "exit 0", "exit 0", true },
	{ "echo fine; echo more", "exit 0: fine", true },
	{ "echo bad >&2; exit 3", "exit 3: bad", false },
	{ "kill -TERM $$", "killed by signal 15", false },
	{ "echo $WEFT_SERVICE $WEFT_ENDPOINT_ADDRESS $WEFT_ENDPOINT_PORT", "exit 0: web 127.0.0.1 80", true },
	{ "sleep 60 & sleep 60", "still running after 300 ms: killed", false },
	{ "yes | head -c 1000000", "exit 0: y", true },
	{ "exec <&- ; exec >&- 2>&-; exit 0", "exit 0", true },
	{ "sleep 61 & echo left one behind", "exit 0: left one behind", true },
	{ "read x || echo nothing to read", "exit 0: nothing to read", true },
	{ "pwd", "exit 0: /", true },
	{ "test -z \"$HOME\" && for i in 3 4 5 6 7 8 9; do test ! -e /proc/$$/fd/$i || echo $i; done; echo none else",
	  "exit 0: none else", true },
	{ "grep -cE '^Cap(Inh|Prm|Eff|Amb):.0+$' /proc/self/status", "exit 0: 4", true },
	{ "cat /proc/self/oom_score_adj", "exit 0: 0", true },
	{ "grep NoNewPrivs /proc/self/status", "exit 0: NoNewPrivs: 1", true },
	{ "grep -cE '^Sig(Blk|Ign):.0+$' /proc/self/status", "exit 0: 2", true },
};

START_TEST(a_command_is_judged_by_its_exit)
{
	struct service *s = given_command("web", commands[_i].script);

	s->check.timeout_ms = 300;
	s->check.interval_ms = 100000;
	signal(SIGPIPE, SIG_IGN);
	apply(s, NULL);
	wait_results(1);
	ck_assert_str_eq(last_text, commands[_i].text);
	ck_assert(last.passed == commands[_i].passed);
}
END_TEST

START_TEST(a_command_that_is_not_there)
{
	struct service *s = given_command("web", "");

	free(s->check.command[0]);
	s->check.command[0] = strdup("/nonexistent/check");
	apply(s, NULL);
	wait_results(1);
	ck_assert_str_eq(last_text, "cannot run /nonexistent/check: No such file or directory");
}
END_TEST

START_TEST(commands_are_done_for_each_service)
{
	struct health_totals t;

	apply(given_command("a", "exit 0"), given_command("b", "exit 0"));
	health_totals(health, &t);
	ck_assert_uint_eq(t.targets, 2);
	wait_results(2);
}
END_TEST

/* 300 that take their time: 32 at once, the others wait for them and are not forgotten. */
START_TEST(probes_at_once_are_limited)
{
	struct service *s = given_service("web", 0, 0);
	struct health_totals t = { 0 };
	unsigned most = 0;

	for (unsigned i = 0; i < 300; i++) {
		struct endpoint e = { .port = (uint16_t)(1 + i), .weight = 1 };

		weft_addr_set_v4(&e.addr, htonl(INADDR_LOOPBACK));
		ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	}
	service_sort(s);
	s->check.type = HEALTH_EXEC;
	s->check.command = words("sleep 0.05");
	apply(s, NULL);
	while (nr_results < 300) {
		wait_results(1);
		health_totals(health, &t);
		most = t.running > most ? t.running : most;
	}
	ck_assert_uint_eq(most, 32);
	ck_assert(t.late > 0);
}
END_TEST

/* No connection to a listener that is gone, an HTTP answer that never comes, a command: all end with the agent. */
START_TEST(ends_in_the_middle)
{
	struct service *s = given_service("http", 1, port);

	s->check.type = HEALTH_HTTP;
	s->check.timeout_ms = 60000;
	apply(s, given_command("z", "sleep 60"));
	for (int i = 0; i < 100; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_ONCE);
}
END_TEST

START_TEST(what_is_told_as_json)
{
	json_t *j, *e;

	apply(given_service("web", 1, port), given_command("x", "exit 1"));
	wait_results(4);
	j = health_json(health, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "endpoints")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "targets")), 2);
	json_decref(j);
	j = health_json(health, "x");
	ck_assert_uint_eq(json_array_size(json_object_get(j, "endpoints")), 1);
	e = json_array_get(json_object_get(j, "endpoints"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(e, "endpoint")), "127.0.0.1:80");
	ck_assert_str_eq(json_string_value(json_object_get(e, "state")), "unhealthy");
	ck_assert_str_eq(json_string_value(json_object_get(e, "check")), "exec");
	ck_assert_str_eq(json_string_value(json_object_get(e, "last_text")), "exit 1");
	ck_assert(json_is_false(json_object_get(e, "last_passed")));
	json_decref(j);
	j = health_json(NULL, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "endpoints")), 0);
	json_decref(j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("health-run");
	TCase *t = tcase_create("health-run");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_listener_is_healthy_until_it_is_closed);
	tcase_add_test(t, a_reload_keeps_what_is_known);
	tcase_add_test(t, alike_checks_of_two_services_are_one);
	tcase_add_test(t, what_took_connections_goes_on_until_its_check_fails);
	tcase_add_loop_test(t, a_command_is_judged_by_its_exit, 0, UNIT_NR(commands));
	tcase_add_test(t, a_command_that_is_not_there);
	tcase_add_test(t, commands_are_done_for_each_service);
	tcase_add_test(t, probes_at_once_are_limited);
	tcase_add_test(t, ends_in_the_middle);
	tcase_add_test(t, what_is_told_as_json);
	suite_add_tcase(s, t);
	return unit_run(s);
}

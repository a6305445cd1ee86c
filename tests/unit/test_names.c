/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Host names looked up for whoever wants them: who is told what and when. */
#include <errno.h>

#include "discovery/cares.h"
#include "discovery/names.h"
#include "dns_server.h"
#include "model/service.h"
#include "unit.h"

#define DEADLINE_MS 5000

static uv_loop_t loop;
static struct names *names;
static struct dns_server server;

struct wanter {
	struct name_want *want;
	unsigned called;
	char addrs[256];
	bool forgets, wants_more;
};
static struct wanter one, two, three;

static void on_answer(void *ctx, const struct weft_addr *addrs, size_t nr);

static void want(struct wanter *w, const char *host)
{
	ck_assert_int_eq(names_want(names, host, on_answer, w, &w->want), 0);
}

static void on_answer(void *ctx, const struct weft_addr *addrs, size_t nr)
{
	struct wanter *w = ctx;
	char text[ADDR_TEXT_LEN];
	size_t n = 0;

	w->called++;
	w->addrs[0] = '\0';
	for (size_t i = 0; i < nr; i++)
		n += (size_t)snprintf(w->addrs + n, sizeof(w->addrs) - n, "%s%s", i ? " " : "",
				      addr_format(&addrs[i], text, sizeof(text)));
	if (w->forgets)
		names_forget(MOVE(w->want, NULL));
	if (w->wants_more && !three.want)
		want(&three, "shop.x");
}

static void setup(void)
{
	static char text[32];
	static char *servers[2] = { text, NULL };
	struct cares_options o = { .servers = servers, .ndots = -1, .timeout_ms = 100 };

	memset(&server, 0, sizeof(server));
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	memset(&three, 0, sizeof(three));
	uv_loop_init(&loop);
	server_start(&server, &loop);
	snprintf(text, sizeof(text), "127.0.0.1:%u", server.port);
	ck_assert_int_eq(names_new_with(&loop, &o, &names), 0);
	names_set_ttl(names, 100, 300000);
}

static void teardown(void)
{
	names_forget(one.want);
	names_forget(two.want);
	names_forget(three.want);
	names_free(names, NULL, NULL);
	server_stop(&server);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
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

static void is_called(const struct wanter *w, unsigned times, const char *addrs)
{
	for (unsigned ms = 0; ms < DEADLINE_MS && w->called < times; ms += 5)
		pass(5);
	ck_assert_uint_eq(w->called, times);
	ck_assert_str_eq(w->addrs, addrs);
}

static void told(const struct told *t)
{
	size_t i = 0;

	memset(server.told, 0, sizeof(server.told));
	for (; t->name; t++)
		server.told[i++] = *t;
}
#define TOLD(...) told((const struct told[]){ __VA_ARGS__, { 0 } })

START_TEST(answers_are_sorted_and_told_once)
{
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.2" }, { "shop.x", DNS_A, 0, "10.0.0.1" },
	     { "shop.x", DNS_AAAA, 0, "fd00::1" });
	want(&one, "shop.x");
	ck_assert_uint_eq(one.called, 0);
	is_called(&one, 1, "10.0.0.1 10.0.0.2 fd00::1");
	pass(300); /* the same in another order is no news */
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.1" }, { "shop.x", DNS_A, 0, "10.0.0.2" },
	     { "shop.x", DNS_AAAA, 0, "fd00::1" });
	pass(300);
	ck_assert_uint_eq(one.called, 1);
	ck_assert_uint_ge(server.asked, 4);
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.3" });
	is_called(&one, 2, "10.0.0.3");
	ck_assert_ptr_null(names_error(one.want));
}
END_TEST

START_TEST(many_wants_are_one_question)
{
	TOLD({ "shop.x", DNS_A, 60, "10.0.0.1" });
	want(&one, "shop.x");
	want(&two, "SHOP.x");
	is_called(&one, 1, "10.0.0.1");
	is_called(&two, 1, "10.0.0.1");
	ck_assert_uint_eq(server.asked, 2);
	want(&three, "shop.x"); /* late, and told of what is known */
	ck_assert_uint_eq(three.called, 0);
	is_called(&three, 1, "10.0.0.1");
	ck_assert_uint_eq(server.asked, 2);
	ck_assert_uint_eq(one.called, 1);
}
END_TEST

START_TEST(no_such_name_is_an_answer)
{
	server.negative_ttl = 1;
	want(&one, "shop.x");
	is_called(&one, 1, "");
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.1" });
	is_called(&one, 2, "10.0.0.1");
	TOLD({ "other.x", DNS_A, 0, "10.0.0.1" });
	is_called(&one, 3, "");
}
END_TEST

START_TEST(failures_are_not_told)
{
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.1" });
	want(&one, "shop.x");
	is_called(&one, 1, "10.0.0.1");
	server.mode = MODE_SERVFAIL;
	for (unsigned ms = 0; ms < DEADLINE_MS && !names_error(one.want); ms += 5)
		pass(5);
	ck_assert_str_eq(names_error(one.want), "shop.x: the server answers SERVFAIL");
	want(&two, "shop.x");
	is_called(&two, 1, "10.0.0.1");
	ck_assert_uint_eq(one.called, 1);
	server.mode = MODE_ANSWER;
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.2" });
	is_called(&one, 2, "10.0.0.2");
	ck_assert_ptr_null(names_error(one.want));
}
END_TEST

START_TEST(one_may_forget_and_want_while_being_told)
{
	TOLD({ "shop.x", DNS_A, 60, "10.0.0.1" });
	one.forgets = two.forgets = two.wants_more = true;
	want(&one, "shop.x");
	want(&two, "shop.x");
	is_called(&three, 1, "10.0.0.1");
	ck_assert_uint_eq(one.called, 1);
	ck_assert_uint_eq(two.called, 1);
	ck_assert_ptr_null(one.want);
}
END_TEST

START_TEST(what_is_forgotten_is_not_told)
{
	TOLD({ "shop.x", DNS_A, 0, "10.0.0.1" });
	want(&one, "shop.x");
	for (int i = 0; i < _i; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	names_forget(MOVE(one.want, NULL));
	one.called = 0;
	pass(50);
	ck_assert_uint_eq(one.called, 0);
	want(&two, "shop.x");
	is_called(&two, 1, "10.0.0.1");
}
END_TEST

START_TEST(impossible_names_are_refused)
{
	ck_assert_int_eq(names_want(names, "a..b", on_answer, &one, &one.want), -EINVAL);
	ck_assert_int_eq(names_want(names, "", on_answer, &one, &one.want), -EINVAL);
}
END_TEST

START_TEST(the_hosts_file_comes_first)
{
	want(&one, "localhost");
	for (unsigned ms = 0; ms < DEADLINE_MS && !one.called; ms += 5)
		pass(5);
	ck_assert_ptr_nonnull(strstr(one.addrs, "127.0.0.1"));
	ck_assert_uint_eq(server.asked, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("names");
	TCase *c = tcase_create("names");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, answers_are_sorted_and_told_once);
	tcase_add_test(c, many_wants_are_one_question);
	tcase_add_test(c, no_such_name_is_an_answer);
	tcase_add_test(c, failures_are_not_told);
	tcase_add_test(c, one_may_forget_and_want_while_being_told);
	tcase_add_loop_test(c, what_is_forgotten_is_not_told, 0, 10);
	tcase_add_test(c, impossible_names_are_refused);
	tcase_add_test(c, the_hosts_file_comes_first);
	suite_add_tcase(s, c);
	return unit_run(s);
}

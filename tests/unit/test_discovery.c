/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sources of services: what is kept, what is combined, and what ends when. */
#include "paper.h"

/* ---- what is kept ---- */

START_TEST(what_is_found_is_published)
{
	configure(REGISTRY WEB);
	ck_assert_str_eq(endpoints_of("web"), "");
	ck_assert(!discovery_settled(d));
	FOUND(lookups[0], "10.0.0.2", "10.0.0.1");
	turn();
	ck_assert_uint_eq(changes, 1);
	ck_assert(discovery_settled(d));
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
}
END_TEST

START_TEST(the_same_again_is_no_change)
{
	const struct service *before;

	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	turn();
	endpoints_of("web");
	before = model_find(model, "web");
	FOUND(lookups[0], "10.0.0.1");
	turn();
	ck_assert_uint_eq(changes, 1);
	endpoints_of("web");
	ck_assert_ptr_eq(model_find(model, "web"), before);
}
END_TEST

START_TEST(failures_take_nothing_away)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	lookup_failed(lookups[0], "it is on fire");
	registry_failed(lookups[0]->registry, "so is all of it");
	turn();
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
}
END_TEST

START_TEST(words_of_servers_stay_on_their_line)
{
	configure(REGISTRY WEB);
	lookup_failed(lookups[0], "says \"%s\"", "a\nweft: all is well\x1b[2J\xff\xc3\xa9\xe2\x82\xed\xa0\x80");
	ck_assert_str_eq(lookups[0]->error, "says \"a?weft: all is well?[2J?\xc3\xa9?????\"");
	registry_failed(lookups[0]->registry, "%s", "\xf4\x90\x80\x80\xe2\x82\xac\t");
	ck_assert_str_eq(lookups[0]->registry->error, "????\xe2\x82\xac?");
}
END_TEST

START_TEST(an_empty_answer_is_not_believed)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	found(lookups[0], NULL);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
	FOUND(lookups[0], "10.0.0.2");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.2:80");
}
END_TEST

START_TEST(an_empty_answer_is_believed_when_that_is_written)
{
	configure(REGISTRY
		  "services: [{name: web, address: 1.1.1.1:80, discover: {registry: zk, prefix: /w, empty: clear}}]\n");
	FOUND(lookups[0], "10.0.0.1");
	found(lookups[0], NULL);
	ck_assert_str_eq(endpoints_of("web"), "");
}
END_TEST

START_TEST(an_answer_that_is_empty_from_the_start_is_one)
{
	configure(REGISTRY WEB);
	found(lookups[0], NULL);
	ck_assert(discovery_settled(d));
	ck_assert_str_eq(endpoints_of("web"), "");
}
END_TEST

/* ---- filters, ports, families ---- */

START_TEST(filters_look_at_labels)
{
	const struct label a[] = { { "az", "a" }, { "role", "canary" } }, b[] = { { "az", "a" } },
			   c[] = { { "az", "b" } };
	struct found f = { 0 };

	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: {registry: zk, prefix: /w, "
			   "filter: [az=a, role!=canary]}}]\n");
	found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 1, .labels = a, .nr_labels = 2 });
	found_add(&f, &(struct found_args){ .host = "10.0.0.2", .port = 1, .labels = b, .nr_labels = 1 });
	found_add(&f, &(struct found_args){ .host = "10.0.0.3", .port = 1, .labels = c, .nr_labels = 1 });
	found_add(&f, &(struct found_args){ .host = "10.0.0.4", .port = 1 });
	lookup_found(lookups[0], &f);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.2:1");
}
END_TEST

START_TEST(filters_ask_whether_a_label_is_there)
{
	const struct label a[] = { { "old", "" } };
	struct found f = { 0 };

	configure(REGISTRY
		  "services: [{name: in, address: 1.1.1.1:80, discover: {registry: zk, prefix: /w, filter: [old]}},"
		  " {name: out, address: 1.1.1.2:80, discover: {registry: zk, prefix: /w, filter: [\"!old\"]}}]\n");
	for (int i = 0; i < 2; i++) {
		found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 1, .labels = a, .nr_labels = 1 });
		found_add(&f, &(struct found_args){ .host = "10.0.0.2", .port = 1 });
		lookup_found(lookups[i], &f);
	}
	ck_assert_str_eq(endpoints_of("in"), "10.0.0.1:1");
	ck_assert_str_eq(endpoints_of("out"), "10.0.0.2:1");
}
END_TEST

START_TEST(a_port_that_is_written_counts)
{
	configure(REGISTRY
		  "services: [{name: web, address: 1.1.1.1:80, discover: {registry: zk, prefix: /w, port: 99}}]\n");
	FOUND(lookups[0], "10.0.0.1", "fd00::1");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:99");
}
END_TEST

START_TEST(doubles_and_odd_ones_do_no_harm)
{
	struct found f = { 0 };

	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 0 }), -EINVAL);
	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 65536 }), -EINVAL);
	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "", .port = 1 }), -EINVAL);
	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "10.0.0", .port = 1 }), -EINVAL);
	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "0.0.0.0", .port = 1 }), -EINVAL);
	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "a b", .port = 1 }), -EINVAL);
	ck_assert_uint_eq(f.nr, 0);
	found_done(&f);
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1", "10.0.0.1", "10.0.0.2");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
}
END_TEST

/* ---- several sources ---- */

#define TWO(how)                                                                                                       \
	REGISTRY "services: [{name: web, address: 1.1.1.1:80, combine: " how                                           \
		 ", discover: [{registry: zk, prefix: /a}, {registry: zk, prefix: /b}], endpoints: [10.0.9.9:80]}]\n"

START_TEST(union_is_all)
{
	configure(TWO("union"));
	FOUND(lookups[0], "10.0.0.1");
	FOUND(lookups[1], "10.0.0.2");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80 10.0.9.9:80");
}
END_TEST

START_TEST(first_is_the_first_in_use)
{
	struct found f = { 0 };

	configure(TWO("first"));
	found(lookups[0], NULL);
	found(lookups[1], NULL);
	ck_assert_str_eq(endpoints_of("web"), "10.0.9.9:80");
	FOUND(lookups[1], "10.0.0.2");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.2:80");
	FOUND(lookups[0], "10.0.0.1");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
	found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 80, .unready = true });
	lookup_found(lookups[0], &f);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
}
END_TEST

START_TEST(override_lets_the_last_count)
{
	struct found f = { 0 };

	for (int last = 0; last < 2; last++) {
		configure(last ? TWO("override") : TWO("union"));
		found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 80, .weight = &(uint32_t){ 3 } });
		lookup_found(lookups[0], &f);
		found_add(&f, &(struct found_args){ .host = "10.0.0.1", .port = 80, .weight = &(uint32_t){ 7 } });
		lookup_found(lookups[1], &f);
		endpoints_of("web");
		ck_assert_uint_eq(model_find(model, "web")->endpoints[0].weight, last ? 7 : 3);
	}
}
END_TEST

/* ---- changes of the config ---- */

START_TEST(lookups_go_on_while_their_source_stays)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	configure(REGISTRY
		  "services: [{name: web, address: 1.1.1.9:80, balance: random, discover: {registry: zk, prefix: "
		  "/web}}, {name: x, address: 1.1.1.1:80}]\n");
	ck_assert_uint_eq(started, 1);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
	ck_assert_uint_eq(model_find(model, "web")->frontends[0].addr.byte[15], 9);
}
END_TEST

START_TEST(another_source_is_not_empty_before_it_answers)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	endpoints_of("web");
	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: {registry: zk, prefix: /new}}]\n");
	ck_assert_uint_eq(stopped, 1);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
	FOUND(lookups[0], "10.0.0.2");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.2:80");
}
END_TEST

START_TEST(another_source_beside_the_first_may_be_empty)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	endpoints_of("web");
	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: [{registry: zk, prefix: /web}, "
			   "{registry: zk, prefix: /new}]}]\n");
	found(lookups[1], NULL);
	ck_assert(discovery_settled(d));
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
	FOUND(lookups[1], "10.0.0.2");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
	/* One that takes the place of the first is another matter: a slip of the pen. */
	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: {registry: zk, prefix: /slip}}]\n");
	found(lookups[0], NULL);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
}
END_TEST

START_TEST(another_registry_keeps_what_was_found)
{
	slow_stop = _i;
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	endpoints_of("web");
	configure("registries: [{name: zk, type: etcd, servers: [b]}]\n" WEB);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
	turn();
	if (slow_stop) {
		ck_assert_uint_eq(closed_nr, 0);
		forget(MOVE(stopping[0], NULL));
		turn();
	}
	ck_assert_uint_eq(opened, 2);
	ck_assert_uint_eq(closed_nr, 1);
	ck_assert_uint_eq(started, 2);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80");
}
END_TEST

START_TEST(services_and_registries_go)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1");
	configure(REGISTRY);
	ck_assert_uint_eq(stopped, 1);
	ck_assert_str_eq(endpoints_of("web"), "none");
	configure("services: []\n");
	turn();
	ck_assert_uint_eq(closed_nr, 1);
}
END_TEST

/* ---- another start ---- */

START_TEST(what_was_found_outlives_the_process)
{
	configure(REGISTRY WEB);
	FOUND(lookups[0], "10.0.0.1", "10.0.0.2");
	endpoints_of("web");
	end();
	given_discovery();
	configure(REGISTRY WEB);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
	ck_assert(!discovery_settled(d));
	/* A registry that lost its memory meanwhile. */
	found(lookups[0], NULL);
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.1:80 10.0.0.2:80");
	FOUND(lookups[0], "10.0.0.3");
	ck_assert_str_eq(endpoints_of("web"), "10.0.0.3:80");
}
END_TEST

static Suite *discovery_suite(void)
{
	Suite *s = suite_create("discovery");
	TCase *c = suite_paper(s);

	tcase_add_test(c, what_is_found_is_published);
	tcase_add_test(c, the_same_again_is_no_change);
	tcase_add_test(c, failures_take_nothing_away);
	tcase_add_test(c, words_of_servers_stay_on_their_line);
	tcase_add_test(c, an_empty_answer_is_not_believed);
	tcase_add_test(c, an_empty_answer_is_believed_when_that_is_written);
	tcase_add_test(c, an_answer_that_is_empty_from_the_start_is_one);
	tcase_add_test(c, filters_look_at_labels);
	tcase_add_test(c, filters_ask_whether_a_label_is_there);
	tcase_add_test(c, a_port_that_is_written_counts);
	tcase_add_test(c, doubles_and_odd_ones_do_no_harm);
	tcase_add_test(c, union_is_all);
	tcase_add_test(c, first_is_the_first_in_use);
	tcase_add_test(c, override_lets_the_last_count);
	tcase_add_test(c, lookups_go_on_while_their_source_stays);
	tcase_add_test(c, another_source_is_not_empty_before_it_answers);
	tcase_add_test(c, another_source_beside_the_first_may_be_empty);
	tcase_add_loop_test(c, another_registry_keeps_what_was_found, 0, 2);
	tcase_add_test(c, services_and_registries_go);
	tcase_add_test(c, what_was_found_outlives_the_process);
	return s;
}

int main(void)
{
	return unit_run(discovery_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries of whole services, what is registered, and how often anything is done. */
#include "paper.h"

/* ---- whole services ---- */

#define WHOLE "registries: [{name: whole, type: etcd, servers: [a]}]\n"

static void put(const char *name, const char *address, const char *endpoint)
{
	_cleanup_(service_unrefp) struct service *s = service_new(name);
	struct frontend f = { .port = 80 };
	struct endpoint e = { .port = 80, .weight = 1 };

	ck_assert_int_eq(addr_parse(address, &f.addr), 0);
	ck_assert_int_eq(addr_parse(endpoint, &e.addr), 0);
	ck_assert_int_eq(service_add_frontend(s, &f), 0);
	ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	registry_put(&papers[0]->r, s);
}

START_TEST(whole_services_come_and_go)
{
	configure(WHOLE);
	ck_assert(!discovery_settled(d));
	registry_sync_begin(&papers[0]->r);
	put("b", "1.1.1.2", "10.0.0.2");
	put("a", "1.1.1.1", "10.0.0.1");
	registry_sync_end(&papers[0]->r);
	ck_assert(discovery_settled(d));
	ck_assert_str_eq(endpoints_of("a"), "10.0.0.1:80");
	ck_assert_str_eq(endpoints_of("b"), "10.0.0.2:80");
	put("a", "1.1.1.1", "10.0.0.9");
	ck_assert_str_eq(endpoints_of("a"), "10.0.0.9:80");
	registry_drop(&papers[0]->r, "a");
	ck_assert_str_eq(endpoints_of("a"), "none");
	registry_sync_begin(&papers[0]->r);
	put("c", "1.1.1.3", "10.0.0.3");
	registry_sync_end(&papers[0]->r);
	ck_assert_str_eq(endpoints_of("b"), "none");
	ck_assert_str_eq(endpoints_of("c"), "10.0.0.3:80");
	/* It has lost its memory. */
	registry_sync_begin(&papers[0]->r);
	registry_sync_end(&papers[0]->r);
	ck_assert_str_eq(endpoints_of("c"), "10.0.0.3:80");
}
END_TEST

START_TEST(whole_services_outlive_process_and_settings)
{
	configure(WHOLE);
	registry_sync_begin(&papers[0]->r);
	put("a", "1.1.1.1", "10.0.0.1");
	registry_sync_end(&papers[0]->r);
	endpoints_of("a");
	configure("registries: [{name: whole, type: etcd, servers: [b]}]\n");
	ck_assert_str_eq(endpoints_of("a"), "10.0.0.1:80");
	end();
	given_discovery();
	configure(WHOLE);
	ck_assert_str_eq(endpoints_of("a"), "10.0.0.1:80");
}
END_TEST

START_TEST(the_files_go_before_registries)
{
	configure(WHOLE "services: [{name: a, address: 1.1.1.1:80, endpoints: [10.9.9.9:80]}]\n");
	registry_sync_begin(&papers[0]->r);
	put("a", "1.1.1.7", "10.0.0.1");
	put("b", "1.1.1.1", "10.0.0.2");
	put("c", "1.1.1.3", "10.0.0.3");
	registry_sync_end(&papers[0]->r);
	ck_assert_str_eq(endpoints_of("a"), "10.9.9.9:80");
	ck_assert_str_eq(endpoints_of("b"), "none");
	ck_assert_str_eq(endpoints_of("c"), "10.0.0.3:80");
}
END_TEST

static const char *address_of(const char *name)
{
	static char text[ADDR_TEXT_LEN];
	_cleanup_(model_freep) struct model *m = NULL;
	const struct service *s;

	ck_assert_int_eq(discovery_model(d, config->model, &m), 0);
	s = model_find(m, name);
	return s ? addr_port_format(&s->frontends[0].addr, s->frontends[0].port, text, sizeof(text)) : "none";
}

START_TEST(those_without_an_address_get_one)
{
	char *first;

	configure("addresses: 10.99.0.0/30\n" WHOLE);
	put("a", "0.0.0.0", "10.0.0.1");
	ck_assert_int_eq(strncmp(address_of("a"), "10.99.0.", 8), 0);
	first = strdup(address_of("a"));
	put("b", "0.0.0.0", "10.0.0.2");
	ck_assert_str_eq(address_of("a"), first);
	ck_assert_int_eq(strncmp(address_of("b"), "10.99.0.", 8), 0);
	ck_assert_str_ne(address_of("b"), first);
	/* There are two; and none of IPv6. */
	put("c", "0.0.0.0", "10.0.0.3");
	put("d", "::", "fd00::1");
	ck_assert_str_eq(address_of("d"), "none");
	ck_assert_str_eq(endpoints_of("a"), "10.0.0.1:80");
	configure(WHOLE);
	ck_assert_str_eq(address_of("a"), "none");
	free(first);
}
END_TEST

START_TEST(what_is_kept_in_a_sync)
{
	configure(WHOLE);
	registry_sync_begin(&papers[0]->r);
	put("a", "1.1.1.1", "10.0.0.1");
	put("b", "1.1.1.2", "10.0.0.2");
	registry_sync_end(&papers[0]->r);
	registry_sync_begin(&papers[0]->r);
	ck_assert(registry_keep(&papers[0]->r, "a"));
	ck_assert(!registry_keep(&papers[0]->r, "c"));
	registry_sync_end(&papers[0]->r);
	ck_assert_str_eq(endpoints_of("a"), "10.0.0.1:80");
	ck_assert_str_eq(endpoints_of("b"), "none");
}
END_TEST

/* ---- registering ---- */

#define REGISTER REGISTRY "register: [{name: web, registry: zk, prefix: /web, address: 10.0.0.5:80, labels: [az=a]}]\n"

static void set_up(bool up)
{
	struct weft_addr a;

	addr_parse("10.0.0.5", &a);
	discovery_set_up(d, "web", &a, 80, up);
}

START_TEST(nothing_is_registered_before_it_is_known)
{
	configure(REGISTER);
	ck_assert_uint_eq(announced, 0);
	set_up(true);
	ck_assert_uint_eq(announced, 1);
	ck_assert(announcements[0]->up);
	ck_assert_uint_eq(announcements[0]->nr_labels, 1);
	ck_assert_str_eq(announcements[0]->labels[0].key, "az");
	ck_assert_str_eq(announcements[0]->labels[0].value, "a");
	set_up(true);
	ck_assert_uint_eq(changed_up, 0);
	set_up(false);
	ck_assert_uint_eq(changed_up, 1);
	ck_assert(!announcements[0]->up);
}
END_TEST

START_TEST(flapping_is_slowed_down)
{
	configure(REGISTER);
	for (int i = 0; i < 40; i++)
		set_up(i % 2);
	ck_assert_uint_eq(announced, 1);
	ck_assert_uint_le(changed_up, 4);
}
END_TEST

START_TEST(what_is_no_longer_registered_is_taken_back)
{
	configure(REGISTER);
	set_up(true);
	configure(REGISTRY);
	ck_assert_uint_eq(withdrawn, 1);
	ck_assert_uint_eq(left, 0);
}
END_TEST

START_TEST(what_is_said_anew_at_the_same_place_is_not_taken_back)
{
	configure(REGISTER);
	set_up(true);
	configure(REGISTRY
		  "register: [{name: web, registry: zk, prefix: /web, address: 10.0.0.5:80, labels: [az=b], weight: 3, "
		  "ttl: 9s}]\n");
	ck_assert_uint_eq(withdrawn, 1);
	ck_assert_uint_eq(left, 1);
	set_up(true);
	ck_assert_uint_eq(announced, 2);
	configure(REGISTRY "register: [{name: web, registry: zk, prefix: /else, address: 10.0.0.5:80}]\n");
	ck_assert_uint_eq(withdrawn, 2);
	ck_assert_uint_eq(left, 1);
	set_up(true);
	ck_assert_uint_eq(announced, 3);
}
END_TEST

START_TEST(the_end_of_the_agent_is_not_that_of_what_it_registered)
{
	configure(REGISTER);
	set_up(true);
	end();
	ck_assert_uint_eq(withdrawn, 1);
	ck_assert_uint_eq(left, 1);
}
END_TEST

START_TEST(backoff_grows_and_differs)
{
	struct backoff b = { .first_ms = 100, .most_ms = 1000 };
	uint32_t last = 0, seen = 0;

	for (int i = 0; i < 6; i++) {
		uint32_t most = 100u << i > 1000 ? 1000 : 100u << i, ms = backoff_next(&b);

		ck_assert_uint_ge(ms, most / 2);
		ck_assert_uint_le(ms, most);
	}
	for (int i = 0; i < 32; i++) {
		uint32_t ms = backoff_next(&b);

		seen += ms != last;
		last = ms;
	}
	ck_assert_uint_gt(seen, 16);
	backoff_reset(&b);
	ck_assert_uint_le(backoff_next(&b), 100);
}
END_TEST

START_TEST(pace_lets_so_many_pass)
{
	struct pace p;
	unsigned passed = 0;

	pace_init(&p, 10, 5, 1000);
	for (uint64_t ms = 1000; ms < 3000; ms++)
		passed += pace_take(&p, ms) == 0;
	ck_assert_uint_ge(passed, 24);
	ck_assert_uint_le(passed, 25);
}
END_TEST

static Suite *registry_suite(void)
{
	Suite *s = suite_create("discovery of registries");
	TCase *c = suite_paper(s);

	tcase_add_test(c, whole_services_come_and_go);
	tcase_add_test(c, whole_services_outlive_process_and_settings);
	tcase_add_test(c, the_files_go_before_registries);
	tcase_add_test(c, those_without_an_address_get_one);
	tcase_add_test(c, what_is_kept_in_a_sync);
	tcase_add_test(c, nothing_is_registered_before_it_is_known);
	tcase_add_test(c, flapping_is_slowed_down);
	tcase_add_test(c, what_is_no_longer_registered_is_taken_back);
	tcase_add_test(c, what_is_said_anew_at_the_same_place_is_not_taken_back);
	tcase_add_test(c, the_end_of_the_agent_is_not_that_of_what_it_registered);
	tcase_add_test(c, backoff_grows_and_differs);
	tcase_add_test(c, pace_lets_so_many_pass);
	return s;
}

int main(void)
{
	return unit_run(registry_suite());
}

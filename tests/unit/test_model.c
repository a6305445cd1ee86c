/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/model.h"
#include "unit.h"

static struct weft_addr v4(unsigned ip)
{
	struct weft_addr a;

	weft_addr_set_v4(&a, htonl(ip));
	return a;
}

static struct service *given_service(const char *name, unsigned vip, uint16_t port)
{
	struct service *s = service_new(name);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(service_add_frontend(s, &(struct frontend){ .addr = v4(vip), .port = port }), 0);
	return s;
}

static void given_endpoint(struct service *s, unsigned ip, uint16_t port, uint16_t weight)
{
	ck_assert_int_eq(service_add_endpoint(s, &(struct endpoint){ .addr = v4(ip), .port = port, .weight = weight }),
			 0);
}

static void given_in_model(struct model *m, struct service *s)
{
	ck_assert_int_eq(model_add(m, s), 0);
	service_unref(s);
}

static const struct {
	const char *text;
	const char *form; /* NULL: refused */
	unsigned port;
} addresses[] = {
	{ "10.0.0.1:80", "10.0.0.1:80", 80 },
	{ "255.255.255.255:65535", "255.255.255.255:65535", 65535 },
	{ "0.0.0.0:1", "0.0.0.0:1", 1 },
	{ "[fd00::1]:80", "[fd00::1]:80", 80 },
	{ "[FD00:0:0::0001]:8080", "[fd00::1]:8080", 8080 },
	{ "[::]:1", "[::]:1", 1 },
	{ "", NULL, 0 },
	{ ":80", NULL, 0 },
	{ "10.0.0.1", NULL, 0 },
	{ "10.0.0.1:", NULL, 0 },
	{ "10.0.0.1:0", NULL, 0 },
	{ "10.0.0.1:65536", NULL, 0 },
	{ "10.0.0.1:4294967376", NULL, 0 },
	{ "10.0.0.1:080", NULL, 0 },
	{ "10.0.0.1:+80", NULL, 0 },
	{ "10.0.0.1: 80", NULL, 0 },
	{ "10.0.0.1:80 ", NULL, 0 },
	{ " 10.0.0.1:80", NULL, 0 },
	{ "10.0.0.1:8x", NULL, 0 },
	{ "10.0.0.256:80", NULL, 0 },
	{ "10.0.0.01:80", NULL, 0 },
	{ "010.0.0.1:80", NULL, 0 },
	{ "10.0.0:80", NULL, 0 },
	{ "10.0.0.1.2:80", NULL, 0 },
	{ "10..0.1:80", NULL, 0 },
	{ "0x10.0.0.1:80", NULL, 0 },
	{ "99999999999.0.0.1:80", NULL, 0 },
	{ "fd00::1:80", NULL, 0 },
	{ "[fd00::1]", NULL, 0 },
	{ "[fd00::1]80", NULL, 0 },
	{ "[fd00::1:80", NULL, 0 },
	{ "[10.0.0.1]:80", NULL, 0 },
	{ "[]:80", NULL, 0 },
	{ "[::ffff:10.0.0.1]:80", NULL, 0 },
	{ "[fe80::1%lo]:80", NULL, 0 },
	{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", NULL, 0 },
	{ "localhost:80", NULL, 0 },
};

START_TEST(addresses_and_ports_are_read_strictly)
{
	struct weft_addr addr, before;
	char text[ADDR_TEXT_LEN];
	uint16_t port = 7;
	int r;

	memset(&addr, 0x5a, sizeof(addr));
	before = addr;
	r = addr_port_parse(addresses[_i].text, &addr, &port);
	if (addresses[_i].form) {
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(port, addresses[_i].port);
		ck_assert_str_eq(addr_port_format(&addr, port, text, sizeof(text)), addresses[_i].form);
	} else {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_mem_eq(&addr, &before, sizeof(addr)); /* outputs untouched */
		ck_assert_uint_eq(port, 7);
	}
}
END_TEST

START_TEST(addresses_are_stored_mapped_and_written_back)
{
	char text[ADDR_TEXT_LEN];
	struct weft_addr a;

	ck_assert_int_eq(addr_parse("10.1.2.3", &a), 0);
	ck_assert_int_eq(weft_addr_is_v4(&a), 1);
	ck_assert_uint_eq(a.byte[12], 10);
	ck_assert_uint_eq(a.byte[15], 3);
	ck_assert_str_eq(addr_format(&a, text, sizeof(text)), "10.1.2.3");
	ck_assert_int_eq(addr_parse("2001:db8::9", &a), 0);
	ck_assert_int_eq(weft_addr_is_v4(&a), 0);
	ck_assert_str_eq(addr_format(&a, text, sizeof(text)), "2001:db8::9");
	ck_assert_int_eq(addr_parse("::ffff:1.2.3.4", &a), -EINVAL);
	ck_assert_int_eq(addr_parse("", &a), -EINVAL);
}
END_TEST

START_TEST(words_are_found_both_ways)
{
	for (int i = 0; i < WEFT_LB_MAX; i++) {
		ck_assert_int_eq(lb_from_name(lb_name((unsigned)i)), i);
		ck_assert_uint_gt(strlen(lb_text((unsigned)i)), 10);
	}
	for (int i = WEFT_CLIENT_NONE; i <= WEFT_CLIENT_WORKLOAD; i++)
		ck_assert_int_eq(client_from_name(client_name((unsigned)i)), i);
	ck_assert_int_eq(proto_from_name(proto_name(IPPROTO_TCP)), IPPROTO_TCP);
	ck_assert_int_eq(proto_from_name(proto_name(IPPROTO_UDP)), IPPROTO_UDP);
	ck_assert_int_eq(lb_from_name("fastest"), -EINVAL);
	ck_assert_int_eq(client_from_name(""), -EINVAL);
	ck_assert_int_eq(proto_from_name("TCP"), -EINVAL);
	ck_assert_str_eq(lb_name(WEFT_LB_MAX), "unknown");
	ck_assert_str_eq(client_name(99), "unknown");
	ck_assert_str_eq(proto_name(1), "unknown");
}
END_TEST

START_TEST(a_new_service_has_the_defaults)
{
	_cleanup_(service_unrefp) struct service *s = service_new("web");

	ck_assert_str_eq(s->name, "web");
	ck_assert_uint_eq(s->proto, IPPROTO_TCP);
	ck_assert_uint_eq(s->lb, WEFT_LB_P2C_EWMA);
	ck_assert_uint_eq(s->hash_by, WEFT_CLIENT_ADDRESS);
	ck_assert_uint_eq(s->affinity, WEFT_CLIENT_NONE);
	ck_assert_uint_eq(s->affinity_ms, 10800000);
	ck_assert_uint_eq(s->maglev_size, WEFT_MAGLEV_DEF);
	ck_assert_uint_eq(s->refs, 1);
}
END_TEST

START_TEST(endpoints_are_sorted_and_twins_found)
{
	_cleanup_(service_unrefp) struct service *s = given_service("web", 1, 80);

	for (unsigned i = 0; i < 1000; i++)
		given_endpoint(s, i * 7919 % 1000, 80, 1);
	ck_assert_int_eq(service_sort(s), -1);
	ck_assert_uint_eq(s->nr_endpoints, 1000);
	for (size_t i = 1; i < s->nr_endpoints; i++)
		ck_assert_int_lt(endpoint_compare(&s->endpoints[i - 1], &s->endpoints[i]), 0);
	given_endpoint(s, 500, 81, 1); /* grows again after it was shrunk */
	ck_assert_int_eq(service_sort(s), -1);
	ck_assert_uint_eq(s->endpoints[501].port, 81);
	given_endpoint(s, 500, 80, 9); /* the weight makes no difference */
	ck_assert_int_eq(service_sort(s), 501);
}
END_TEST

static void change_proto(struct service *s)
{
	s->proto = IPPROTO_UDP;
}

static void change_lb(struct service *s)
{
	s->lb = WEFT_LB_RANDOM;
}

static void change_hash_by(struct service *s)
{
	s->hash_by = WEFT_CLIENT_WORKLOAD;
}

static void change_affinity(struct service *s)
{
	s->affinity = WEFT_CLIENT_WORKLOAD;
}

static void change_timeout(struct service *s)
{
	s->affinity_ms++;
}

static void change_table(struct service *s)
{
	s->maglev_size = 7;
}

static void change_frontend(struct service *s)
{
	s->frontends[0].port++;
}

static void change_frontends(struct service *s)
{
	service_add_frontend(s, &(struct frontend){ .addr = v4(9), .port = 9 });
}

static void change_weight(struct service *s)
{
	s->endpoints[0].weight = 0;
}

static void change_endpoints(struct service *s)
{
	s->nr_endpoints--;
}

static void change_name(struct service *s)
{
	s->name[0] = 'W';
}

static void (*const changes[])(struct service *) = {
	change_proto, change_lb,       change_hash_by,	 change_affinity, change_timeout,   change_table,
	change_name,  change_frontend, change_frontends, change_weight,	  change_endpoints,
};

START_TEST(any_change_makes_services_unequal)
{
	_cleanup_(service_unrefp) struct service *a = given_service("web", 1, 80);
	_cleanup_(service_unrefp) struct service *b = given_service("web", 1, 80);

	given_endpoint(a, 2, 80, 1);
	given_endpoint(b, 2, 80, 1);
	b->line = 7;
	ck_assert(service_equal(a, b));
	changes[_i](b);
	ck_assert(!service_equal(a, b));
	ck_assert(service_equal(b, b));
}
END_TEST

START_TEST(a_sealed_model_is_sorted_and_searched)
{
	_cleanup_(model_freep) struct model *m = model_new();
	const struct service *first = NULL, *second = NULL;
	const struct frontend *f = NULL;
	char name[32];

	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0);
	ck_assert_ptr_null(model_find(m, "s1"));
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "s%u", i * 1009 % 3000);
		given_in_model(m, given_service(name, 1 + i / 2, (uint16_t)(80 + i % 2)));
		given_endpoint(m->services[i], i, 80, 1);
	}
	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0);
	for (size_t i = 1; i < m->nr; i++)
		ck_assert_int_lt(strcmp(m->services[i - 1]->name, m->services[i]->name), 0);
	ck_assert_str_eq(model_find(m, "s2999")->name, "s2999");
	ck_assert_ptr_null(model_find(m, "s3000"));
	ck_assert_ptr_null(model_find(m, ""));
	ck_assert_uint_eq(model_count_endpoints(m), 3000);
	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0); /* again does no harm */
}
END_TEST

START_TEST(collisions_name_both_services)
{
	_cleanup_(model_freep) struct model *m = model_new();
	const struct service *first = NULL, *second = NULL;
	const struct frontend *f = (void *)1;

	given_in_model(m, given_service("b", 1, 80));
	given_in_model(m, given_service("c", 2, 80));
	given_in_model(m, given_service("b", 3, 80));
	ck_assert_int_eq(model_seal(m, &first, &second, &f), -EEXIST);
	ck_assert_ptr_eq(first, m->services[0]);
	ck_assert_ptr_eq(second, m->services[2]);
	ck_assert_ptr_null(f);
}
END_TEST

START_TEST(an_address_belongs_to_one_service_per_protocol)
{
	_cleanup_(model_freep) struct model *m = model_new();
	const struct service *first = NULL, *second = NULL;
	const struct frontend *f = NULL;
	struct service *udp = given_service("udp", 1, 80);

	udp->proto = IPPROTO_UDP;
	given_in_model(m, given_service("tcp", 1, 80));
	given_in_model(m, udp);
	given_in_model(m, given_service("port", 1, 81));
	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0);
	given_in_model(m, given_service("a", 1, 80));
	ck_assert_int_eq(model_seal(m, &first, &second, &f), -EEXIST);
	ck_assert_str_eq(first->name, "tcp");
	ck_assert_str_eq(second->name, "a");
	ck_assert_uint_eq(f->port, 80);
}
END_TEST

static Suite *model_suite(void)
{
	Suite *s = suite_create("model");
	TCase *t = tcase_create("values");

	tcase_add_loop_test(t, addresses_and_ports_are_read_strictly, 0, UNIT_NR(addresses));
	tcase_add_test(t, addresses_are_stored_mapped_and_written_back);
	tcase_add_test(t, words_are_found_both_ways);
	tcase_add_test(t, a_new_service_has_the_defaults);
	tcase_add_test(t, endpoints_are_sorted_and_twins_found);
	tcase_add_loop_test(t, any_change_makes_services_unequal, 0, UNIT_NR(changes));
	tcase_add_test(t, a_sealed_model_is_sorted_and_searched);
	tcase_add_test(t, collisions_name_both_services);
	tcase_add_test(t, an_address_belongs_to_one_service_per_protocol);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(model_suite());
}

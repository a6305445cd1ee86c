/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses for services that have none: whole, stable, nobody's twice. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/pool.h"
#include "unit.h"

static struct pool *pool;
static struct model *filled, *filled_before;
static const struct service *bad;

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	ck_assert_msg(prefix_parse(text, &p) == 0, "%s", text);
	return p;
}

static void given_pool(const char *first, const char *second)
{
	struct prefix p[2] = { prefix_of(first) };

	if (second)
		p[1] = prefix_of(second);
	ck_assert_int_eq(pool_set(pool, p, second ? 2 : 1), 0);
}

static void setup(void)
{
	ck_assert_int_eq(pool_new(&pool), 0);
	bad = NULL;
}

static void teardown(void)
{
	pool_free(MOVE(pool, NULL));
	model_free(MOVE(filled, NULL));
	model_free(MOVE(filled_before, NULL));
}

/* @addr NULL: it lacks one. @endpoint NULL: none. */
static struct service *add(struct model *m, const char *name, const char *addr, const char *endpoint)
{
	struct service *s = service_new(name);
	struct frontend f = { .port = 80 };
	struct endpoint e = { .port = 80, .weight = 1 };

	if (addr)
		ck_assert_int_eq(addr_parse(addr, &f.addr), 0);
	ck_assert_int_eq(service_add_frontend(s, &f), 0);
	if (endpoint) {
		ck_assert_int_eq(addr_parse(endpoint, &e.addr), 0);
		ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	}
	ck_assert_int_eq(model_add(m, s), 0);
	service_unref(s);
	return s;
}

static void seal(struct model *m)
{
	const struct service *first, *second;
	const struct frontend *f;

	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0);
}

static int fill(const struct model *m)
{
	struct model *fresh = NULL;
	int r = pool_fill(pool, m, &fresh, &bad);

	if (r == 0) {
		model_free(filled_before);
		filled_before = filled;
		filled = fresh;
		seal(filled); /* no two have one address and port */
	}
	return r;
}

static const struct weft_addr *addr_of(const struct model *m, const char *name)
{
	const struct service *s = model_find(m, name);

	ck_assert_msg(s, "%s", name);
	return &s->frontends[0].addr;
}

static const char *text_of(const char *name)
{
	static char text[ADDR_TEXT_LEN];

	return addr_format(addr_of(filled, name), text, sizeof(text));
}

static struct model *crowd(unsigned from, unsigned to)
{
	struct model *m = model_new();
	char name[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "s%05u", i);
		add(m, name, NULL, NULL);
	}
	seal(m);
	return m;
}

static const struct {
	const char *text, *normal; /* NULL: refused */
	int r;
} prefixes[] = {
	{ "10.99.0.0/16", "10.99.0.0/16", 0 },
	{ "10.99.0.1/16", "10.99.0.0/16", -ERANGE },
	{ "10.99.255.255/32", "10.99.255.255/32", 0 },
	{ "10.255.255.255/9", "10.128.0.0/9", -ERANGE },
	{ "0.0.0.0/0", "0.0.0.0/0", 0 },
	{ "fd99::/64", "fd99::/64", 0 },
	{ "fd99::1/127", "fd99::/127", -ERANGE },
	{ "fd99::1/128", "fd99::1/128", 0 },
	{ "10.99.0.0", NULL, -EINVAL },
	{ "10.99.0.0/", NULL, -EINVAL },
	{ "10.99.0.0/33", NULL, -EINVAL },
	{ "10.99.0.0/016", NULL, -EINVAL },
	{ "10.99.0.0/-1", NULL, -EINVAL },
	{ "10.99.0.0/16 ", NULL, -EINVAL },
	{ "10.99.0/16", NULL, -EINVAL },
	{ "fd99::/129", NULL, -EINVAL },
	{ "fd99::/1000", NULL, -EINVAL },
	{ "/16", NULL, -EINVAL },
	{ "", NULL, -EINVAL },
};

START_TEST(ranges_are_read_strictly)
{
	char text[PREFIX_TEXT_LEN];
	struct prefix p;

	ck_assert_msg(prefix_parse(prefixes[_i].text, &p) == prefixes[_i].r, "%s", prefixes[_i].text);
	if (prefixes[_i].normal)
		ck_assert_str_eq(prefix_format(&p, text, sizeof(text)), prefixes[_i].normal);
}
END_TEST

START_TEST(ranges_know_what_is_in_them)
{
	struct prefix p = prefix_of("10.99.0.0/16"), in = prefix_of("10.99.7.0/24"), six = prefix_of("fd99::/64"),
		      all = prefix_of("0.0.0.0/0");
	struct weft_addr a;

	addr_parse("10.99.255.1", &a);
	ck_assert(prefix_has(&p, &a));
	ck_assert(!prefix_has(&six, &a));
	addr_parse("10.98.255.1", &a);
	ck_assert(!prefix_has(&p, &a));
	ck_assert(prefix_overlaps(&p, &in) && prefix_overlaps(&in, &p));
	ck_assert(!prefix_overlaps(&p, &six));
	ck_assert(!prefix_overlaps(&all, &six));
}
END_TEST

START_TEST(services_get_addresses_of_the_range)
{
	_cleanup_(model_freep) struct model *m = crowd(0, 1000);
	struct prefix p = prefix_of("10.99.0.0/16");

	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(m), 0);
	ck_assert_uint_eq(filled->nr, 1000);
	for (size_t i = 0; i < filled->nr; i++) {
		const struct weft_addr *a = &filled->services[i]->frontends[0].addr;

		ck_assert(prefix_has(&p, a));
		ck_assert(a->byte[14] || a->byte[15]);
		ck_assert(a->byte[14] != 255 || a->byte[15] != 255);
		ck_assert_uint_eq(filled->services[i]->frontends[0].port, 80);
	}
}
END_TEST

START_TEST(a_new_start_yields_the_same)
{
	_cleanup_(model_freep) struct model *m = crowd(0, 1000);

	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(m), 0);
	pool_free(pool);
	ck_assert_int_eq(pool_new(&pool), 0);
	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(m), 0);
	for (size_t i = 0; i < m->nr; i++)
		ck_assert(weft_addr_equal(&filled->services[i]->frontends[0].addr,
					  &filled_before->services[i]->frontends[0].addr));
}
END_TEST

START_TEST(who_comes_and_goes_moves_nobody)
{
	_cleanup_(model_freep) struct model *some = crowd(500, 1000), *all = crowd(0, 1500);

	given_pool("10.99.0.0/21", NULL);
	ck_assert_int_eq(fill(some), 0);
	ck_assert_int_eq(fill(all), 0);
	for (size_t i = 0; i < some->nr; i++) {
		const char *name = some->services[i]->name;

		ck_assert(weft_addr_equal(addr_of(filled, name), addr_of(filled_before, name)));
		ck_assert_ptr_eq(model_find(filled, name)->name, model_find(filled, name)->name);
	}
	ck_assert_int_eq(fill(some), 0);
	for (size_t i = 0; i < some->nr; i++)
		ck_assert(weft_addr_equal(addr_of(filled, some->services[i]->name),
					  addr_of(filled_before, some->services[i]->name)));
}
END_TEST

/* Of others the places depend on their names alone: a few of a thousand meet, and only those may differ. */
START_TEST(a_node_with_other_services_agrees_on_most)
{
	_cleanup_(model_freep) struct model *some = crowd(500, 1000), *all = crowd(0, 1000);
	size_t other = 0;

	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(some), 0);
	pool_free(pool);
	ck_assert_int_eq(pool_new(&pool), 0);
	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(all), 0);
	for (size_t i = 0; i < some->nr; i++)
		other += !weft_addr_equal(addr_of(filled, some->services[i]->name),
					  addr_of(filled_before, some->services[i]->name));
	ck_assert_uint_le(other, 10);
}
END_TEST

START_TEST(what_does_not_change_is_the_same_object)
{
	_cleanup_(model_freep) struct model *m = model_new(), *more = model_new();

	given_pool("10.99.0.0/16", NULL);
	add(m, "a", NULL, "10.0.0.1");
	add(m, "b", "10.96.0.1", "10.0.0.1");
	ck_assert_int_eq(fill(m), 0);
	ck_assert_ptr_eq(model_find(filled, "b"), model_find(m, "b"));
	ck_assert_uint_eq(model_find(filled, "a")->nr_endpoints, 1);
	model_add(more, model_find(m, "a"));
	add(more, "c", NULL, NULL);
	ck_assert_int_eq(fill(more), 0);
	ck_assert_ptr_eq(model_find(filled, "a"), model_find(filled_before, "a"));
	/* Another object of that name, written anew: another copy, the same address. */
	{
		_cleanup_(model_freep) struct model *again = model_new();

		add(again, "a", NULL, "10.0.0.2");
		ck_assert_int_eq(fill(again), 0);
	}
	ck_assert_ptr_ne(model_find(filled, "a"), model_find(filled_before, "a"));
	ck_assert(weft_addr_equal(addr_of(filled, "a"), addr_of(filled_before, "a")));
}
END_TEST

START_TEST(written_addresses_come_first)
{
	_cleanup_(model_freep) struct model *m = crowd(0, 1), *clash = model_new();

	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(m), 0);
	add(clash, "s00000", NULL, NULL);
	add(clash, "written", text_of("s00000"), NULL);
	ck_assert_int_eq(fill(clash), 0);
	ck_assert(!weft_addr_equal(addr_of(filled, "s00000"), addr_of(filled, "written")));
}
END_TEST

START_TEST(a_small_range_is_used_up)
{
	_cleanup_(model_freep) struct model *fits = crowd(0, 13), *more = crowd(0, 14), *over = model_new();

	given_pool("10.99.0.0/28", NULL);
	add(over, "written", "10.99.0.5", NULL);
	ck_assert_int_eq(fill(fits), 0);
	ck_assert_int_eq(fill(more), 0);
	for (size_t i = 0; i < more->nr; i++)
		model_add(over, more->services[i]);
	seal(over);
	ck_assert_int_eq(fill(over), -ENOSPC);
	ck_assert_ptr_nonnull(bad);
	/* What was there is there. */
	ck_assert_int_eq(fill(more), 0);
	for (size_t i = 0; i < more->nr; i++)
		ck_assert(weft_addr_equal(addr_of(filled, more->services[i]->name),
					  addr_of(filled_before, more->services[i]->name)));
}
END_TEST

START_TEST(tiny_ranges_have_no_ends)
{
	_cleanup_(model_freep) struct model *one = crowd(0, 1), *two = crowd(0, 2);

	given_pool("10.99.0.7/32", NULL);
	ck_assert_int_eq(fill(one), 0);
	ck_assert_str_eq(text_of("s00000"), "10.99.0.7");
	ck_assert_int_eq(fill(two), -ENOSPC);
	given_pool("10.99.0.8/31", NULL);
	ck_assert_int_eq(fill(two), 0);
	given_pool("fd99::8/128", NULL);
	ck_assert_int_eq(fill(one), 0);
	ck_assert_str_eq(text_of("s00000"), "fd99::8");
	given_pool("fd99::8/126", NULL);
	ck_assert_int_eq(fill(two), 0);
	ck_assert_str_ne(text_of("s00000"), "fd99::8");
}
END_TEST

START_TEST(the_family_is_that_of_the_endpoints)
{
	_cleanup_(model_freep) struct model *m = model_new(), *six = model_new();

	given_pool("10.99.0.0/16", "fd99::/32");
	add(m, "any", NULL, NULL);
	add(m, "four", NULL, "10.0.0.1");
	add(m, "six", NULL, "fd00::1");
	ck_assert_int_eq(fill(m), 0);
	ck_assert(weft_addr_is_v4(addr_of(filled, "any")));
	ck_assert(weft_addr_is_v4(addr_of(filled, "four")));
	ck_assert(!strncmp(text_of("six"), "fd99::", 6));
	given_pool("10.99.0.0/16", NULL);
	add(six, "six", NULL, "fd00::1");
	ck_assert_int_eq(fill(six), -EAFNOSUPPORT);
	ck_assert_str_eq(bad->name, "six");
}
END_TEST

START_TEST(a_full_range_is_followed_by_the_next)
{
	_cleanup_(model_freep) struct model *m = crowd(0, 10);

	given_pool("10.99.0.0/29", "10.98.0.0/29");
	ck_assert_int_eq(fill(m), 0);
}
END_TEST

START_TEST(other_ranges_give_other_addresses)
{
	_cleanup_(model_freep) struct model *m = crowd(0, 10);
	struct prefix p = prefix_of("10.98.0.0/16");

	given_pool("10.99.0.0/16", NULL);
	ck_assert_int_eq(fill(m), 0);
	given_pool("10.98.0.0/16", NULL);
	ck_assert_int_eq(fill(m), 0);
	for (size_t i = 0; i < m->nr; i++)
		ck_assert(prefix_has(&p, &filled->services[i]->frontends[0].addr));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *c = tcase_create("pool");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, ranges_are_read_strictly, 0, UNIT_NR(prefixes));
	tcase_add_test(c, ranges_know_what_is_in_them);
	tcase_add_test(c, services_get_addresses_of_the_range);
	tcase_add_test(c, a_new_start_yields_the_same);
	tcase_add_test(c, who_comes_and_goes_moves_nobody);
	tcase_add_test(c, a_node_with_other_services_agrees_on_most);
	tcase_add_test(c, what_does_not_change_is_the_same_object);
	tcase_add_test(c, written_addresses_come_first);
	tcase_add_test(c, a_small_range_is_used_up);
	tcase_add_test(c, tiny_ranges_have_no_ends);
	tcase_add_test(c, the_family_is_that_of_the_endpoints);
	tcase_add_test(c, a_full_range_is_followed_by_the_next);
	tcase_add_test(c, other_ranges_give_other_addresses);
	suite_add_tcase(s, c);
	return unit_run(s);
}

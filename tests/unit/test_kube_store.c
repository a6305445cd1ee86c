/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a Kubernetes registry has heard, and what has changed. */
#include "kube.h"
#include "registry/kube_store.h"

#define ONE_PORT "'clusterIP':'10.96.0.1','clusterIPs':['10.96.0.1'],'ports':[{'port':80}]"
#define HTTP	 "{'name':'','port':8080,'protocol':'TCP'}"

static char text[4096];

static struct kube_store store;

static void setup(void)
{
	kube_store_init(&store);
}

static void teardown(void)
{
	kube_store_done(&store);
}

static struct kube_slice *slice_of(const char *name, const char *of, unsigned nr)
{
	char o[4096];
	size_t len = (size_t)snprintf(o, sizeof(o),
				      "{'metadata':{'namespace':'shop','name':'%s','resourceVersion':'1','labels':{'"
				      "kubernetes.io/service-name':'%s'}},"
				      "'addressType':'IPv4','ports':[" HTTP "],'endpoints':[",
				      name, of);

	for (unsigned i = 0; i < nr; i++)
		len += (size_t)snprintf(o + len, sizeof(o) - len, "%s{'addresses':['10.1.0.%u']}", i ? "," : "", i + 1);
	snprintf(o + len, sizeof(o) - len, "]}");
	return kube_slice_of(o, NULL, NULL);
}

static struct kube_service *service_of(const char *name)
{
	char o[512];

	snprintf(o, sizeof(o),
		 "{'metadata':{'namespace':'shop','name':'%s','resourceVersion':'1'},'spec':{" ONE_PORT "}}", name);
	return kube_service_of(o);
}

/* Names of what has changed since last time, with the number of slices. */
static const char *dirty(void)
{
	struct kube_entry *e;

	*text = '\0';
	while ((e = kube_store_next(&store))) {
		unsigned nr = 0;

		for (struct kube_slice *s = e->slices; s; s = s->next)
			nr++;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%u ", e->node.key,
			 e->service ? "" : "!", nr);
		kube_store_settle(&store, e);
	}
	return text;
}

static const struct kube_mark one = { 1, 1 }, two = { 2, 1 };

START_TEST(changes_are_told_by_service)
{
	ck_assert_int_eq(kube_store_slice(&store, slice_of("a-1", "a", 2), two), 0);
	ck_assert_str_eq(dirty(), "shop/a!:1 ");
	ck_assert_int_eq(kube_store_service(&store, service_of("a"), one), 0);
	ck_assert_int_eq(kube_store_service(&store, service_of("b"), one), 0);
	ck_assert_int_eq(kube_store_slice(&store, slice_of("a-2", "a", 3), two), 0);
	ck_assert_str_eq(dirty(), "shop/a:2 shop/b:0 ");
	ck_assert_uint_eq(store.nr_endpoints, 5);
	/* A slice that moves to another Service changes both. */
	ck_assert_int_eq(kube_store_slice(&store, slice_of("a-1", "b", 1), two), 0);
	ck_assert_str_eq(dirty(), "shop/a:1 shop/b:1 ");
	ck_assert_uint_eq(store.nr_endpoints, 4);
	kube_store_remove(&store, true, "shop", "a-2");
	kube_store_remove(&store, true, "shop", "a-2");
	kube_store_remove(&store, false, "shop", "a");
	ck_assert_str_eq(dirty(), "shop/a!:0 ");
	ck_assert_ptr_null(kube_store_find(&store, "shop", "a"));
	ck_assert_str_eq(dirty(), "");
}
END_TEST

START_TEST(what_a_list_does_not_name_is_swept)
{
	const struct kube_mark later = { 1, 2 };
	const struct kube_id id = { .namespace = "shop", .name = "a" };
	uint64_t digest;

	kube_store_service(&store, service_of("a"), one);
	kube_store_service(&store, service_of("b"), one);
	kube_store_service(&store, service_of("c"), two);
	dirty();
	ck_assert_uint_eq(kube_store_count(&store, false, 1), 2);
	kube_store_touch(&store, false, &id, later, &digest);
	ck_assert_uint_eq(digest, 0);
	kube_store_sweep(&store, false, later);
	ck_assert_str_eq(dirty(), "shop/b!:0 ");
	ck_assert_ptr_nonnull(kube_store_find(&store, "shop", "c"));
	ck_assert_uint_eq(kube_store_count(&store, false, 1), 1);
}
END_TEST

START_TEST(many_are_found)
{
	char name[32];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		ck_assert_int_eq(kube_store_service(&store, service_of(name), one), 0);
	}
	for (unsigned i = 0; i < 5000; i += 2) {
		snprintf(name, sizeof(name), "s%u", i);
		kube_store_remove(&store, false, "shop", name);
	}
	while (kube_store_next(&store))
		;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		ck_assert(!!kube_store_find(&store, "shop", name)->service == i % 2);
	}
	ck_assert_ptr_null(kube_store_find(&store, "shop/s1", ""));
	ck_assert_ptr_null(kube_store_find(&store, "sho", "p/s1"));
	ck_assert_uint_eq(kube_store_count(&store, false, 1), 2500);
}
END_TEST

static Suite *kube_suite(void)
{
	Suite *s = suite_create("kubernetes, stored");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, changes_are_told_by_service);
	tcase_add_test(t, what_a_list_does_not_name_is_swept);
	tcase_add_test(t, many_are_found);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(kube_suite());
}

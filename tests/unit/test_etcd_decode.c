/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What etcd's gateway says, and what it is asked; base64; endpoints as Nerve writes them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/base64.h"
#include "registry/etcd_decode.h"
#include "registry/instance_json.h"
#include "unit.h"

#define RANGE(more, kvs) "{\"header\":{\"revision\":\"7\"},\"more\":" more ",\"kvs\":[" kvs "],\"count\":\"2\"}"
/* /s/a = {"host":"10.0.0.1","port":80}; /s/b = 10.0.0.2:81 */
#define KV_A "{\"key\":\"L3MvYQ==\",\"mod_revision\":\"5\",\"value\":\"eyJob3N0IjoiMTAuMC4wLjEiLCJwb3J0Ijo4MH0=\"}"
#define KV_B "{\"key\":\"L3MvYg==\",\"value\":\"MTAuMC4wLjI6ODE=\"}"

static const struct {
	const char *plain, *coded;
} vectors[] = { { "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" } }; /* RFC 4648 */

START_TEST(base64_both_ways)
{
	_cleanup_(freep) char *coded = base64_encode(vectors[_i].plain, strlen(vectors[_i].plain));
	_cleanup_(freep) char *plain = NULL;
	size_t len = 99;

	ck_assert_str_eq(coded, vectors[_i].coded);
	plain = base64_decode(coded, &len);
	ck_assert_str_eq(plain, vectors[_i].plain);
	ck_assert_uint_eq(len, strlen(vectors[_i].plain));
}
END_TEST

static const char *const no_base64[] = { "a", "ab", "abc", "a===", "ab=c", "=abc", "ab c", "Zg=\n", "Zm9v=" };

START_TEST(what_is_no_base64_is_refused)
{
	size_t len;

	ck_assert_ptr_null(base64_decode(no_base64[_i], &len));
}
END_TEST

static const struct {
	const char *text, *fallback;
	int r;
	const char *at; /* "address:port weight name" */
} instances[] = {
	{ "{\"host\":\"10.0.0.1\",\"port\":80}", NULL, 0, "10.0.0.1:80 1 -" },
	{ "{\"host\":\"10.0.0.1\",\"port\":\"80\",\"weight\":\"7\",\"name\":\"n\"}", NULL, 0, "10.0.0.1:80 7 n" },
	{ " {\"host\":\"fd00::1\",\"port\":80,\"weight\":0}\n", NULL, 0, "[fd00::1]:80 0 -" },
	{ "{\"host\":\"10.0.0.1\",\"port\":80,\"weight\":99999}", NULL, 0, "10.0.0.1:80 1000 -" },
	{ "10.0.0.1:80", NULL, 0, "10.0.0.1:80 1 -" },
	{ "[fd00::1]:80\n", NULL, 0, "[fd00::1]:80 1 -" },
	{ "", "10.0.0.9:9", 0, "10.0.0.9:9 1 -" },
	{ "", NULL, -EINVAL, NULL },
	{ "{\"host\":\"10.0.0.1\"}", NULL, -EINVAL, NULL },
	{ "{\"port\":80}", NULL, -EINVAL, NULL },
	{ "{\"host\":\"10.0.0.1\",\"port\":0}", NULL, -EINVAL, NULL },
	{ "{\"host\":\"10.0.0.1\",\"port\":70000}", NULL, -EINVAL, NULL },
	{ "{\"host\":\"10.0.0.1\",\"port\":-1}", NULL, -EINVAL, NULL },
	{ "{\"host\":1,\"port\":80}", NULL, -EINVAL, NULL },
	{ "{\"host\":\"10.0.0.1\",\"port\":80", NULL, -EINVAL, NULL },
	{ "[]", NULL, -EINVAL, NULL },
	{ "10.0.0.1", NULL, -EINVAL, NULL },
	{ "10.0.0.1:x", NULL, -EINVAL, NULL },
	{ "hello world", NULL, -EINVAL, NULL },
};

START_TEST(instances_are_read)
{
	struct found f = { 0 };
	char text[160], at[ADDR_TEXT_LEN];

	ck_assert_int_eq(
		instance_read(instances[_i].text, strlen(instances[_i].text), "id", instances[_i].fallback, &f),
		instances[_i].r);
	ck_assert_uint_eq(f.nr, !instances[_i].r);
	if (f.nr) {
		const struct found_endpoint *e = &f.at[0];

		snprintf(text, sizeof(text), "%s %u %s",
			 addr_port_format(&e->endpoint.addr, e->endpoint.port, at, sizeof(at)), e->endpoint.weight,
			 e->name ? e->name : "-");
		ck_assert_str_eq(text, instances[_i].at);
		ck_assert_str_eq(e->id, "id");
	}
	found_done(&f);
}
END_TEST

START_TEST(hosts_and_labels_are_kept)
{
	static const char text[] =
		"{\"host\":\"db.example\",\"port\":1,\"labels\":{\"az\":\"a\",\"n\":1},\"zone\":\"z\"}";
	struct found f = { 0 };

	ck_assert_int_eq(instance_read(text, strlen(text), NULL, NULL, &f), 0);
	ck_assert_str_eq(f.at[0].host, "db.example");
	ck_assert_str_eq(found_label(&f.at[0], "az"), "a");
	ck_assert_ptr_null(found_label(&f.at[0], "n"));
	ck_assert_str_eq(f.at[0].endpoint.zone, "z");
	found_done(&f);
}
END_TEST

START_TEST(instances_are_written_in_nerves_order)
{
	const struct label l[] = { { "b", "1" }, { "a", "2" } };
	const uint16_t weight = 5;
	_cleanup_(freep) char *text = instance_write(&(struct instance){
		.host = "10.0.0.1", .name = "i-1", .port = 80, .weight = &weight, .labels = l, .nr_labels = 2 });

	ck_assert_str_eq(text,
			 "{\"host\":\"10.0.0.1\",\"port\":80,\"name\":\"i-1\",\"weight\":5,\"labels\":{\"b\":\"1\","
			 "\"a\":\"2\"}}");
}
END_TEST

START_TEST(a_range_becomes_endpoints)
{
	static const char page1[] = RANGE("true", KV_B), page2[] = RANGE("false", KV_A);
	struct etcd_keys k = { 0 };
	struct etcd_range range;
	struct found f = { 0 };
	size_t odd;

	ck_assert_int_eq(etcd_read_range(page1, strlen(page1), &k, &range), 0);
	ck_assert(range.more);
	ck_assert_int_eq(range.revision, 7);
	ck_assert_int_eq(etcd_read_range(page2, strlen(page2), &k, &range), 0);
	ck_assert(!range.more);
	ck_assert_int_eq(etcd_found(&k, &f, &odd), 0);
	ck_assert_uint_eq(f.nr, 2);
	ck_assert_uint_eq(odd, 0);
	ck_assert_str_eq(f.at[0].id, "a"); /* sorted by key, whatever the order of pages */
	ck_assert_uint_eq(f.at[1].endpoint.port, 81);
	found_done(&f);
	etcd_keys_done(&k);
}
END_TEST

static const char *const no_ranges[] = { "",
					 "{}",
					 "[]",
					 "{\"header\":{\"revision\":\"x\"}}",
					 RANGE("false", "{}"),
					 RANGE("false", "{\"key\":\"%\"}"),
					 RANGE("false", "7"),
					 "{\"header\":{\"revision\":\"7\"},\"kvs\":7}",
					 "{\"error\":\"no\",\"code\":16}" };

START_TEST(what_is_no_range_is_refused)
{
	struct etcd_keys k = { 0 };
	struct etcd_range range;

	ck_assert_int_eq(etcd_read_range(no_ranges[_i], strlen(no_ranges[_i]), &k, &range), -EPROTO);
	etcd_keys_done(&k);
}
END_TEST

START_TEST(a_watch_changes_keys)
{
	static const char created[] = "{\"result\":{\"header\":{\"revision\":\"7\"},\"created\":true}}";
	static const char put[] = "{\"result\":{\"header\":{\"revision\":\"9\"},\"events\":[{\"kv\":" KV_A
				  "},{\"kv\":" KV_B "}]}}";
	static const char gone[] =
		"{\"result\":{\"header\":{\"revision\":\"10\"},\"events\":[{\"type\":\"DELETE\",\"kv\":{"
		"\"key\":\"L3MvYQ==\"}}]}}";
	static const char compacted[] = "{\"result\":{\"canceled\":true,\"compact_revision\":\"12\"}}";
	static const char error[] = "{\"error\":{\"message\":\"it burns\"}}";
	struct etcd_keys k = { 0 };
	struct etcd_news n;

	ck_assert_int_eq(etcd_read_watch(created, strlen(created), &k, &n), 0);
	ck_assert(n.created && !n.events);
	ck_assert_int_eq(etcd_read_watch(put, strlen(put), &k, &n), 0);
	ck_assert_uint_eq(n.events, 2);
	ck_assert_int_eq(n.revision, 9);
	ck_assert_uint_eq(k.nr, 2);
	ck_assert_int_eq(etcd_read_watch(gone, strlen(gone), &k, &n), 0);
	ck_assert_uint_eq(k.nr, 1);
	ck_assert_str_eq(k.at[0].key, "/s/b");
	ck_assert_int_eq(etcd_read_watch(compacted, strlen(compacted), &k, &n), 0);
	ck_assert(n.canceled);
	ck_assert_int_eq(n.compact_revision, 12);
	ck_assert_int_eq(etcd_read_watch(error, strlen(error), &k, &n), 0);
	ck_assert(n.error);
	ck_assert_str_eq(n.text, "it burns");
	ck_assert_int_eq(etcd_read_watch("{}", 2, &k, &n), -EPROTO);
	etcd_keys_done(&k);
}
END_TEST

START_TEST(questions_are_as_etcd_wants_them)
{
	struct etcd_key after = { .key = "/s/a", .key_len = 4 };
	_cleanup_(freep) char *range = etcd_range_body("/s/", NULL, 0, 10),
			      *next = etcd_range_body("/s/", &after, 7, 10);
	_cleanup_(freep) char *all = etcd_range_body("", NULL, 0, 1), *watch = etcd_watch_body("/s/", 8);
	_cleanup_(freep) char *put = etcd_put_body("k", "v", 77), *gone = etcd_delete_body("k");

	ck_assert_str_eq(range, "{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\",\"limit\":10}");
	ck_assert_str_eq(next, "{\"key\":\"L3MvYQA=\",\"range_end\":\"L3Mw\",\"limit\":10,\"revision\":\"7\"}");
	ck_assert_str_eq(all, "{\"key\":\"\",\"range_end\":\"AA==\",\"limit\":1}");
	ck_assert_str_eq(watch, "{\"create_request\":{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\",\"start_revision\":\"8\","
				"\"progress_notify\":true}}");
	ck_assert_str_eq(put, "{\"key\":\"aw==\",\"value\":\"dg==\",\"lease\":\"77\"}");
	ck_assert_str_eq(gone, "{\"key\":\"aw==\"}");
}
END_TEST

static Suite *etcd_suite(void)
{
	Suite *s = suite_create("etcd");
	TCase *c = tcase_create("decode");

	tcase_add_loop_test(c, base64_both_ways, 0, UNIT_NR(vectors));
	tcase_add_loop_test(c, what_is_no_base64_is_refused, 0, UNIT_NR(no_base64));
	tcase_add_loop_test(c, instances_are_read, 0, UNIT_NR(instances));
	tcase_add_test(c, hosts_and_labels_are_kept);
	tcase_add_test(c, instances_are_written_in_nerves_order);
	tcase_add_test(c, a_range_becomes_endpoints);
	tcase_add_loop_test(c, what_is_no_range_is_refused, 0, UNIT_NR(no_ranges));
	tcase_add_test(c, a_watch_changes_keys);
	tcase_add_test(c, questions_are_as_etcd_wants_them);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(etcd_suite());
}

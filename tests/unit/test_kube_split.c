/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The stream of a Kubernetes API server, cut into objects, and what is around them. */
#include <errno.h>
#include <string.h>

#include "registry/kube_events.h"
#include "registry/kube_split.h"
#include "unit.h"

static char cut[1024]; /* objects, each followed by "|" */

static int on_item(void *ctx, const char *text, size_t len)
{
	size_t at = strlen(cut);

	snprintf(cut + at, sizeof(cut) - at, "%.*s|", (int)len, text);
	return 0;
}

/* In pieces of @step bytes. */
static int feed(struct kube_split *s, const char *text, size_t step)
{
	size_t len = strlen(text);
	int r = 0;

	*cut = '\0';
	for (size_t i = 0; !r && i < len; i += step)
		r = kube_split_feed(s, text + i, len - i < step ? len - i : step);
	return r ? r : kube_split_end(s);
}

static const struct {
	bool list;
	const char *text, *items, *rest;
	int r;
} streams[] = {
	{ true, "{\"kind\":\"L\",\"items\":[{\"a\":1},{\"b\":[{}]}],\"x\":{\"items\":[{}]}}", "{\"a\":1}|{\"b\":[{}]}|",
	  "{\"kind\":\"L\",\"items\":[],\"x\":{\"items\":[{}]}}", 0 },
	{ true, "{\"items\":[ ],\"m\":\"}]\\\"{[\"}", "", "{\"items\":[],\"m\":\"}]\\\"{[\"}", 0 },
	{ true, "{\"items\":[{\"s\":\"}\\\\\\\"]\"}\n,\t{}]}", "{\"s\":\"}\\\\\\\"]\"}|{}|", "{\"items\":[]}", 0 },
	{ true, "{\"kind\":\"items\",\"other\":[{}]}", "", "{\"kind\":\"items\",\"other\":[{}]}", 0 },
	{ true, "{\"items\":null}", "", "{\"items\":null}", 0 },
	{ true, "{\"items\":[1]}", "", NULL, -EBADMSG },
	{ true, "{\"items\":[{]}", "{]|", NULL, -EBADMSG }, /* the parser of the object refuses it */
	{ true, "{\"items\":[{\"a\":1}", "{\"a\":1}|", NULL, -EBADMSG },
	{ true, "", "", NULL, -EBADMSG },
	{ true, "}", "", NULL, -EBADMSG },
	{ false, "{\"type\":\"A\"}\n{\"type\":\"B\",\"o\":{}}\n", "{\"type\":\"A\"}|{\"type\":\"B\",\"o\":{}}|", NULL,
	  0 },
	{ false, "", "", NULL, 0 },
	{ false, "{}{}", "{}|{}|", NULL, 0 },
	{ false, "{\"a\":", "", NULL, -EBADMSG },
	{ false, "{} garbage", "{}|", NULL, -EBADMSG },
	{ false, "[{}]", "", NULL, -EBADMSG },
};

START_TEST(streams_are_cut)
{
	for (size_t step = 1; step < 80; step++) {
		struct kube_split s;

		kube_split_init(&s, streams[_i].list, on_item, NULL);
		ck_assert_int_eq(feed(&s, streams[_i].text, step), streams[_i].r);
		ck_assert_str_eq(cut, streams[_i].items);
		if (streams[_i].rest) {
			ck_assert_uint_eq(s.rest.len, strlen(streams[_i].rest));
			ck_assert(!memcmp(s.rest.at, streams[_i].rest, s.rest.len));
		}
		kube_split_done(&s);
	}
}
END_TEST

static int refuse(void *ctx, const char *text, size_t len)
{
	return -EPERM;
}

START_TEST(cutting_has_an_end)
{
	static char blanks[65536];
	struct kube_split s;
	int r = 0;

	memset(blanks, ' ', sizeof(blanks));
	kube_split_init(&s, true, on_item, NULL);
	ck_assert_int_eq(kube_split_feed(&s, "{\"items\":[{", 11), 0);
	for (int i = 0; !r && i < 1000; i++)
		r = kube_split_feed(&s, blanks, sizeof(blanks));
	ck_assert_int_eq(r, -E2BIG);
	kube_split_done(&s);
	kube_split_init(&s, true, on_item, NULL);
	for (int i = r = 0; !r && i < 1000; i++)
		r = kube_split_feed(&s, blanks, sizeof(blanks));
	ck_assert_int_eq(r, -E2BIG);
	kube_split_done(&s);
	kube_split_init(&s, false, refuse, NULL);
	ck_assert_int_eq(kube_split_feed(&s, "{}", 2), -EPERM);
	kube_split_done(&s);
}
END_TEST

static const struct {
	const char *text, *version, *more, *why;
} lists[] = {
	{ "{\"metadata\":{\"resourceVersion\":\"17\",\"continue\":\"a/b=\"},\"items\":[]}", "17", "a%2Fb%3D", NULL },
	{ "{\"metadata\":{\"resourceVersion\":\"17\",\"continue\":\"\"},\"items\":null}", "17", NULL, NULL },
	{ "{\"metadata\":{\"resourceVersion\":17},\"items\":[]}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"metadata\":{\"resourceVersion\":\"1&watch=1\"},\"items\":[]}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"metadata\":{\"resourceVersion\":\"1\"}}", NULL, NULL, "it has no items" },
	{ "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}", NULL, NULL, "it has no items" },
	{ "{}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"items\":[", NULL, NULL, "it is not JSON" },
};

START_TEST(lists_are_read)
{
	char version[KUBE_VERSION_LEN] = "", why[128] = "", *more = NULL;
	int r = kube_list_decode(lists[_i].text, strlen(lists[_i].text), version, &more, why, sizeof(why));

	ck_assert_int_eq(r, lists[_i].why ? -EBADMSG : 0);
	if (lists[_i].why)
		ck_assert_str_eq(why, lists[_i].why);
	else
		ck_assert_str_eq(version, lists[_i].version);
	ck_assert_pstr_eq(more, lists[_i].more);
	free(more);
}
END_TEST

START_TEST(statuses_are_read)
{
	static const char good[] = "{\"kind\":\"Status\",\"message\":\"services is\\nforbidden\"}";
	char text[64];

	kube_status_decode(good, sizeof(good) - 1, text, sizeof(text));
	ck_assert_str_eq(text, "services is forbidden");
	kube_status_decode("<html>", 6, text, sizeof(text));
	ck_assert_str_eq(text, "");
	kube_status_decode("", 0, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

static Suite *kube_suite(void)
{
	Suite *s = suite_create("kubernetes, cut");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, streams_are_cut, 0, UNIT_NR(streams));
	tcase_add_test(t, cutting_has_an_end);
	tcase_add_loop_test(t, lists_are_read, 0, UNIT_NR(lists));
	tcase_add_test(t, statuses_are_read);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(kube_suite());
}

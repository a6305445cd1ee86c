/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Pods of Kubernetes: whose cgroups are whose. */
#include <errno.h>

#include "kube.h"
#include "registry/kube_pods.h"

static struct kube_pods pods;
static char said[512];

static int put(const char *text, uint32_t generation)
{
	json_t *o = kube_json(text);
	int r = kube_pods_put(&pods, o, (struct kube_mark){ 7, generation });

	json_decref(o);
	return r;
}

static int say(void *ctx, const struct workload *w)
{
	size_t len = strlen(said);

	snprintf(said + len, sizeof(said) - len, "%s %s/%s %s;", w->uid, w->space, w->name, w->account);
	return 0;
}

static const char *all(void)
{
	*said = '\0';
	ck_assert_int_eq(kube_pods_each(&pods, say, NULL), 0);
	return said;
}

#define POD(uid, name, account)                                                                                        \
	"{'metadata':{'namespace':'shop','name':'" name "','uid':'" uid "'},'spec':{'serviceAccountName':'" account    \
	"'}}"

START_TEST(pods_come_change_and_go)
{
	ck_assert_int_eq(put(POD("u-1", "a", "default"), 1), 1);
	ck_assert_int_eq(put(POD("u-1", "a", "default"), 1), 0);
	ck_assert_int_eq(put(POD("u-2", "b", "robot"), 1), 1);
	ck_assert_str_eq(all(), "u-1 shop/a default;u-2 shop/b robot;");
	ck_assert_int_eq(put(POD("u-3", "a", "default"), 2), 1); /* made anew under the same name */
	ck_assert_str_eq(all(), "u-3 shop/a default;u-2 shop/b robot;");
	ck_assert(kube_pods_sweep(&pods, (struct kube_mark){ 7, 2 }));
	ck_assert(!kube_pods_sweep(&pods, (struct kube_mark){ 7, 2 }));
	ck_assert_str_eq(all(), "u-3 shop/a default;");
	ck_assert(!kube_pods_remove(&pods, "shop", "b"));
	ck_assert(kube_pods_remove(&pods, "shop", "a"));
	ck_assert_str_eq(all(), "");
	kube_pods_done(&pods);
}
END_TEST

START_TEST(a_static_pod_has_the_uid_of_the_kubelet)
{
	ck_assert_int_eq(put("{'metadata':{'namespace':'kube-system','name':'proxy','uid':'u-1','annotations':"
			     "{'kubernetes.io/config.hash':'0123456789abcdef0123456789abcdef'}}}",
			     1),
			 1);
	ck_assert_str_eq(all(), "0123456789abcdef0123456789abcdef kube-system/proxy ;");
	kube_pods_done(&pods);
}
END_TEST

static const char *const odd[] = {
	"{}",
	"[]",
	"{'metadata':{'namespace':'shop','name':'a'}}",
	POD("", "a", "x"),
	POD("u 1", "a", "x"),
	POD("u/1", "a", "x"),
	POD("u-1", "a b", "x"),
	"{'metadata':{'namespace':'shop','name':'a','uid':3}}",
};

START_TEST(what_is_no_pod_is_refused)
{
	ck_assert_int_eq(put(odd[_i], 1), -EBADMSG);
	ck_assert_uint_eq(pods.nr, 0);
}
END_TEST

static Suite *pods_suite(void)
{
	Suite *s = suite_create("kube_pods");
	TCase *c = tcase_create("pods");

	tcase_add_test(c, pods_come_change_and_go);
	tcase_add_test(c, a_static_pod_has_the_uid_of_the_kubelet);
	tcase_add_loop_test(c, what_is_no_pod_is_refused, 0, UNIT_NR(odd));
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(pods_suite());
}

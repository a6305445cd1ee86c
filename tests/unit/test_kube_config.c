/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* kubeconfig files. */
#include <errno.h>
#include <string.h>

#include "registry/kube_config.h"
#include "unit.h"

static const char config_text[] =
	"apiVersion: v1\nkind: Config\ncurrent-context: one\n"
	"contexts:\n- name: two\n  context: {cluster: c2, user: u2, namespace: there}\n- name: one\n  context: "
	"{cluster: c1, user: u1}\n"
	"- name: exec\n  context: {cluster: c1, user: runs}\n- name: half\n  context: {cluster: nowhere, user: u1}\n"
	"- name: proxy\n  context: {cluster: c3, user: u1}\n- name: bad64\n  context: {cluster: c4}\n"
	"clusters:\n- name: c1\n  cluster: {server: 'https://10.0.0.1:6443/', certificate-authority-data: aGVsbG8K}\n"
	"- name: c2\n  cluster: {server: 'https://c2', certificate-authority: ca.pem, insecure-skip-tls-verify: true}\n"
	"- name: c3\n  cluster: {server: 'https://c3', proxy-url: 'http://p'}\n"
	"- name: c4\n  cluster: {server: 'https://c4', certificate-authority-data: '*'}\n"
	"users:\n- name: u1\n  user: {token: secret}\n- name: runs\n  user: {exec: {command: aws}}\n"
	"- name: u2\n  user: {tokenFile: t, client-certificate-data: Y2VydA==, client-key: /k.pem}\n";

static int parse(const char *text, const char *context, struct kube_config *c, char *error)
{
	return kube_config_parse(text, strlen(text), context, c, error, 256);
}

START_TEST(kubeconfigs_are_read)
{
	struct kube_config c;
	char error[256] = "";

	ck_assert_int_eq(parse(config_text, NULL, &c, error), 0);
	ck_assert_str_eq(c.server, "https://10.0.0.1:6443/");
	ck_assert_str_eq(c.token, "secret");
	ck_assert_uint_eq(c.ca.len, 6);
	ck_assert(!memcmp(c.ca.at, "hello\n", 6) && !c.insecure && !c.namespace);
	kube_config_done(&c);
	ck_assert_int_eq(parse(config_text, "two", &c, error), 0);
	ck_assert_str_eq(c.namespace, "there");
	ck_assert_str_eq(c.ca_file, "ca.pem");
	ck_assert_str_eq(c.token_file, "t");
	ck_assert_str_eq(c.key_file, "/k.pem");
	ck_assert(c.insecure && c.cert.len == 4 && !memcmp(c.cert.at, "cert", 4));
	kube_config_done(&c);
}
END_TEST

static const struct {
	const char *text, *context, *why;
} bad_configs[] = {
	{ config_text, "three", "context \"three\" is not in it" },
	{ config_text, "exec",
	  "user \"runs\" gets credentials from a command (exec), which is not supported; give a token file or a client "
	  "certificate" },
	{ config_text, "half", "cluster \"nowhere\" is not in it" },
	{ config_text, "proxy", "cluster \"c3\" is behind a proxy (proxy-url), which is not supported" },
	{ config_text, "bad64", "certificate-authority-data is not base64" },
	{ "", NULL, "it has no current-context; write \"context\"" },
	{ "7", NULL, "it has no current-context; write \"context\"" },
	{ "current-context: [a]", NULL, "it has no current-context; write \"context\"" },
	{ "current-context: a\ncontexts: {a: b}", NULL, "context \"a\" is not in it" },
	{ "current-context: a\ncontexts: [{name: a, context: 7}]", NULL, "context \"a\" names no cluster" },
	{ "a: [", NULL, "line 2: did not find expected node content" },
};

START_TEST(bad_kubeconfigs_are_refused)
{
	struct kube_config c;
	char error[256] = "";

	ck_assert_int_eq(parse(bad_configs[_i].text, bad_configs[_i].context, &c, error), -EINVAL);
	ck_assert_str_eq(error, bad_configs[_i].why);
	kube_config_done(&c);
}
END_TEST

static const struct {
	const char *text, *bytes; /* NULL: refused */
} sixties[] = {
	{ "", "" },    { "YQ==", "a" },	 { "YWI=", "ab" }, { "YWJj", "abc" },	 { "YW\nJj\n", "abc" }, { "YQ", NULL },
	{ "Y", NULL }, { "Y===", NULL }, { "=", NULL },	   { "YQ==YQ==", NULL }, { "Y-_=", NULL },
};

START_TEST(base64_is_read)
{
	struct kube_bytes b = { 0 };
	int r = kube_base64(sixties[_i].text, &b);

	ck_assert_int_eq(r, sixties[_i].bytes ? 0 : -EINVAL);
	if (!r) {
		ck_assert_uint_eq(b.len, strlen(sixties[_i].bytes));
		ck_assert(!memcmp(b.at, sixties[_i].bytes, b.len));
	}
	free(b.at);
}
END_TEST

static Suite *kube_suite(void)
{
	Suite *s = suite_create("kubeconfig");
	TCase *t = tcase_create("all");

	tcase_add_test(t, kubeconfigs_are_read);
	tcase_add_loop_test(t, bad_kubeconfigs_are_refused, 0, UNIT_NR(bad_configs));
	tcase_add_loop_test(t, base64_is_read, 0, UNIT_NR(sixties));
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(kube_suite());
}

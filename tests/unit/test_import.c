/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Synapse's and Nerve's files against golden ones: what is in a folder tests/config/import/NN-NAME becomes its
 * weft.out, with the remarks in weft.remarks; tests/config/import/bad/NAME.json is refused with the line in NAME.err.
 * WEFT_GOLDEN=update writes them anew.
 */
#include <errno.h>
#include <glob.h>
#include <sys/stat.h>

#include "cli/import_files.h"
#include "config/import_inside.h"
#include "config_fixture.h"
#include "unit.h"

static glob_t folders, bad;

static const char *tests_dir(void)
{
	const char *dir = getenv("WEFT_TESTS");

	return dir ? dir : "tests/config";
}

static void find(const char *pattern, int flags, glob_t *ret)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/import/%s", tests_dir(), pattern);
	glob(path, flags, NULL, ret);
}

/* Holds @text (freed) against the golden file @path. */
static void expect_golden(const char *path, char *text)
{
	_cleanup_(freep) char *is = text, *want = NULL;

	if (getenv("WEFT_GOLDEN"))
		spill(path, is, strlen(is));
	want = slurp(path, NULL);
	ck_assert_msg(!strcmp(is, want), "%s\n    is: %s\nwanted: %s", path, is, want);
}

static char *all_remarks(const struct import *x)
{
	const struct import_remark *m;
	char *text = NULL;
	size_t nr, len = 0;
	FILE *out = open_memstream(&text, &len);

	m = import_remarks(x, &nr);
	for (size_t i = 0; i < nr; i++) {
		const char *slash = strrchr(m[i].file, '/');

		fprintf(out, "%s %s:%u: %s: %s\n", m[i].weight == IMPORT_NOTE ? "note  " : "change",
			slash ? slash + 1 : m[i].file, m[i].line, m[i].key, m[i].text);
		for (const char *at = m[i].text; *at; at++)
			ck_assert(*at >= ' ' && *at <= '~');
	}
	fclose(out);
	return text;
}

/* What the files of @folder become. */
static char *import_folder(const char *folder, char **ret_remarks)
{
	_cleanup_(import_freep) struct import *x = import_new();
	char *text = NULL, pattern[4096], line[8192];
	struct config_error e;
	glob_t files;
	int r = 0;

	snprintf(pattern, sizeof(pattern), "%s/*.json", folder);
	glob(pattern, 0, NULL, &files);
	snprintf(pattern, sizeof(pattern), "%s/*.yaml", folder);
	glob(pattern, GLOB_APPEND, NULL, &files);
	ck_assert_msg(files.gl_pathc > 0, "%s holds no files", folder);
	for (size_t i = 0; !r && i < files.gl_pathc; i++) {
		struct import_files f;

		r = import_files_read(files.gl_pathv[i], &f, &e);
		if (!r)
			r = import_add(x, &f.file, f.services, f.nr, &e);
		import_files_done(&f);
	}
	globfree(&files);
	if (!r)
		r = import_finish(x, &text, &e);
	ck_assert_msg(!r, "%s", config_error_format(&e, line, sizeof(line)));
	*ret_remarks = all_remarks(x);
	return text;
}

START_TEST(files_become_a_configuration)
{
	const char *folder = folders.gl_pathv[_i];
	_cleanup_(freep) char *again = NULL, *remarks_again = NULL;
	char *text, *remarks, path[4096];

	text = import_folder(folder, &remarks);
	again = import_folder(folder, &remarks_again);
	ck_assert_str_eq(text, again);
	ck_assert_str_eq(remarks, remarks_again);
	/* All secrets in these files are called that. */
	ck_assert_ptr_null(strstr(text, "s3cr3t"));
	ck_assert_ptr_null(strstr(remarks, "s3cr3t"));
	snprintf(path, sizeof(path), "%s/weft.out", folder);
	expect_golden(path, text);
	snprintf(path, sizeof(path), "%s/weft.remarks", folder);
	expect_golden(path, remarks);
}
END_TEST

START_TEST(bad_files_are_refused)
{
	const char *path = bad.gl_pathv[_i];
	_cleanup_(import_freep) struct import *x = import_new();
	_cleanup_(freep) char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_(freep) char *text = NULL;
	char line[8192], with_end[8193], golden[4096];
	struct import_files f;
	struct config_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = import_files_read(path, &f, &e);
	if (!r)
		r = import_add(x, &f.file, f.services, f.nr, &e);
	if (!r)
		r = import_finish(x, &text, &e);
	import_files_done(&f);
	ck_assert_msg(r < 0 && r != -EBADMSG, "%s: %d", path, r);
	snprintf(with_end, sizeof(with_end), "%s\n", config_error_format(&e, line, sizeof(line)));
	for (const char *at = line; *at; at++)
		ck_assert_msg(*at >= ' ' && *at <= '~', "%s: byte 0x%02x in a message", path, (unsigned char)*at);
	snprintf(golden, sizeof(golden), "%.*s.err", (int)(strrchr(path, '.') - path), path);
	expect_golden(golden, replace(with_end, folder, "DIR"));
}
END_TEST

/* From memory: the text of one file. */
static int add_text(struct import *x, const char *name, const char *text, struct config_error *e)
{
	const struct import_part part = { .name = name, .text = text, .len = strlen(text) };

	return import_add(x, &part, NULL, 0, e);
}

#define ZK(name, port, hosts)                                                                                          \
	"\"" name "\": {\"discovery\": {\"method\": \"zookeeper\", \"path\": \"/a\", \"hosts\": " hosts "}, "          \
	"\"haproxy\": {\"port\": " port "}}"

static const struct {
	const char *one, *two;
	unsigned registries;
} hosts[] = {
	{ "[\"a:2181\", \"b:2181\"]", "[\"b:2181\", \"a:2181\"]", 1 },
	{ "[\"a\", \"b\"]", "\"b:2181,a:2181\"", 1 },
	{ "[\"a\", \"b\"]", "[\"a\"]", 2 },
	{ "[\"a\"]", "[\"a:2182\"]", 2 },
	{ "[\"a\"]", "[\"a/x\"]", 2 },
	{ "[\"a/\"]", "[\"a\"]", 1 },
	{ "[\"a\", \"b/x\"]", "[\"b/x/\", \"a\", \"a\"]", 1 },
	{ "[\"[fd00::1]:2181\"]", "[\"[fd00::1]\"]", 1 },
};

START_TEST(the_same_hosts_are_one_registry)
{
	_cleanup_(import_freep) struct import *x = import_new();
	_cleanup_(freep) char *text = NULL, *out = NULL;
	struct config_error e;

	ck_assert_int_ge(asprintf(&text, "{\"services\": {" ZK("one", "1", "%s") ", " ZK("two", "2", "%s") "}}",
				  hosts[_i].one, hosts[_i].two),
			 0);
	ck_assert_int_eq(add_text(x, "synapse.json", text, &e), 0);
	ck_assert_int_eq(import_finish(x, &out, &e), 0);
	ck_assert_uint_eq(x->nr_registries, hosts[_i].registries);
}
END_TEST

START_TEST(a_service_of_two_files_is_refused)
{
	_cleanup_(import_freep) struct import *x = import_new();
	struct config_error e;

	ck_assert_int_eq(add_text(x, "a.json", "{\"services\": {" ZK("web", "1", "\"z\"") "}}", &e), 0);
	ck_assert_int_eq(add_text(x, "b.json", "{\"services\": {" ZK("web", "2", "\"z\"") "}}", &e), -EINVAL);
	ck_assert_str_eq(e.file, "b.json");
	ck_assert_str_eq(e.key, "services.web");
	ck_assert_str_eq(e.text, "the service is there twice");
}
END_TEST

/* Every value that is a word, with signs that YAML minds. */
static const char *const odd_words[] = { "a: b", "# c", "- d", "{e}", "[f]", "'g'",	"\\\\\\\"h",
					 "*i",	 "&j",	"!k",  "%l",  "@m",  "null",	"~",
					 "0x1f", "1e3", "yes", "a,b", " x ", "\\u00e9", "\\u20ac" };

START_TEST(odd_words_come_through)
{
	_cleanup_(import_freep) struct import *x = import_new();
	_cleanup_(freep) char *text = NULL, *out = NULL;
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;
	_cleanup_(tree_done) struct tree t = { .nr = 0 };
	struct import_part part = { .name = "word" };
	_cleanup_(freep) char *json = NULL;

	ck_assert_int_ge(asprintf(&json, "\"%s\"", odd_words[_i]), 0);
	part.text = json;
	part.len = strlen(json);
	ck_assert_int_eq(tree_read(&part, &t, &e), 0);
	ck_assert_int_ge(
		asprintf(&text,
			 "{\"instance_id\": \"%s\", \"services\": {\"web\": {\"host\": \"10.0.0.1\", \"port\": 1, "
			 "\"zk_hosts\": [\"z\"], \"zk_path\": \"/%s\", \"labels\": {\"k\": \"%s\"}, "
			 "\"haproxy_server_options\": \"%s\"}}}",
			 odd_words[_i], odd_words[_i], odd_words[_i], odd_words[_i]),
		0);
	ck_assert_int_eq(add_text(x, "nerve.json", text, &e), 0);
	ck_assert_msg(import_finish(x, &out, &e) == 0, "%s", e.text);
	ck_assert_int_eq(config_parse("out", out, strlen(out), &c, &e), 0);
	ck_assert_uint_eq(c->nr_announcements, 1);
	ck_assert_str_eq(options_text(&c->announcements[0].options, "id", ""), t.root->text);
	ck_assert_str_eq(options_text(&c->announcements[0].options, "path", "") + 1, t.root->text);
	ck_assert_str_eq(options_text(&c->announcements[0].options, "haproxy-server-options", ""), t.root->text);
	ck_assert_str_eq(options_text(&c->announcements[0].options, "labels", "") + 2, t.root->text);
}
END_TEST

/* Keys are the rows { "key", ... } of these tables. */
static const char *const sources[] = { "user/config/import_synapse.c", "user/config/import_nerve.c",
				       "user/config/import_check.c", "user/config/import_discovery.c" };

START_TEST(every_option_is_in_the_manual)
{
	_cleanup_(freep) char *page = slurp("docs/SMARTSTACK.md", NULL), *source = slurp(sources[_i], NULL);
	unsigned nr = 0;

	for (const char *at = source; (at = strstr(at, "{ \"")); at++) {
		_cleanup_(freep) char *key = strndup(at + 3, strcspn(at + 3, "\""));

		if (strcspn(at + 3, "\"") + 3 != strcspn(at, ",") - 1 || !strcmp(key, "ephemeral"))
			continue;
		nr++;
		ck_assert_msg(strstr(page, key) != NULL, "docs/SMARTSTACK.md does not name %s", key);
	}
	ck_assert_uint_gt(nr, 8);
}
END_TEST

static Suite *import_suite(void)
{
	Suite *s = suite_create("import");
	TCase *golden = tcase_create("golden"), *values = tcase_create("values");

	tcase_add_loop_test(golden, files_become_a_configuration, 0, (int)folders.gl_pathc);
	tcase_add_loop_test(golden, bad_files_are_refused, 0, (int)bad.gl_pathc);
	suite_add_tcase(s, golden);
	tcase_add_loop_test(values, the_same_hosts_are_one_registry, 0, UNIT_NR(hosts));
	tcase_add_test(values, a_service_of_two_files_is_refused);
	tcase_add_loop_test(values, odd_words_come_through, 0, UNIT_NR(odd_words));
	tcase_add_loop_test(values, every_option_is_in_the_manual, 0, UNIT_NR(sources));
	suite_add_tcase(s, values);
	return s;
}

int main(void)
{
	int r;

	find("[0-9]*", GLOB_ONLYDIR, &folders);
	find("bad/*.json", 0, &bad);
	find("bad/*.yaml", GLOB_APPEND, &bad);
	r = folders.gl_pathc && bad.gl_pathc ? unit_run(import_suite()) : EXIT_FAILURE;
	globfree(&folders);
	globfree(&bad);
	return r;
}

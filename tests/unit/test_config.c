/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Configuration against golden files: tests/config/bad/NAME.yaml must be refused with the line in NAME.err,
 * tests/config/good/NAME.yaml has the normal form NAME.ok. FILE and DIR in them stand for the path. WEFT_GOLDEN=update
 * writes the files anew; read the difference before it is committed.
 */
#include <errno.h>
#include <glob.h>

#include "config_fixture.h"
#include "unit.h"

static glob_t bad, good;

static const char *tests_dir(void)
{
	const char *dir = getenv("WEFT_TESTS");

	return dir ? dir : "tests/config";
}

static void find_cases(const char *kind, glob_t *ret)
{
	char pattern[4096];

	snprintf(pattern, sizeof(pattern), "%s/%s/*.yaml", tests_dir(), kind);
	glob(pattern, 0, NULL, ret);
}

/* Holds @text (freed) against the golden file next to @yaml. */
static void expect_golden(const char *yaml, const char *suffix, char *text)
{
	_cleanup_(freep) char *is = text, *want = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%.*s%s", (int)strlen(yaml) - 5, yaml, suffix);
	if (getenv("WEFT_GOLDEN"))
		spill(path, is, strlen(is));
	want = slurp(path, NULL);
	ck_assert_msg(!strcmp(is, want), "%s\n    is: %s\nwanted: %s", path, is, want);
}

START_TEST(bad_files_are_refused_with_one_sentence)
{
	expect_golden(bad.gl_pathv[_i], ".err", refusal(bad.gl_pathv[_i]));
}
END_TEST

/* The same from memory, and the model that was given stays as it was. */
START_TEST(bad_text_leaves_the_model_alone)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(freep) char *text = NULL;
	struct config_error e;
	size_t len;

	text = slurp(bad.gl_pathv[_i], &len);
	if (!config_parse_services("memory", text, len, m, &e))
		ck_assert(config_seal(m, &e) ||
			  m->services[0]->nr_sources); /* what only collides, or lacks a registry */
	else
		ck_assert_uint_eq(m->nr, 0);
}
END_TEST

static char *normal_form(const struct config *c, const struct model *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	config_dump(c, m, out);
	fclose(out);
	return text;
}

START_TEST(good_files_have_a_normal_form)
{
	_cleanup_(config_freep) struct config *c = NULL, *again = NULL;
	_cleanup_(freep) char *first = NULL, *second = NULL, *folder = NULL;
	const char *path = good.gl_pathv[_i];
	struct config_error e;

	ck_assert_msg(!config_load(path, &c, &e), "%s:%u: %s: %s", e.file, e.line, e.key, e.text);
	ck_assert_int_eq(config_seal(c->model, &e), 0);
	first = normal_form(c, c->model);
	ck_assert_int_eq(config_parse("again", first, strlen(first), &again, &e), 0);
	ck_assert_int_eq(config_seal(again->model, &e), 0);
	second = normal_form(again, again->model);
	ck_assert_str_eq(first, second);
	ck_assert_uint_eq(c->model->nr, again->model->nr);
	for (size_t i = 0; i < c->model->nr; i++)
		ck_assert(service_equal(c->model->services[i], again->model->services[i]));
	folder = realpath(path, NULL);
	*strrchr(folder, '/') = '\0';
	expect_golden(path, ".ok", replace(first, folder, "DIR"));
}
END_TEST

/* With the services of the sources written out, the sources themselves are not. */
START_TEST(normal_form_of_a_whole_model_stands_alone)
{
	static const char text[] = "sources: [x/*.yaml]\nservices:\n  - {name: a, address: 10.0.0.1:80}\n";
	_cleanup_(config_freep) struct config *c = NULL, *again = NULL;
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(freep) char *form = NULL;
	struct config_error e;

	ck_assert_int_eq(config_parse("/etc/weft.yaml", text, sizeof(text) - 1, &c, &e), 0);
	ck_assert_str_eq(c->sources[0], "/etc/x/*.yaml");
	ck_assert_int_eq(model_add(m, c->model->services[0]), 0);
	form = normal_form(c, m);
	ck_assert_ptr_nonnull(strstr(form, "# written out below: /etc/x/*.yaml\n"));
	ck_assert_int_eq(config_parse("again", form, strlen(form), &again, &e), 0);
	ck_assert_ptr_null(again->sources[0]);
	ck_assert_uint_eq(again->model->nr, 1);
}
END_TEST

START_TEST(defaults_are_as_in_the_manual)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;

	ck_assert_int_eq(config_parse("x", "instance: a1\n", 13, &c, &e), 0);
	ck_assert_str_eq(c->instance, "a1");
	ck_assert_ptr_null(c->cgroup);
	ck_assert_str_eq(c->bpffs, "/sys/fs/bpf");
	ck_assert_str_eq(c->socket, "/run/weft/a1.sock");
	ck_assert_str_eq(c->metrics_listen, "127.0.0.1:9464");
	ck_assert(c->metrics_callers && c->metrics_endpoints);
	ck_assert_uint_eq(c->metrics_max_series, 100000);
	ck_assert_uint_eq(c->audit_ms, 60000);
	ck_assert_uint_eq(c->limits.services, WEFT_DEF_SERVICES);
	ck_assert_uint_eq(c->limits.backends, WEFT_DEF_BACKENDS);
	ck_assert_uint_eq(c->limits.edges, WEFT_DEF_EDGES);
	ck_assert_uint_eq(c->limits.handshakes, WEFT_DEF_HANDSHAKES);
	ck_assert_uint_eq(c->limits.nat, WEFT_DEF_NAT);
	ck_assert_ptr_null(c->zone);
	ck_assert_str_eq(c->links_include[0], "*");
	ck_assert_ptr_null(c->links_include[1]);
	ck_assert_ptr_null(c->links_exclude[0]);
}
END_TEST

/* Where each mapping of the schema can be provoked to list its keys. */
static const char *const mappings[] = {
	"%s: 1\n",
	"metrics: {%s: 1}\n",
	"limits: {%s: 1}\n",
	"sources: [{%s: 1}]\n",
	"services: [{%s: 1}]\n",
	"services: [{affinity: {%s: 1}}]\n",
	"services: [{endpoints: [{%s: 1}]}]\n",
	"interfaces: {%s: 1}\n",
	"services: [{slow-start: {%s: 1}}]\n",
	"services: [{zone-aware: {%s: 1}}]\n",
	"services: [{limits: {%s: 1}}]\n",
	"services: [{ejection: {%s: 1}}]\n",
	"services: [{ejection: {success-rate: {%s: 1}}}]\n",
	"services: [{breaker: {%s: 1}}]\n",
	"services: [{health-check: {%s: 1}}]\n",
};

START_TEST(every_key_is_in_the_manual)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_(freep) char *manual = NULL, *example = NULL;
	char path[4096], text[128], want[80];
	struct config_error e;
	char *known, *save;

	snprintf(path, sizeof(path), "%s/../../docs/CONFIG.md", tests_dir());
	manual = slurp(path, NULL);
	snprintf(path, sizeof(path), "%s/../../deploy/weft.yaml", tests_dir());
	example = slurp(path, NULL);
	snprintf(text, sizeof(text), "%.60s", mappings[_i]);
	known = strstr(text, "%s");
	memcpy(known, "zz", 2);
	ck_assert_int_eq(config_parse("x", text, strlen(text), &c, &e), -EINVAL);
	known = strstr(e.text, "known here: ");
	ck_assert_msg(known, "%s", e.text);
	for (char *key = strtok_r(known + 12, ", ", &save); key; key = strtok_r(NULL, ", ", &save)) {
		snprintf(want, sizeof(want), "`%s`", key);
		if (!strstr(manual, want))
			snprintf(want, sizeof(want), ".%s`", key);
		ck_assert_msg(strstr(manual, want) || !strcmp(key, "file"), "docs/CONFIG.md has no row for %s", key);
		snprintf(want, sizeof(want), "%s:", key);
		ck_assert_msg(strstr(example, want) || !strcmp(key, "file"), "deploy/weft.yaml does not show %s", key);
	}
}
END_TEST

START_TEST(the_example_is_valid)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;
	char path[4096];

	snprintf(path, sizeof(path), "%s/../../deploy/weft.yaml", tests_dir());
	ck_assert_msg(!config_load(path, &c, &e), "%s:%u: %s: %s", e.file, e.line, e.key, e.text);
	ck_assert_int_eq(config_seal(c->model, &e), 0);
	ck_assert_int_eq(config_fits(c->model, &c->limits, &e), 0);
	ck_assert_uint_eq(c->model->nr, 4);
}
END_TEST

static const struct {
	struct config_limits limits;
	const char *key; /* NULL: fits */
} fits[] = {
	{ { 3, 4, 3, 6, 65537, 16, 16, 16, 16 }, NULL },
	{ { 2, 4, 3, 6, 65537, 16, 16, 16, 16 }, "limits.services" },
	{ { 3, 3, 3, 6, 65537, 16, 16, 16, 16 }, "limits.frontends" },
	{ { 3, 4, 2, 6, 65537, 16, 16, 16, 16 }, "limits.specs" },
	{ { 3, 4, 3, 5, 65537, 16, 16, 16, 16 }, "limits.endpoints" },
	{ { 3, 4, 3, 6, 65536, 16, 16, 16, 16 }, "limits.slots" },
};

START_TEST(what_does_not_fit_is_refused)
{
	static const char text[] =
		"services:\n"
		"  - {name: a, addresses: [1.1.1.1:1, 1.1.1.1:2], endpoints: [2.2.2.2:1, 2.2.2.2:2, 2.2.2.2:3]}\n"
		"  - {name: b, address: 1.1.1.2:1, balance: maglev, endpoints: [2.2.2.2:1, 2.2.2.2:2, 2.2.2.2:3]}\n"
		"  - {name: c, address: 1.1.1.3:1}\n";
	_cleanup_(model_freep) struct model *m = model_new();
	struct config_error e;
	int r;

	ck_assert_int_eq(config_parse_services("x", text, sizeof(text) - 1, m, &e), 0);
	r = config_fits(m, &fits[_i].limits, &e);
	ck_assert_int_eq(r, fits[_i].key ? -E2BIG : 0);
	if (fits[_i].key)
		ck_assert_str_eq(e.key, fits[_i].key);
}
END_TEST

START_TEST(collisions_across_files_name_both_places)
{
	static const char one[] = "services:\n  - {name: a, address: 10.0.0.1:80}\n";
	static const char two[] = "services:\n\n  - {name: a, address: 10.0.0.2:80}\n";
	static const char three[] = "services:\n\n\n  - {name: b, address: 10.0.0.1:80}\n";
	_cleanup_(model_freep) struct model *names = model_new(), *fronts = model_new();
	struct config_error e;
	char text[1024];

	ck_assert_int_eq(config_parse_services("one.yaml", one, sizeof(one) - 1, names, &e), 0);
	ck_assert_int_eq(config_parse_services("two.yaml", two, sizeof(two) - 1, names, &e), 0);
	ck_assert_int_eq(config_seal(names, &e), -EEXIST);
	ck_assert_str_eq(config_error_format(&e, text, sizeof(text)),
			 "two.yaml:3: service \"a\" is there twice, first at one.yaml:2");
	ck_assert_int_eq(config_parse_services("one.yaml", one, sizeof(one) - 1, fronts, &e), 0);
	ck_assert_int_eq(config_parse_services("three.yaml", three, sizeof(three) - 1, fronts, &e), 0);
	ck_assert_int_eq(config_seal(fronts, &e), -EEXIST);
	ck_assert_str_eq(config_error_format(&e, text, sizeof(text)),
			 "three.yaml:4: service \"b\" claims tcp 10.0.0.1:80, which service \"a\" at one.yaml:2 has");
}
END_TEST

START_TEST(a_service_file_has_services_only)
{
	_cleanup_(model_freep) struct model *m = model_new();
	struct config_error e;

	ck_assert_int_eq(config_parse_services("x", "sources: [a]\n", 13, m, &e), -EINVAL);
	ck_assert_str_eq(e.text, "unknown key \"sources\"; known here: services");
	ck_assert_int_eq(config_parse_services("x", "", 0, m, &e), -EINVAL);
	ck_assert_str_eq(e.text, "the file is empty");
	ck_assert_int_eq(config_parse_services("x", "services: []\n", 13, m, &e), 0);
	ck_assert_uint_eq(m->nr, 0);
}
END_TEST

START_TEST(errors_are_cut_not_overrun)
{
	struct config_error e = { .line = 7 };
	char text[16];

	memset(e.file, 'f', sizeof(e.file) - 1);
	ck_assert_uint_eq(strlen(config_error_format(&e, text, sizeof(text))), sizeof(text) - 1);
	e = (struct config_error){ .key = "k", .text = "t" };
	ck_assert_str_eq(config_error_format(&e, text, sizeof(text)), "k: t");
}
END_TEST

static Suite *config_suite(void)
{
	Suite *s = suite_create("config");
	TCase *golden = tcase_create("golden"), *values = tcase_create("values");

	tcase_add_loop_test(golden, bad_files_are_refused_with_one_sentence, 0, (int)bad.gl_pathc);
	tcase_add_loop_test(golden, bad_text_leaves_the_model_alone, 0, (int)bad.gl_pathc);
	tcase_add_loop_test(golden, good_files_have_a_normal_form, 0, (int)good.gl_pathc);
	suite_add_tcase(s, golden);
	tcase_add_test(values, normal_form_of_a_whole_model_stands_alone);
	tcase_add_test(values, defaults_are_as_in_the_manual);
	tcase_add_loop_test(values, every_key_is_in_the_manual, 0, UNIT_NR(mappings));
	tcase_add_test(values, the_example_is_valid);
	tcase_add_loop_test(values, what_does_not_fit_is_refused, 0, UNIT_NR(fits));
	tcase_add_test(values, collisions_across_files_name_both_places);
	tcase_add_test(values, a_service_file_has_services_only);
	tcase_add_test(values, errors_are_cut_not_overrun);
	suite_add_tcase(s, values);
	return s;
}

int main(void)
{
	int r;

	find_cases("bad", &bad);
	find_cases("good", &good);
	if (bad.gl_pathc < 60 || good.gl_pathc < 5) {
		fprintf(stderr, "no golden files in %s; set WEFT_TESTS\n", tests_dir());
		return EXIT_FAILURE;
	}
	r = unit_run(config_suite());
	globfree(&bad);
	globfree(&good);
	return r;
}

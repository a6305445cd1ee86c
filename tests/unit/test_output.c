/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services as files: what is in them, when they are touched, and whose files are removed. */
#include <dirent.h>
#include <sys/stat.h>

#include "discovery/backends.h"
#include "discovery/output.h"
#include "paper.h"

static char out_dir[128];
static struct output *output;
static char said[1024];

static void setup_output(void)
{
	setup();
	snprintf(out_dir, sizeof(out_dir), "%s/out", state_dir);
	ck_assert_int_eq(output_new(out_dir, "one", &output), 0);
}

static void teardown_output(void)
{
	output_free(MOVE(output, NULL));
	teardown();
}

static const char *at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", out_dir, name);
	return path;
}

/* "-": it is not there. */
static const char *content(const char *name)
{
	static char text[4096];
	FILE *f = fopen(at(name), "re");
	size_t n;

	if (!f)
		return "-";
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void given_file(const char *name, const char *text)
{
	FILE *f;

	mkdir(out_dir, 0755);
	f = fopen(at(name), "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static int steps(unsigned most)
{
	int r;

	while ((r = output_step(output, d, most, said, sizeof(said))) > 0)
		;
	return r;
}

/* Everything as it is by now. */
static void write_out(void)
{
	endpoints_of("");
	ck_assert_int_eq(output_set(output, d, model), 0);
	ck_assert_msg(!steps(2), "%s", said);
}

/* An agent that starts anew. */
static void anew(void)
{
	output_free(output);
	ck_assert_int_eq(output_new(out_dir, "one", &output), 0);
}

static ino_t inode(const char *name)
{
	struct stat st = { 0 };

	ck_assert_int_eq(stat(at(name), &st), 0);
	return st.st_ino;
}

static void found_one(struct lookup *l, const char *host, const char *name, const char *id, const char *label)
{
	const struct label labels[] = { { "az", label } };
	struct found f = { 0 };

	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = host,
							     .port = 80,
							     .name = name,
							     .id = id,
							     .labels = labels,
							     .nr_labels = label != NULL }),
			 0);
	lookup_found(l, &f);
}

#define TWO                                                                                                            \
	"services: [{name: a, address: 1.1.1.1:80, endpoints: [10.0.0.1:80]}, "                                        \
	"{name: b, address: 1.1.1.2:80, endpoints: ['10.0.0.2:80', {address: 10.0.0.3:81, weight: 5}]}]\n"
#define NONE "{\"name\":null,\"host\":\"10.0.0.1\",\"port\":80,\"id\":null,\"weight\":1,\"labels\":{}}"

START_TEST(services_are_arrays_of_backends)
{
	configure(TWO);
	write_out();
	ck_assert_str_eq(content("a.json"), "[" NONE "]\n");
	ck_assert_ptr_nonnull(strstr(content("b.json"), "\"host\":\"10.0.0.3\",\"port\":81,\"id\":null,\"weight\":5"));
	ck_assert_str_eq(content(".a.json.tmp"), "-");
}
END_TEST

START_TEST(all_may_read_them)
{
	mode_t mask = umask(077);
	struct stat st;

	configure(TWO);
	write_out();
	umask(mask);
	ck_assert_int_eq(stat(out_dir, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0755);
	ck_assert_int_eq(stat(at("a.json"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0644);
}
END_TEST

START_TEST(names_ids_and_labels_are_those_of_the_source)
{
	configure(REGISTRY WEB);
	found_one(lookups[0], "10.0.0.1", "web-1", "0000000042", "a");
	write_out();
	ck_assert_str_eq(content("web.json"), "[{\"name\":\"web-1\",\"host\":\"10.0.0.1\",\"port\":80,\"id\":42,"
					      "\"weight\":1,\"labels\":{\"az\":\"a\"}}]\n");
	/* A label changes nothing for the kernel, but here. */
	found_one(lookups[0], "10.0.0.1", "web-1", "x42", "b");
	write_out();
	ck_assert_str_eq(content("web.json"), "[{\"name\":\"web-1\",\"host\":\"10.0.0.1\",\"port\":80,\"id\":\"x42\","
					      "\"weight\":1,\"labels\":{\"az\":\"b\"}}]\n");
}
END_TEST

START_TEST(the_source_that_counts_names_it)
{
	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, combine: override, discover: "
			   "[{registry: zk, prefix: /a}, {registry: zk, prefix: /b}]}]\n");
	found_one(lookups[0], "10.0.0.1", "first", NULL, NULL);
	found_one(lookups[1], "10.0.0.1", "last", NULL, NULL);
	write_out();
	ck_assert_ptr_nonnull(strstr(content("web.json"), "\"last\""));
	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: "
			   "[{registry: zk, prefix: /a}, {registry: zk, prefix: /b}]}]\n");
	write_out();
	ck_assert_ptr_nonnull(strstr(content("web.json"), "\"first\""));
}
END_TEST

START_TEST(the_port_of_the_source_is_the_files)
{
	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: "
			   "[{registry: zk, prefix: /a, port: 9}]}]\n");
	found_one(lookups[0], "10.0.0.1", "first", NULL, NULL);
	write_out();
	ck_assert_ptr_nonnull(strstr(content("web.json"), "\"name\":\"first\",\"host\":\"10.0.0.1\",\"port\":9,"));
}
END_TEST

START_TEST(what_is_not_ready_is_left_out)
{
	configure("services: [{name: a, address: 1.1.1.1:80, endpoints: [10.0.0.1:80, "
		  "{address: 10.0.0.2:80, ready: false}]}]\n");
	write_out();
	ck_assert_str_eq(content("a.json"), "[" NONE "]\n");
}
END_TEST

START_TEST(a_service_without_endpoints_is_an_empty_array)
{
	configure("services: [{name: a, address: 1.1.1.1:80, endpoints: []}]\n");
	write_out();
	ck_assert_str_eq(content("a.json"), "[]\n");
}
END_TEST

START_TEST(what_says_the_same_is_not_touched)
{
	ino_t a, b;

	configure(TWO);
	write_out();
	a = inode("a.json");
	b = inode("b.json");
	anew();
	configure("services: [{name: a, address: 1.1.1.1:80, endpoints: [10.0.0.1:80]}, "
		  "{name: b, address: 1.1.1.2:80, endpoints: [10.0.0.9:80]}]\n");
	write_out();
	ck_assert_uint_eq(inode("a.json"), a);
	ck_assert_uint_ne(inode("b.json"), b);
}
END_TEST

START_TEST(files_of_services_that_are_gone_go)
{
	configure(TWO);
	write_out();
	given_file("others.json", "[]");
	configure("services: [{name: b, address: 1.1.1.2:80, endpoints: [10.0.0.9:80]}]\n");
	write_out();
	ck_assert_str_eq(content("a.json"), "-");
	ck_assert_str_ne(content("b.json"), "-");
	ck_assert_str_eq(content("others.json"), "[]");
	ck_assert_str_eq(content(".weft-one.list"), "b.json\n");
}
END_TEST

START_TEST(so_they_do_when_that_was_before_a_start)
{
	configure(TWO);
	write_out();
	given_file("others.json", "[]");
	anew();
	configure("services: []\n");
	write_out();
	ck_assert_str_eq(content("a.json"), "-");
	ck_assert_str_eq(content("b.json"), "-");
	ck_assert_str_eq(content("others.json"), "[]");
	ck_assert_str_eq(content(".weft-one.list"), "-");
}
END_TEST

START_TEST(the_list_of_another_instance_is_its_own)
{
	given_file(".weft-two.list", "theirs.json\n");
	given_file("theirs.json", "[]");
	configure(TWO);
	write_out();
	ck_assert_str_eq(content("theirs.json"), "[]");
	ck_assert_str_eq(content(".weft-two.list"), "theirs.json\n");
}
END_TEST

START_TEST(a_list_is_not_trusted)
{
	given_file("plain", "x");
	given_file("../kept.json", "x");
	given_file(".weft-one.list", "../kept.json\nplain\n.json\na.json\na.json\n\n.hidden.json\nmissing.json");
	configure(TWO);
	write_out();
	ck_assert_str_eq(content("plain"), "x");
	ck_assert_str_eq(content("../kept.json"), "x");
	ck_assert_str_eq(content(".weft-one.list"), "a.json\nb.json\n");
}
END_TEST

START_TEST(names_that_no_file_can_have_are_written_otherwise)
{
	char name[400];

	configure("services: [{name: shop/../web%, address: 1.1.1.1:80, endpoints: [10.0.0.1:80]}, "
		  "{name: .., address: 1.1.1.2:80, endpoints: [10.0.0.1:80]}]\n");
	write_out();
	ck_assert_str_eq(content("shop%2F..%2Fweb%25.json"), "[" NONE "]\n");
	ck_assert_str_eq(content("%2E..json"), "[" NONE "]\n");
	memset(name, '/', WEFT_NAME_LEN - 1);
	name[WEFT_NAME_LEN - 1] = '\0';
	output_name(name, name + WEFT_NAME_LEN, sizeof(name) - WEFT_NAME_LEN);
	ck_assert_ptr_nonnull(strstr(name + WEFT_NAME_LEN, ".json"));
}
END_TEST

START_TEST(one_that_cannot_be_written_keeps_no_other_from_it)
{
	configure(TWO);
	mkdir(out_dir, 0755);
	mkdir(at("a.json"), 0755);
	given_file("a.json/x", "");
	endpoints_of("");
	ck_assert_int_eq(output_set(output, d, model), 0);
	ck_assert_int_lt(steps(1), 0);
	ck_assert_ptr_nonnull(strstr(said, "the file of service a in /"));
	ck_assert_str_ne(content("b.json"), "-");
	remove(at("a.json/x"));
	rmdir(at("a.json"));
	ck_assert_int_eq(steps(1), 0);
	ck_assert_str_eq(content("a.json"), "[" NONE "]\n");
}
END_TEST

START_TEST(a_folder_that_cannot_be_had_is_told)
{
	output_free(output);
	ck_assert_int_eq(output_new("/proc/none/such", "one", &output), 0);
	configure(TWO);
	endpoints_of("");
	ck_assert_int_eq(output_set(output, d, model), 0);
	ck_assert_int_lt(steps(1), 0);
	ck_assert_str_eq(said, "/proc/none/such cannot be written to: No such file or directory");
}
END_TEST

START_TEST(links_are_replaced_and_not_followed)
{
	given_file("../target", "x");
	mkdir(out_dir, 0755);
	ck_assert_int_eq(symlink("../target", at("a.json")), 0);
	ck_assert_int_eq(symlink("../target", at(".b.json.tmp")), 0);
	ck_assert_int_eq(symlink("../target", at(".weft-one.list")), 0);
	configure(TWO);
	write_out();
	ck_assert_str_eq(content("../target"), "x");
	ck_assert_str_eq(content("a.json"), "[" NONE "]\n");
	ck_assert_str_eq(content(".weft-one.list"), "a.json\nb.json\n");
}
END_TEST

/* Written by the agent before, and the registry does not answer this one. */
START_TEST(what_was_said_of_endpoints_outlives_a_start)
{
	char before[512];
	struct lookup *l;

	configure(REGISTRY WEB);
	found_one(lookups[0], "10.0.0.1", "web-1", "7", "a");
	write_out();
	snprintf(before, sizeof(before), "%s", content("web.json"));
	anew();
	end();
	memset(lookups, 0, sizeof(lookups));
	opened = closed_nr = started = stopped = announced = withdrawn = 0;
	given_discovery();
	configure(REGISTRY WEB);
	write_out();
	ck_assert_str_eq(content("web.json"), before);
	l = lookups[0];
	found_one(l, "10.0.0.1", NULL, NULL, NULL);
	write_out();
	ck_assert_str_eq(content("web.json"), "[" NONE "]\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("output");
	TCase *c = tcase_create("files");

	tcase_add_checked_fixture(c, setup_output, teardown_output);
	tcase_add_test(c, services_are_arrays_of_backends);
	tcase_add_test(c, all_may_read_them);
	tcase_add_test(c, names_ids_and_labels_are_those_of_the_source);
	tcase_add_test(c, the_source_that_counts_names_it);
	tcase_add_test(c, the_port_of_the_source_is_the_files);
	tcase_add_test(c, what_is_not_ready_is_left_out);
	tcase_add_test(c, a_service_without_endpoints_is_an_empty_array);
	tcase_add_test(c, what_says_the_same_is_not_touched);
	tcase_add_test(c, files_of_services_that_are_gone_go);
	tcase_add_test(c, so_they_do_when_that_was_before_a_start);
	tcase_add_test(c, the_list_of_another_instance_is_its_own);
	tcase_add_test(c, a_list_is_not_trusted);
	tcase_add_test(c, names_that_no_file_can_have_are_written_otherwise);
	tcase_add_test(c, one_that_cannot_be_written_keeps_no_other_from_it);
	tcase_add_test(c, a_folder_that_cannot_be_had_is_told);
	tcase_add_test(c, links_are_replaced_and_not_followed);
	tcase_add_test(c, what_was_said_of_endpoints_outlives_a_start);
	suite_add_tcase(s, c);
	return unit_run(s);
}

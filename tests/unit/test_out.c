/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The formats: the same document as text, wide text and JSON. */
#include <jansson.h>
#include <string.h>

#include "cli/out.h"
#include "unit.h"

static const struct out_column columns[] = {
	{ "name", "NAME", 0 },
	{ "size_bytes", "SIZE", OUT_RIGHT },
	{ "note", "NOTE", OUT_WIDE },
};

static char text[512 * 1024];

/* Runs @say and leaves what came out in text. */
static int print(const char *format, void (*say)(struct out *))
{
	FILE *to = fmemopen(text, sizeof(text), "w");
	struct out *o = out_new(format, to, stderr);
	int r;

	memset(text, 0, sizeof(text));
	ck_assert_ptr_nonnull(o);
	say(o);
	r = out_finish(o);
	out_free(o);
	fclose(to);
	return r;
}

static void say_table(struct out *o)
{
	out_table(o, NULL, NULL, columns, 3);
	out_cell(o, out_text("a"));
	out_cell(o, out_bytes(12));
	out_cell(o, out_none());
	out_cell(o, out_text("longer"));
	out_cell(o, out_bytes(3 << 20));
	out_cell(o, out_text("x\"y"));
	out_end(o);
}

static void say_document(struct out *o)
{
	static const char *const list[] = { "one", "two" };

	out_field(o, "name", NULL, out_text("n"));
	out_field(o, "long_key", "long key", out_list(list, 2));
	out_field(o, "hidden", "", out_int(7));
	out_field(o, "running", "agent", out_words(out_bool(false), "not running"));
	out_note(o, "problems", "it is %d", 1);
	out_note(o, NULL, "for people");
	out_table(o, "rows", "Title", columns, 3);
	out_cell(o, out_text("a"));
	out_cell(o, out_bytes(12));
	out_cell(o, out_none());
	out_end(o);
}

static void say_many(struct out *o)
{
	out_table(o, NULL, NULL, columns, 3);
	for (int i = 0; i < 10000; i++) {
		out_cell(o, out_text("row"));
		out_cell(o, out_int(i));
		out_cell(o, out_none());
	}
	out_end(o);
}

static void say_binary(struct out *o)
{
	out_field(o, "name", NULL, out_text("a\xff\x01z"));
}

static void say_nothing(struct out *o)
{
}

START_TEST(table_aligns_and_hides_wide_columns)
{
	ck_assert_int_eq(print("table", say_table), 0);
	ck_assert_str_eq(text, "NAME       SIZE\n"
			       "a          12 B\n"
			       "longer  3.0 MiB\n");
	ck_assert_int_eq(print(NULL, say_table), 0);
	ck_assert_ptr_null(strstr(text, "NOTE"));
}
END_TEST

START_TEST(wide_shows_all_columns_without_blanks_at_the_end)
{
	ck_assert_int_eq(print("wide", say_table), 0);
	ck_assert_str_eq(text, "NAME       SIZE  NOTE\n"
			       "a          12 B  -\n"
			       "longer  3.0 MiB  x\"y\n");
}
END_TEST

START_TEST(json_table_without_key_is_an_array)
{
	ck_assert_int_eq(print("json", say_table), 0);
	ck_assert_str_eq(text, "[\n {\"name\":\"a\",\"size_bytes\":12,\"note\":null},\n"
			       " {\"name\":\"longer\",\"size_bytes\":3145728,\"note\":\"x\\\"y\"}\n]\n");
}
END_TEST

START_TEST(text_document_aligns_labels_and_sets_sections_apart)
{
	ck_assert_int_eq(print("table", say_document), 0);
	ck_assert_str_eq(text, "name:      n\n"
			       "long key:  one,two\n"
			       "agent:     not running\n"
			       "it is 1\n"
			       "for people\n"
			       "\n"
			       "Title\n"
			       "NAME  SIZE\n"
			       "a     12 B\n");
}
END_TEST

START_TEST(json_document_is_one_object)
{
	json_t *j;

	ck_assert_int_eq(print("json", say_document), 0);
	j = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "hidden")), 7);
	ck_assert(json_is_false(json_object_get(j, "running")));
	ck_assert_uint_eq(json_array_size(json_object_get(j, "problems")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "rows")), 1);
	ck_assert_uint_eq(json_object_size(j), 6);
	json_decref(j);
}
END_TEST

START_TEST(long_tables_lose_no_row)
{
	json_t *j;
	size_t lines = 0;

	ck_assert_int_eq(print("table", say_many), 0);
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_eq(lines, 10001);
	ck_assert_int_eq(print("json", say_many), 0);
	j = json_loads(text, 0, NULL);
	ck_assert_uint_eq(json_array_size(j), 10000);
	json_decref(j);
}
END_TEST

START_TEST(json_takes_bytes_that_are_no_text)
{
	json_t *j;

	ck_assert_int_eq(print("json", say_binary), 0);
	j = json_loads(text, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(j, "name")), "a?\001z");
	json_decref(j);
}
END_TEST

START_TEST(nothing_said_is_nothing_printed)
{
	for (size_t i = 0; out_formats[i]; i++) {
		ck_assert_int_eq(print(out_formats[i]->name, say_nothing), 0);
		ck_assert_str_eq(text, "");
	}
	ck_assert_ptr_null(out_new("yaml", stdout, stderr));
}
END_TEST

START_TEST(write_errors_are_reported)
{
	FILE *full = fopen("/dev/full", "w");
	struct out *o = out_new("table", full, stderr);

	say_table(o);
	ck_assert_int_lt(out_finish(o), 0);
	out_free(o);
	fclose(full);
}
END_TEST

static const struct {
	struct out_value v;
	const char *text;
} humans[] = {
	{ { .kind = OUT_NONE }, "-" },
	{ { .kind = OUT_BOOL, .yes = true }, "yes" },
	{ { .kind = OUT_INT, .number = -5 }, "-5" },
	{ { .kind = OUT_US, .number = 0 }, "0 us" },
	{ { .kind = OUT_US, .number = 999 }, "999 us" },
	{ { .kind = OUT_US, .number = 1234 }, "1.23 ms" },
	{ { .kind = OUT_US, .number = 45000 }, "45 ms" },
	{ { .kind = OUT_SECONDS, .real = 1.25 }, "1.2 s" },
	{ { .kind = OUT_SECONDS, .real = 59 }, "59 s" },
	{ { .kind = OUT_SECONDS, .real = 600 }, "10 min" },
	{ { .kind = OUT_SECONDS, .real = 86400 }, "24 h" },
	{ { .kind = OUT_SECONDS, .real = 864000 }, "10 d" },
	{ { .kind = OUT_SECONDS, .real = -1 }, "0 us" },
	{ { .kind = OUT_BYTES, .number = 1023 }, "1023 B" },
	{ { .kind = OUT_BYTES, .number = 1024 }, "1.0 KiB" },
	{ { .kind = OUT_BYTES, .number = 1ll << 40 }, "1.0 TiB" },
	{ { .kind = OUT_PERCENT, .real = 33.333 }, "33.3" },
	{ { .kind = OUT_REAL, .real = 0.5 }, "0.500" },
	{ { .kind = OUT_LIST }, "-" },
};

START_TEST(values_read_well)
{
	char got[64];

	ck_assert_str_eq(out_human(humans[_i].v, got, sizeof(got)), humans[_i].text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("out");
	TCase *t = tcase_create("formats");

	tcase_add_test(t, table_aligns_and_hides_wide_columns);
	tcase_add_test(t, wide_shows_all_columns_without_blanks_at_the_end);
	tcase_add_test(t, json_table_without_key_is_an_array);
	tcase_add_test(t, text_document_aligns_labels_and_sets_sections_apart);
	tcase_add_test(t, json_document_is_one_object);
	tcase_add_test(t, long_tables_lose_no_row);
	tcase_add_test(t, json_takes_bytes_that_are_no_text);
	tcase_add_test(t, nothing_said_is_nothing_printed);
	tcase_add_test(t, write_errors_are_reported);
	tcase_add_loop_test(t, values_read_well, 0, UNIT_NR(humans));
	suite_add_tcase(s, t);
	return unit_run(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Names and records as bytes: what is read, what is refused, and that reading ends. */
#include <errno.h>

#include "dns_fixture.h"
#include "unit.h"

static char text[DNS_TEXT_LEN];

static struct dns_reader reader(const void *bytes, size_t len)
{
	return (struct dns_reader){ .bytes = bytes, .len = len };
}

START_TEST(names_are_read_as_they_are_written)
{
	static const char *const names[] = { "web", "web.weft.internal", "_http._tcp.web", "a.b.c.d.e", ".", "Ab-3_x" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct dns_name n = name_of(names[i]);

		ck_assert_str_eq(dns_name_text(&n, text, sizeof(text)), names[i]);
	}
	ck_assert_uint_eq(name_of(".").len, 1);
	ck_assert_uint_eq(name_of("web.").len, 5);
}
END_TEST

START_TEST(impossible_names_are_refused)
{
	char label[66], most[256];
	struct dns_name n;

	memset(label, 'a', sizeof(label));
	label[64] = '\0';
	ck_assert_int_eq(dns_name_parse(label, &n), -EINVAL);
	label[63] = '\0';
	ck_assert_int_eq(dns_name_parse(label, &n), 0);
	ck_assert_int_eq(dns_name_parse("", &n), -EINVAL);
	ck_assert_int_eq(dns_name_parse(".a", &n), -EINVAL);
	ck_assert_int_eq(dns_name_parse("a..b", &n), -EINVAL);
	ck_assert_int_eq(dns_name_parse("a b", &n), -EINVAL);
	ck_assert_int_eq(dns_name_parse("\xc3\xa4.de", &n), -EINVAL);
	for (size_t i = 0; i < 254; i++)
		most[i] = i % 2 ? '.' : 'a';
	most[253] = '\0';
	ck_assert_int_eq(dns_name_parse(most, &n), 0);
	ck_assert_uint_eq(n.len, 255);
	most[253] = '.';
	most[254] = 'a';
	most[255] = '\0';
	ck_assert_int_eq(dns_name_parse(most, &n), -EINVAL);
}
END_TEST

START_TEST(names_are_alike_in_any_case)
{
	struct dns_name a = name_of("Web.Weft.INTERNAL"), b = name_of("wEb.weft.internal"), c = name_of("web.weft"),
			zone = name_of("WEFT.internal"), odd = name_of("xweft.internal"), root = name_of(".");

	ck_assert(dns_name_equal(&a, &b));
	ck_assert(!dns_name_equal(&a, &c));
	ck_assert_int_eq(dns_name_below(&a, &zone), 4);
	ck_assert_int_eq(dns_name_below(&zone, &zone), 0);
	ck_assert_int_eq(dns_name_below(&odd, &zone), -1);
	ck_assert_int_eq(dns_name_below(&c, &zone), -1);
	ck_assert_int_eq(dns_name_below(&root, &zone), -1);
	ck_assert_int_eq(dns_name_below(&zone, &root), 14);
}
END_TEST

START_TEST(names_are_joined_while_they_fit)
{
	struct dns_name n = name_of("web"), suffix = name_of("weft.internal"), most;
	char wide[256];

	ck_assert_int_eq(dns_name_append(&n, &suffix), 0);
	ck_assert_str_eq(dns_name_text(&n, text, sizeof(text)), "web.weft.internal");
	for (size_t i = 0; i < 252; i++)
		wide[i] = i % 2 ? '.' : 'a';
	wide[251] = '\0';
	most = name_of(wide);
	ck_assert_int_eq(dns_name_append(&most, &suffix), -EINVAL);
	ck_assert_str_eq(dns_name_text(&most, text, sizeof(text)), wide);
}
END_TEST

START_TEST(odd_bytes_are_escaped)
{
	static const uint8_t wire[] = { 5, 'a', '.', '\\', 0, 0xff, 0 };
	struct dns_reader r = reader(wire, sizeof(wire));
	struct dns_name n;

	ck_assert_int_eq(dns_read_name(&r, &n), 0);
	ck_assert_str_eq(dns_name_text(&n, text, sizeof(text)), "a\\046\\092\\000\\255");
}
END_TEST

START_TEST(the_longest_name_has_a_text)
{
	uint8_t wire[255];
	struct dns_reader r = reader(wire, sizeof(wire));
	struct dns_name n;

	memset(wire, 1, sizeof(wire));
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	wire[254] = 0;
	ck_assert_int_eq(dns_read_name(&r, &n), 0);
	ck_assert_uint_eq(strlen(dns_name_text(&n, text, sizeof(text))), 250 * 4 + 3);
}
END_TEST

START_TEST(pointers_lead_backwards)
{
	static const uint8_t wire[] = { 4, 'w', 'e', 'f', 't', 0, 3, 'w', 'e', 'b', 0xc0, 0, 0xc0, 6, 0xff };
	struct dns_reader r = reader(wire, sizeof(wire));
	struct dns_name n;

	r.at = 12;
	ck_assert_int_eq(dns_read_name(&r, &n), 0);
	ck_assert_str_eq(dns_name_text(&n, text, sizeof(text)), "web.weft");
	ck_assert_uint_eq(r.at, 14);
}
END_TEST

static const struct {
	uint8_t wire[8];
	size_t len, at;
} bad[] = {
	{ { 0xc0, 0 }, 2, 0 },			/* to itself */
	{ { 0xc0, 2, 0xc0, 0 }, 4, 0 },		/* ahead */
	{ { 0xc0, 2, 0xc0, 0 }, 4, 2 },		/* back, and ahead again */
	{ { 1, 'a', 0xc0, 0 }, 4, 0 },		/* to its own beginning: for ever */
	{ { 1, 'a', 0xc0, 0, 0xc0, 2 }, 6, 4 }, /* a circle further back */
	{ { 0xc0 }, 1, 0 },			/* half a pointer */
	{ { 3, 'a', 'b' }, 3, 0 },		/* half a label */
	{ { 1, 'a' }, 2, 0 },			/* no end */
	{ { 0 }, 0, 0 },			/* nothing */
	{ { 0x40, 'a', 0 }, 3, 0 },		/* an extended label */
	{ { 0x80, 'a', 0 }, 3, 0 },		/* likewise */
	{ { 1, 'a', 0xff, 0xff }, 4, 0 },	/* out of the message */
};

START_TEST(bad_names_are_refused)
{
	struct dns_reader r = reader(bad[_i].wire, bad[_i].len);
	struct dns_name n;

	r.at = bad[_i].at;
	ck_assert_int_eq(dns_read_name(&r, &n), -EBADMSG);
	ck_assert_uint_eq(r.at, bad[_i].at);
}
END_TEST

START_TEST(a_name_by_pointers_is_no_longer_than_others)
{
	uint8_t wire[520];
	struct dns_reader r = reader(wire, sizeof(wire));
	struct dns_name n;
	size_t at = 0;

	/* Each name is "a" before the one before: the 128th is too long. */
	wire[at++] = 0;
	for (int i = 0; i < 127; i++) {
		wire[at] = 1;
		wire[at + 1] = 'a';
		wire[at + 2] = 0xc0;
		wire[at + 3] = i ? (uint8_t)(at - 4) : 0;
		if (i)
			wire[at + 2] = (uint8_t)(0xc0 | (at - 4) >> 8);
		r.at = at;
		ck_assert_int_eq(dns_read_name(&r, &n), 0);
		at += 4;
	}
	ck_assert_uint_eq(n.len, 255);
	wire[at] = 1;
	wire[at + 1] = 'a';
	wire[at + 2] = (uint8_t)(0xc0 | (at - 4) >> 8);
	wire[at + 3] = (uint8_t)(at - 4);
	r.at = at;
	ck_assert_int_eq(dns_read_name(&r, &n), -EBADMSG);
}
END_TEST

START_TEST(records_end_where_the_message_does)
{
	struct dns_fixture f;
	struct dns_header h;
	struct dns_record rec;

	given_message(&f, DNS_QR, "web", DNS_A);
	given_addr(&f, DNS_ANSWER, "web", 30, "10.0.0.1");
	for (size_t len = 0; len <= f.w.at; len++) {
		struct dns_reader r = reader(f.bytes, len);
		bool whole = dns_read_header(&r, &h) == 0 && dns_read_question(&r, &rec) == 0 &&
			     dns_read_record(&r, &rec) == 0;

		ck_assert(whole == (len == f.w.at));
	}
	ck_assert_uint_eq(rec.ttl, 30);
	ck_assert_uint_eq(rec.len, 4);
}
END_TEST

START_TEST(negative_times_are_none)
{
	struct dns_record rec = { .ttl = 0x80000000u };

	ck_assert_uint_eq(dns_ttl(&rec), 0);
	rec.ttl = INT32_MAX;
	ck_assert_uint_eq(dns_ttl(&rec), INT32_MAX);
}
END_TEST

START_TEST(a_writer_stays_within_its_buffer)
{
	uint8_t bytes[8] = { 0 };
	struct dns_writer w = { .bytes = bytes, .max = 5 };

	dns_write_u32(&w, 0x01020304);
	dns_write_u16(&w, 0xffff);
	ck_assert(w.full);
	dns_write(&w, "x", 1);
	ck_assert_uint_eq(w.at, 4);
	ck_assert_mem_eq(bytes, "\1\2\3\4\0\0\0\0", 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns message");
	TCase *c = tcase_create("message");

	tcase_add_test(c, names_are_read_as_they_are_written);
	tcase_add_test(c, impossible_names_are_refused);
	tcase_add_test(c, names_are_alike_in_any_case);
	tcase_add_test(c, names_are_joined_while_they_fit);
	tcase_add_test(c, odd_bytes_are_escaped);
	tcase_add_test(c, the_longest_name_has_a_text);
	tcase_add_test(c, pointers_lead_backwards);
	tcase_add_loop_test(c, bad_names_are_refused, 0, UNIT_NR(bad));
	tcase_add_test(c, a_name_by_pointers_is_no_longer_than_others);
	tcase_add_test(c, records_end_where_the_message_does);
	tcase_add_test(c, negative_times_are_none);
	tcase_add_test(c, a_writer_stays_within_its_buffer);
	suite_add_tcase(s, c);
	return unit_run(s);
}

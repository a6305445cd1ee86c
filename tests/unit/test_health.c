/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What active checks decide without a network: states, times, and the few bytes of gRPC. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/grpc.h"
#include "health/judge.h"
#include "health/probe.h"
#include "health/schedule.h"
#include "unit.h"

/* ---- rise and fall: one letter a check, + passed, - failed; and the state after each: u(p), d(own) ---- */

static const struct {
	const char *name;
	unsigned rise, fall;
	const char *checks, *states;
} rows[] = {
	{ "the first success counts alone", 3, 3, "+", "u" },
	{ "the first failure counts alone", 3, 3, "-", "d" },
	{ "falls after three", 2, 3, "+---", "uuud" },
	{ "rises after two", 2, 3, "-++", "ddu" },
	{ "a success in between begins anew", 2, 3, "+--+--+---", "uuuuuuuuud" },
	{ "a failure in between begins anew", 2, 3, "-+-+-++", "ddddddu" },
	{ "flapping changes nothing", 2, 2, "+-+-+-+-", "uuuuuuuu" },
	{ "one is enough", 1, 1, "+-+-", "udud" },
	{ "none counts as one", 0, 0, "+-+-", "udud" },
	{ "stays what it is", 2, 2, "++++", "uuuu" },
	{ "down and up again", 2, 2, "+--++--++",
	  "uuddu"
	  "uddu" },
	{ "what counted before the fall does not count for the rise", 3, 1, "++-++-+++",
	  "uudddd"
	  "ddu" },
};

START_TEST(rise_and_fall)
{
	struct judge j = { .fresh = true };

	for (size_t i = 0; rows[_i].checks[i]; i++) {
		bool was = j.state == HEALTH_S_UP, now = rows[_i].states[i] == 'u';
		bool changed = judge_result(&j, rows[_i].checks[i] == '+', rows[_i].rise, rows[_i].fall);

		ck_assert_msg(j.state == (now ? HEALTH_S_UP : HEALTH_S_DOWN), "%s: check %zu", rows[_i].name, i);
		ck_assert_msg(changed == (was != now), "%s: check %zu", rows[_i].name, i);
	}
}
END_TEST

START_TEST(the_row_counts_alike_results)
{
	struct judge j = { .fresh = true };
	const char *checks = "+++--+";
	const unsigned want[] = { 1, 2, 3, 1, 2, 1 };

	for (size_t i = 0; checks[i]; i++) {
		judge_result(&j, checks[i] == '+', 9, 9);
		ck_assert_uint_eq(j.row, want[i]);
	}
	j.row = UINT_MAX;
	judge_result(&j, true, 9, 9);
	ck_assert_uint_eq(j.row, UINT_MAX);
}
END_TEST

/* After a restart of the agent: the endpoint was healthy, and one failure is not enough. */
START_TEST(what_an_agent_before_found_is_kept)
{
	struct judge j = { .state = HEALTH_S_UP, .passed = true };

	ck_assert(!judge_result(&j, false, 2, 3));
	ck_assert(!judge_result(&j, false, 2, 3));
	ck_assert(j.state == HEALTH_S_UP);
	ck_assert(judge_result(&j, false, 2, 3));
	ck_assert(j.state == HEALTH_S_DOWN);
}
END_TEST

/* After a change of the check: what the old one said holds until the new one says something. */
START_TEST(a_new_check_decides_with_its_first_result)
{
	struct judge j = { .state = HEALTH_S_UP, .passed = true, .row = 7, .fresh = true };

	ck_assert(judge_result(&j, false, 2, 3));
	ck_assert(j.state == HEALTH_S_DOWN && j.row == 1);
	j.fresh = true;
	ck_assert(judge_result(&j, true, 2, 3));
	ck_assert(j.state == HEALTH_S_UP);
}
END_TEST

/* ---- when ---- */

#define SECOND 1000000000ull

START_TEST(a_few_begin_at_once)
{
	ck_assert_uint_eq(schedule_first_ns(0, 1, 10 * SECOND), 0);
	for (size_t i = 0; i < 5; i++)
		ck_assert(schedule_first_ns(i, 5, 10 * SECOND) < 5 * SPREAD_NS);
	ck_assert_uint_eq(schedule_first_ns(0, 0, SECOND), 0);
}
END_TEST

/* @nr targets from @from on, of 50,000, in each of the interval's ten seconds. */
static void check_even(size_t from, size_t nr, unsigned slack)
{
	unsigned in_second[10] = { 0 };

	for (size_t i = from; i < from + nr; i++) {
		uint64_t at = schedule_first_ns(i, 50000, 10 * SECOND);

		ck_assert(at < 10 * SECOND);
		in_second[at / SECOND]++;
	}
	for (int i = 0; i < 10; i++)
		ck_assert_msg(in_second[i] >= nr / 10 - slack && in_second[i] <= nr / 10 + slack,
			      "second %d: %u of %zu", i, in_second[i], nr);
}

START_TEST(many_begin_over_the_interval)
{
	check_even(0, 50000, 5);
	for (size_t from = 0; from < 50000; from += 1000)
		check_even(from, 1000, 5); /* neighbours, too */
}
END_TEST

START_TEST(times_stay_in_bounds)
{
	const uint64_t i = 10 * SECOND;

	ck_assert_uint_eq(schedule_second_ns(i, 0), i / 4);
	ck_assert(schedule_second_ns(i, UINT64_MAX) <= i);
	ck_assert(schedule_second_ns(i, UINT64_MAX) > i - 1000);
	ck_assert_uint_eq(schedule_next_ns(i, 0, 12345), i);
	ck_assert_uint_eq(schedule_next_ns(i, 10, 0), 9 * SECOND);
	ck_assert(schedule_next_ns(i, 10, UINT64_MAX) <= 11 * SECOND);
	ck_assert(schedule_next_ns(i, 10, UINT64_MAX) > 11 * SECOND - 1000);
	ck_assert_uint_eq(schedule_next_ns(i, 100, 0), 0);
	ck_assert_uint_eq(schedule_next_ns(i, 250, 0), 0);
	ck_assert_uint_eq(schedule_next_ns(UINT64_MAX / 4, 10, 1ull << 63), UINT64_MAX / 4);
}
END_TEST

/* Ten thousand that came together: after the second check no tenth of the interval has much more than its share. */
START_TEST(what_came_together_does_not_stay_together)
{
	unsigned in_tenth[10] = { 0 };
	uint64_t random = 1;

	for (size_t i = 0; i < 10000; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t at = schedule_second_ns(10 * SECOND, random);

		for (int k = 0; k < 8; k++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			at += schedule_next_ns(10 * SECOND, 10, random);
		}
		in_tenth[at % (10 * SECOND) / SECOND]++;
	}
	for (int i = 0; i < 10; i++)
		ck_assert_msg(in_tenth[i] < 1500 && in_tenth[i] > 600, "tenth %d has %u", i, in_tenth[i]);
}
END_TEST

static void check_heap(const struct heap *h)
{
	for (size_t i = 0; i < h->nr; i++) {
		ck_assert_uint_eq(h->due[i]->at, i + 1);
		ck_assert(!i || h->due[(i - 1) / 2]->ns <= h->due[i]->ns);
	}
}

START_TEST(the_heap_gives_the_earliest_first)
{
	static struct due due[2000];
	struct heap h = { 0 };
	uint64_t last = 0;

	srand(7);
	ck_assert_int_eq(heap_reserve(&h, 2000), 0);
	ck_assert_ptr_null(heap_first(&h));
	for (size_t i = 0; i < 2000; i++)
		heap_add(&h, &due[i], (uint64_t)rand() % 5000);
	check_heap(&h);
	for (int i = 0; i < 3000; i++) {
		struct due *d = &due[rand() % 2000];

		if (rand() & 1)
			heap_remove(&h, d);
		else
			heap_add(&h, d, (uint64_t)rand() % 5000);
		if (i % 100 == 0)
			check_heap(&h);
	}
	check_heap(&h);
	while (heap_first(&h)) {
		struct due *d = heap_first(&h);

		ck_assert(d->ns >= last);
		last = d->ns;
		heap_remove(&h, d);
		ck_assert_uint_eq(d->at, 0);
		heap_remove(&h, d); /* not there: nothing happens */
	}
	heap_free(&h);
}
END_TEST

/* ---- gRPC ---- */

START_TEST(requests)
{
	uint8_t to[GRPC_REQUEST_MAX];
	char name[GRPC_SERVICE_MAX + 2];

	ck_assert_int_eq(grpc_request(NULL, to), 5);
	ck_assert_mem_eq(to, "\0\0\0\0\0", 5);
	ck_assert_int_eq(grpc_request("", to), 5);
	ck_assert_int_eq(grpc_request("web", to), 10);
	ck_assert_mem_eq(to, "\0\0\0\0\5\12\3web", 10);
	memset(name, 'x', sizeof(name));
	name[300] = '\0';
	ck_assert_int_eq(grpc_request(name, to), 5 + 1 + 2 + 300);
	ck_assert_mem_eq(to, "\0\0\0\1\x2f\12\xac\2x", 9);
	name[300] = 'x';
	name[GRPC_SERVICE_MAX] = '\0';
	ck_assert_int_eq(grpc_request(name, to), GRPC_REQUEST_MAX);
	name[GRPC_SERVICE_MAX] = 'x';
	name[GRPC_SERVICE_MAX + 1] = '\0';
	ck_assert_int_eq(grpc_request(name, to), -EMSGSIZE);
}
END_TEST

#define BODY(text) text, sizeof(text) - 1
static const struct {
	const char *body;
	size_t len;
	int want;
} bodies[] = {
	{ BODY("\0\0\0\0\2\x08\1"), GRPC_SERVING },
	{ BODY("\0\0\0\0\2\x08\2"), GRPC_NOT_SERVING },
	{ BODY("\0\0\0\0\2\x08\3"), GRPC_SERVICE_UNKNOWN },
	{ BODY("\0\0\0\0\0"), GRPC_UNKNOWN },
	{ BODY("\0\0\0\0\4\x08\2\x08\1"), GRPC_SERVING },   /* the last one counts */
	{ BODY("\0\0\0\0\3\x08\x81\0"), GRPC_SERVING },	    /* longer than it need be */
	{ BODY("\0\0\0\0\6\x08\1\x12\2xy"), GRPC_SERVING }, /* a field that came later */
	{ BODY("\0\0\0\0\x0b\x11"
	       "12345678"
	       "\x08\1"),
	  GRPC_SERVING }, /* of 64 bits */
	{ BODY("\0\0\0\0\7\x15"
	       "1234"
	       "\x08\1"),
	  GRPC_SERVING }, /* of 32 bits */
	{ BODY("\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), INT_MAX },
	{ BODY("\0\0\0\0\3\x08\xc8\1"), 200 },
	{ BODY(""), -ENODATA },
	{ BODY("\0\0\0\0"), -ENODATA },
	{ BODY("\0\0\0\0\2\x08"), -ENODATA },
	{ BODY("\0\xff\xff\xff\xff\x08\1"), -ENODATA },
	{ BODY("\1\0\0\0\2\x08\1"), -ENOTSUP },
	{ BODY("\2\0\0\0\2\x08\1"), -EBADMSG },
	{ BODY("\0\0\0\0\2\x08\1\0"), -EBADMSG }, /* more than one message */
	{ BODY("\0\0\0\0\1\x08"), -EBADMSG },
	{ BODY("\0\0\0\0\2\x08\x80"), -EBADMSG },
	{ BODY("\0\0\0\0\2\0\1"), -EBADMSG },					      /* field 0 */
	{ BODY("\0\0\0\0\2\x0b\1"), -EBADMSG },					      /* a group */
	{ BODY("\0\0\0\0\4\x12\xff\x0f\1"), -EBADMSG },				      /* longer than the message */
	{ BODY("\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\2"), -EBADMSG }, /* 65 bits */
	{ BODY("\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), -EBADMSG },
	{ BODY("<html>Hello</html>"), -EBADMSG },
};

START_TEST(answers)
{
	uint8_t *copy = malloc(bodies[_i].len ? bodies[_i].len : 1); /* exactly as long: an overrun is seen */

	memcpy(copy, bodies[_i].body, bodies[_i].len);
	ck_assert_msg(grpc_response(copy, bodies[_i].len) == bodies[_i].want, "body %d: %d, not %d", _i,
		      grpc_response(copy, bodies[_i].len), bodies[_i].want);
	free(copy);
}
END_TEST

static const struct {
	const char *text;
	int want;
} statuses[] = {
	{ " 0\r\n", 0 },    { "0", 0 },		  { "12", 12 },	       { "\t16 \r\n", 16 },
	{ "999", 999 },	    { "", -EINVAL },	  { "\r\n", -EINVAL }, { "-1", -EINVAL },
	{ "0x1", -EINVAL }, { "99999", -EINVAL }, { "1 2", -EINVAL },
};

START_TEST(statuses_of_grpc)
{
	ck_assert_int_eq(grpc_status(statuses[_i].text, strlen(statuses[_i].text)), statuses[_i].want);
}
END_TEST

START_TEST(names_of_grpc)
{
	ck_assert_str_eq(grpc_status_name(0), "OK");
	ck_assert_str_eq(grpc_status_name(5), "NOT_FOUND");
	ck_assert_str_eq(grpc_status_name(16), "UNAUTHENTICATED");
	ck_assert_str_eq(grpc_status_name(17), "an unknown code");
	ck_assert_str_eq(grpc_status_name(-1), "an unknown code");
	ck_assert_str_eq(grpc_serving_name(1), "SERVING");
	ck_assert_str_eq(grpc_serving_name(4), "an unknown status");
}
END_TEST

/* ---- what is shown of texts from outside ---- */

static const struct {
	const char *from, *want;
} texts[] = {
	{ "plain", "plain" },
	{ "first\nsecond", "first" },
	{ "\n\r\n  first  \r\nsecond", "first" },
	{ "a\tb\x1b[31mc\x7f\xc3\xa4", "a b?[31mc???" },
	{ "", "" },
	{ "0123456789abcdef", "0123456789abcde" },
};

START_TEST(texts_become_one_printable_line)
{
	char to[16];

	ck_assert_str_eq(probe_text(texts[_i].from, to, sizeof(to)), texts[_i].want);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("health");
	TCase *t = tcase_create("health");

	tcase_add_loop_test(t, rise_and_fall, 0, UNIT_NR(rows));
	tcase_add_test(t, the_row_counts_alike_results);
	tcase_add_test(t, what_an_agent_before_found_is_kept);
	tcase_add_test(t, a_new_check_decides_with_its_first_result);
	tcase_add_test(t, a_few_begin_at_once);
	tcase_add_test(t, many_begin_over_the_interval);
	tcase_add_test(t, times_stay_in_bounds);
	tcase_add_test(t, what_came_together_does_not_stay_together);
	tcase_add_test(t, the_heap_gives_the_earliest_first);
	tcase_add_test(t, requests);
	tcase_add_loop_test(t, answers, 0, UNIT_NR(bodies));
	tcase_add_loop_test(t, statuses_of_grpc, 0, UNIT_NR(statuses));
	tcase_add_test(t, names_of_grpc);
	tcase_add_loop_test(t, texts_become_one_printable_line, 0, UNIT_NR(texts));
	suite_add_tcase(s, t);
	return unit_run(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* When the agent hears of a changed file: after its writer is done, once, and also in folders that come later. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/watch.h"
#include "base/cleanup.h"
#include "unit.h"

static uv_loop_t loop;
static struct watch *watch;
static char top[64];
static unsigned reports;
static bool unknown;
static char last[256]; /* names of the last report, each with a blank behind it */

static void on_change(void *ctx, const char *const *changed)
{
	reports++;
	unknown = !changed;
	last[0] = '\0';
	for (size_t i = 0; changed && changed[i]; i++) {
		size_t n = strlen(last);

		snprintf(last + n, sizeof(last) - n, "%s ", strrchr(changed[i], '/') + 1);
	}
}

static void on_deadline(uv_timer_t *timer)
{
	uv_stop(&loop);
}

/* Lets the loop run for @ms, or until there were @want reports. */
static void wait_for(unsigned want, unsigned ms)
{
	uv_timer_t deadline;

	uv_timer_init(&loop, &deadline);
	uv_update_time(&loop);
	uv_timer_start(&deadline, on_deadline, ms, 0);
	while (uv_is_active((uv_handle_t *)&deadline) && reports < want)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&deadline, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void given_file(const char *name)
{
	int fd = open(path_of(name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
}

static void setup(void)
{
	snprintf(top, sizeof(top), "/tmp/weft-test-watch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	reports = 0;
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(watch_new(&loop, on_change, NULL, &watch), 0);
}

static void teardown(void)
{
	char command[96];

	watch_free(watch);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	ck_assert_int_eq(system(command), 0);
}

static void watch_top(void)
{
	char *const folders[] = { top, NULL };

	ck_assert_int_eq(watch_folders(watch, folders), 1);
	ck_assert_int_eq(watch_folders(watch, folders), 0);
}

START_TEST(a_file_counts_when_it_is_closed)
{
	int fd;

	watch_top();
	fd = open(path_of("a.yaml"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	ck_assert_int_eq(write(fd, "half", 4), 4);
	wait_for(1, 100);
	ck_assert_uint_eq(reports, 0);
	close(fd);
	wait_for(1, 2000);
	ck_assert_uint_eq(reports, 1);
	ck_assert_str_eq(last, "a.yaml ");
}
END_TEST

START_TEST(renames_removals_and_links_count)
{
	char from[128];

	given_file("a");
	watch_top();
	snprintf(from, sizeof(from), "%s", path_of("a"));
	ck_assert_int_eq(rename(from, path_of("b")), 0);
	wait_for(1, 2000);
	ck_assert_str_eq(last, "a b ");
	ck_assert_int_eq(symlink("b", path_of("c")), 0);
	wait_for(2, 2000);
	ck_assert_str_eq(last, "c ");
	unlink(path_of("c"));
	wait_for(3, 2000);
	ck_assert_str_eq(last, "c ");
	ck_assert_uint_eq(reports, 3);
}
END_TEST

START_TEST(a_burst_is_two_reports)
{
	watch_top();
	given_file("first");
	wait_for(1, 2000);
	for (int i = 0; i < 10; i++)
		given_file(i & 1 ? "odd" : "even");
	wait_for(2, 2000);
	ck_assert_str_eq(last, "even odd ");
	wait_for(3, 3 * WATCH_PAUSE_MS);
	ck_assert_uint_eq(reports, 2);
	ck_assert(!unknown);
}
END_TEST

START_TEST(too_many_names_are_unknown)
{
	char name[32];

	watch_top();
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		given_file(name);
	}
	wait_for(1, 2000);
	ck_assert(unknown);
}
END_TEST

START_TEST(a_folder_that_comes_later_is_seen)
{
	char below[128];
	char *const folders[] = { below, NULL };

	snprintf(below, sizeof(below), "%s/x/y", top);
	ck_assert_int_eq(watch_folders(watch, folders), 1);
	ck_assert_int_eq(mkdir(path_of("x"), 0755), 0);
	wait_for(1, 2000);
	ck_assert(reports == 1 && unknown);
	ck_assert_int_eq(watch_folders(watch, folders), 1);
	ck_assert_int_eq(mkdir(below, 0755), 0);
	wait_for(2, 2000);
	ck_assert_int_eq(watch_folders(watch, folders), 1);
	given_file("x/y/z");
	wait_for(3, 2000);
	ck_assert_str_eq(last, "z ");
	ck_assert(!unknown);
}
END_TEST

START_TEST(a_folder_that_is_replaced_is_seen_again)
{
	char folder[128], other[128];
	char *const folders[] = { folder, NULL };

	snprintf(folder, sizeof(folder), "%s/conf", top);
	snprintf(other, sizeof(other), "%s/gone", top);
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	ck_assert_int_eq(watch_folders(watch, folders), 1);
	ck_assert_int_eq(rename(folder, other), 0);
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	wait_for(1, 2000);
	ck_assert(reports == 1 && unknown);
	ck_assert_int_eq(watch_folders(watch, folders), 1);
	given_file("gone/old");
	wait_for(2, 100);
	ck_assert_uint_eq(reports, 1);
	given_file("conf/new");
	wait_for(2, 2000);
	ck_assert_str_eq(last, "new ");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watch");
	TCase *t = tcase_create("watch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_counts_when_it_is_closed);
	tcase_add_test(t, renames_removals_and_links_count);
	tcase_add_test(t, a_burst_is_two_reports);
	tcase_add_test(t, too_many_names_are_unknown);
	tcase_add_test(t, a_folder_that_comes_later_is_seen);
	tcase_add_test(t, a_folder_that_is_replaced_is_seen_again);
	suite_add_tcase(s, t);
	return unit_run(s);
}

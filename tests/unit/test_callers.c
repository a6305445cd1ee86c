/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Names of callers: paths of cgroups, and pods in their place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "telemetry/callers.h"
#include "unit.h"

#define UID_A "0a1b2c3d-1111-2222-3333-444455556666"
#define UID_B "0a1b2c3d-1111-2222-3333-444455557777"

static char file[] = "/tmp/weft-test-callers-XXXXXX";
static struct callers *callers;

static const struct {
	const char *path, *name; /* NULL: it stays */
} paths[] = {
	{ "/kubepods/burstable/pod" UID_A "/abc", "pod/shop/cart-1" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0a1b2c3d_1111_2222_3333_444455556666.slice/"
	  "cri-1.scope",
	  "pod/shop/cart-1" },
	{ "/kubepods.slice/kubepods-pod0a1b2c3d_1111_2222_3333_444455557777.slice", "pod/pay/bank" },
	{ "/kubepods/pod" UID_A "x/abc", NULL },
	{ "/kubepods/pod00000000-1111-2222-3333-444455556666/abc", NULL },
	{ "/kubepods/xpod" UID_A, NULL },
	{ "/user.slice/podman.scope", NULL },
	{ "/kubepods/podpod" UID_A, NULL },
	{ "/", NULL },
};

static void write_file(const char *text)
{
	int fd;

	memcpy(file + sizeof(file) - 7, "XXXXXX", 6);
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void set_up(void)
{
	callers = callers_new();
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		ck_assert_int_eq(callers_add(callers, 100 + i, paths[i].path), 0);
	callers_sort(callers);
}

static void clean_up(void)
{
	callers_free(callers);
	unlink(file);
}

START_TEST(cgroups_of_pods_have_their_names)
{
	write_file("\n" UID_B " pay bank robber\nonly\ntwo words\n" UID_A " shop cart-1 -\n");
	ck_assert_int_eq(callers_name(callers, file), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		ck_assert_str_eq(callers_text(callers, callers_find(callers, 100 + i)),
				 paths[i].name ? paths[i].name : paths[i].path);
	ck_assert_uint_eq(callers_find(callers, 100), callers_find(callers, 101)); /* one pod is one caller */
	ck_assert_uint_ne(callers_find(callers, 100), callers_find(callers, 102));
	ck_assert_uint_eq(callers_find(callers, 999), CALLER_GONE);
}
END_TEST

START_TEST(without_a_file_paths_remain)
{
	ck_assert_int_eq(callers_name(callers, "/nonexistent/workloads"), -ENOENT);
	ck_assert_int_eq(callers_name_pods(callers, "nowhere"), -EINVAL);
	ck_assert_str_eq(callers_text(callers, callers_find(callers, 100)), paths[0].path);
}
END_TEST

static Suite *callers_suite(void)
{
	Suite *s = suite_create("callers");
	TCase *c = tcase_create("names");

	tcase_add_checked_fixture(c, set_up, clean_up);
	tcase_add_test(c, cgroups_of_pods_have_their_names);
	tcase_add_test(c, without_a_file_paths_remain);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(callers_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Configuration that golden files cannot hold: what is no file, cannot be read, or is too large to be kept. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config_fixture.h"
#include "unit.h"

static char scratch[64];

static const char *given_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

static void expect_refused(const char *path, const char *sentence)
{
	_cleanup_(freep) char *text = refusal(path);

	ck_assert_str_eq(text, sentence);
}

START_TEST(what_is_no_file_is_refused)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect_refused(given_path("missing"), "FILE: there is no such file\n");
	expect_refused(scratch, "FILE: is a folder; a regular file is wanted\n");
	expect_refused("/dev/zero", "FILE: is a device; a regular file is wanted\n");
	ck_assert_int_eq(mkfifo(given_path("fifo"), 0600), 0);
	expect_refused(given_path("fifo"), "FILE: is a FIFO; a regular file is wanted\n");
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.100s", given_path("socket"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	expect_refused(given_path("socket"), "FILE: is no file; a regular file is wanted\n");
	ck_assert_int_eq(symlink("loop", given_path("loop")), 0);
	expect_refused(given_path("loop"), "FILE: symbolic links that lead in a circle\n");
	ck_assert_int_eq(symlink("nowhere", given_path("dangling")), 0);
	expect_refused(given_path("dangling"), "FILE: there is no such file\n");
	spill(given_path("plain"), "a", 1);
	expect_refused(given_path("plain/x"), "FILE: cannot be read: Not a directory\n");
}
END_TEST

START_TEST(an_unreadable_file_is_refused)
{
	struct config *c = NULL;
	struct config_error e;
	int status;
	pid_t pid;

	spill(given_path("secret"), "instance: a\n", 12);
	ck_assert_int_eq(chmod(given_path("secret"), 0), 0);
	pid = fork();
	if (!pid) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(3);
		_exit(config_load(given_path("secret"), &c, &e) == -EACCES &&
				      !strcmp(e.text, "cannot be read: Permission denied")
			      ? 0
			      : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_huge_file_is_refused)
{
	spill(given_path("huge"), "", 0);
	ck_assert_int_eq(truncate(given_path("huge"), 300l << 20), 0); /* sparse: takes no room */
	expect_refused(given_path("huge"), "FILE: is 300 MiB large, 256 MiB are the most\n");
	ck_assert_int_eq(truncate(given_path("huge"), 200l << 20), 0);
	expect_refused(given_path("huge"), "FILE:1: holds a control character (byte 0x00): not a text file\n");
}
END_TEST

START_TEST(binary_junk_is_refused)
{
	char junk[65536];
	uint32_t x = 88172645;

	for (size_t i = 0; i < sizeof(junk); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		junk[i] = (char)x;
	}
	spill(given_path("junk"), junk, sizeof(junk));
	free(refusal(given_path("junk")));
	junk[0] = (char)0xff;
	spill(given_path("junk"), junk, sizeof(junk));
	expect_refused(given_path("junk"), "FILE:1: holds a byte that is not UTF-8 (0xff): not a text file\n");
	spill(given_path("junk"),
	      "\x7f"
	      "ELF\x02\x01\x01",
	      7);
	expect_refused(given_path("junk"), "FILE:1: holds a control character (byte 0x7f): not a text file\n");
}
END_TEST

/* @nr elements that @element prints with its index, after @head. */
static void spill_many(const char *path, const char *head, unsigned nr, void (*element)(FILE *, unsigned))
{
	_cleanup_(fclosep) FILE *f = fopen(path, "we");

	fputs(head, f);
	for (unsigned i = 0; i < nr; i++)
		element(f, i);
}

static void put_address(FILE *f, unsigned i)
{
	fprintf(f, "      - 10.1.%u.%u:80\n", i / 256, i % 256);
}

START_TEST(too_many_elements_are_refused)
{
	static const char endpoints[] = "services:\n  - name: a\n    address: 10.0.0.1:80\n    endpoints:\n";
	static const char addresses[] = "services:\n  - name: a\n    addresses:\n";
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;

	spill_many(given_path("many"), endpoints, WEFT_ENDPOINTS_PER_SERVICE, put_address);
	ck_assert_int_eq(config_load(given_path("many"), &c, &e), 0);
	ck_assert_uint_eq(c->model->services[0]->nr_endpoints, WEFT_ENDPOINTS_PER_SERVICE);
	spill_many(given_path("many"), endpoints, WEFT_ENDPOINTS_PER_SERVICE + 1, put_address);
	expect_refused(given_path("many"),
		       "FILE:16389: services[0].endpoints[16384]: a service has at most 16384 endpoints\n");
	spill_many(given_path("many"), addresses, WEFT_FRONTENDS_PER_SERVICE + 1, put_address);
	expect_refused(given_path("many"), "FILE:68: services[0].addresses[64]: a service has at most 64 addresses\n");
}
END_TEST

static void put_bracket(FILE *f, unsigned i)
{
	fputc(i % 2 ? '{' : '[', f);
}

START_TEST(deep_nesting_is_refused_at_once)
{
	spill_many(given_path("deep"), "", 1000000, put_bracket);
	expect_refused(given_path("deep"), "FILE:1: must be a mapping, not a list\n");
	spill_many(given_path("deep"), "services: [{endpoints: [{address: ", 1000000, put_bracket);
	expect_refused(given_path("deep"), "FILE:1: services[0].endpoints[0].address: must be a word, not a list; an "
					   "IPv6 address needs quotes: \"[fd00::1]:80\"\n");
}
END_TEST

static void make_scratch(void)
{
	snprintf(scratch, sizeof(scratch), "/tmp/weft-test-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chmod(scratch, 0755), 0);
}

static void remove_scratch(void)
{
	static const char *const names[] = { "fifo",   "socket", "loop", "dangling", "plain",
					     "secret", "huge",	 "junk", "many",     "deep" };

	for (int i = 0; i < UNIT_NR(names); i++)
		unlink(given_path(names[i]));
	ck_assert_int_eq(rmdir(scratch), 0);
}

static Suite *config_files_suite(void)
{
	Suite *s = suite_create("config files");
	TCase *files = tcase_create("files");

	tcase_add_unchecked_fixture(files, make_scratch, remove_scratch);
	tcase_set_timeout(files, 60);
	tcase_add_test(files, what_is_no_file_is_refused);
	tcase_add_test(files, an_unreadable_file_is_refused);
	tcase_add_test(files, a_huge_file_is_refused);
	tcase_add_test(files, binary_junk_is_refused);
	tcase_add_test(files, too_many_elements_are_refused);
	tcase_add_test(files, deep_nesting_is_refused_at_once);
	suite_add_tcase(s, files);
	return s;
}

int main(void)
{
	return unit_run(config_files_suite());
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The protocol of sd_notify(3), from the side of a service manager. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/notify.h"
#include "base/cleanup.h"
#include "unit.h"

/* A manager's socket called @name, "@..." for an abstract one; NOTIFY_SOCKET says so. */
static int given_manager(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(at.sun_path, name, strlen(name));
	if (*name == '@')
		at.sun_path[0] = '\0';
	else
		unlink(name);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)(const void *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static const char *heard(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

START_TEST(messages_arrive)
{
	const char *names[] = { "/tmp/weft-test-notify.sock", "@weft-test-notify" };
	_cleanup_(closep) int fd = -1;
	unsigned long long us;

	fd = given_manager(names[_i]);
	ck_assert_int_eq(notify_ready("2 services\nREADY=0"), 0);
	ck_assert_str_eq(heard(fd), "READY=1\nSTATUS=2 services READY=0");
	ck_assert_int_eq(notify_status("all well"), 0);
	ck_assert_str_eq(heard(fd), "STATUS=all well");
	ck_assert_int_eq(notify_reloading(), 0);
	ck_assert_int_eq(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%llu", &us), 1);
	ck_assert(us > 0);
	ck_assert_int_eq(notify_stopping(), 0);
	ck_assert_str_eq(heard(fd), "STOPPING=1");
	ck_assert_int_eq(notify_watchdog(), 0);
	ck_assert_str_eq(heard(fd), "WATCHDOG=1");
	unlink(names[0]);
}
END_TEST

START_TEST(nobody_to_tell_is_no_error)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_ready("x"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_ready("x"), 0);
	setenv("NOTIFY_SOCKET", "vsock:1:2", 1);
	ck_assert_int_eq(notify_ready("x"), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/weft-test", 1);
	ck_assert_int_eq(notify_ready("x"), -ENOENT);
}
END_TEST

static const struct {
	const char *us;
	bool mine;
	uint64_t ms;
} watchdogs[] = {
	{ NULL, true, 0 },	     { "", true, 0 },	  { "0", true, 0 },
	{ "30000000", true, 15000 }, { "1000", true, 1 }, { "30000000", false, 0 },
	{ "-1", true, 0 },	     { "3s", true, 0 },	  { "99999999999999999999999", true, 0 },
};

START_TEST(watchdog_period_is_half_of_what_the_manager_waits)
{
	char pid[32];

	if (watchdogs[_i].us)
		setenv("WATCHDOG_USEC", watchdogs[_i].us, 1);
	else
		unsetenv("WATCHDOG_USEC");
	snprintf(pid, sizeof(pid), "%d", (int)getpid() + !watchdogs[_i].mine);
	setenv("WATCHDOG_PID", pid, 1);
	ck_assert_uint_eq(notify_watchdog_ms(), watchdogs[_i].ms);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");

	tcase_add_loop_test(t, messages_arrive, 0, 2);
	tcase_add_test(t, nobody_to_tell_is_no_error);
	tcase_add_loop_test(t, watchdog_period_is_half_of_what_the_manager_waits, 0, UNIT_NR(watchdogs));
	suite_add_tcase(s, t);
	return unit_run(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which links are wanted, and what is known of the machine without asking BPF. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plane/follow.h"
#include "plane/netns_cookie.h"
#include "plane/state.h"
#include "plane/tc.h"
#include "unit.h"

static const struct {
	const char *name;
	const char *include[3], *exclude[3];
	bool wanted;
} names[] = {
	{ "eth0", { "*" }, { NULL }, true },
	{ "eth0", { NULL }, { NULL }, false },
	{ "eth0", { "eth*", "lo" }, { NULL }, true },
	{ "lo", { "eth*", "lo" }, { NULL }, true },
	{ "wg0", { "eth*", "lo" }, { NULL }, false },
	{ "eth0", { "*" }, { "eth0" }, false },
	{ "eth01", { "*" }, { "eth0" }, true },
	{ "veth1a", { "*" }, { "docker*", "veth?" }, true },
	{ "veth1a", { "*" }, { "docker*", "veth?[ab]" }, false },
	{ "br-12", { "br-[0-9]*" }, { NULL }, true },
	{ "br-x2", { "br-[!0-9]*" }, { NULL }, true },
	{ "Eth0", { "eth0" }, { NULL }, false },
	{ "eth0", { "" }, { NULL }, false },
	{ "a.100", { "a*" }, { "" }, true },
};

START_TEST(a_link_is_wanted_by_its_name)
{
	ck_assert_msg(plane_links_match(names[_i].name, names[_i].include, names[_i].exclude) == names[_i].wanted,
		      "case %d: %s", _i, names[_i].name);
}
END_TEST

START_TEST(no_lists_are_empty_lists)
{
	static const char *const all[] = { "*", NULL };

	ck_assert(!plane_links_match("eth0", NULL, NULL));
	ck_assert(plane_links_match("eth0", all, NULL));
}
END_TEST

START_TEST(pins_of_links_are_told_from_others)
{
	static const char *const ours[] = { "tcx_egress_1", "tcx_ingress_2147483647", "clsact_egress_3",
					    "clsact_ingress_3_new", "clsact_12" };
	static const char *const others[] = { "connect4", "tcx_egress_", "tcx_egress_0", "tcx", "clsact_x", "sockops",
					      "" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		ck_assert_msg(tc_is_pin(ours[i]), "%s", ours[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ck_assert_msg(!tc_is_pin(others[i]), "%s", others[i]);
}
END_TEST

/* Against the kernel's own configuration, where that can be read. */
START_TEST(ticks_are_those_of_the_kernel)
{
	FILE *f = popen("zcat /proc/config.gz 2>/dev/null || cat /boot/config-$(uname -r) 2>/dev/null", "r");
	uint32_t hz = kernel_hz();
	unsigned written;
	char line[256];

	ck_assert_uint_gt(hz, 0);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CONFIG_HZ=%u", &written) == 1)
			ck_assert_uint_eq(hz, written);
	if (f)
		pclose(f);
}
END_TEST

START_TEST(a_namespace_has_one_cookie)
{
	uint64_t a = 0, b = 0;

	if (netns_cookie(&a) < 0)
		return; /* before 5.14 */
	ck_assert_int_eq(netns_cookie(&b), 0);
	ck_assert_uint_ne(a, 0);
	ck_assert_uint_eq(a, b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("links");
	TCase *c = tcase_create("links");

	tcase_add_loop_test(c, a_link_is_wanted_by_its_name, 0, UNIT_NR(names));
	tcase_add_test(c, no_lists_are_empty_lists);
	tcase_add_test(c, pins_of_links_are_told_from_others);
	tcase_add_test(c, ticks_are_those_of_the_kernel);
	tcase_add_test(c, a_namespace_has_one_cookie);
	suite_add_tcase(s, c);
	return unit_run(s);
}

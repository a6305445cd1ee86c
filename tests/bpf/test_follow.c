/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Links that come, go, move, and change their names. */
#include "nic.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "plane/follow.h"
#include "plane/tc_hooks.h"

static const char *const all[] = { "*", NULL };
static const char *const none[] = { NULL };

static unsigned nr_failed;

static void on_failed(void *ctx, const char *link, const struct plane_error *e)
{
	nr_failed++;
	fprintf(stderr, "%s: %s\n", link, e->text);
}

static void finish(struct plane_follow *f)
{
	while (plane_follow_step(f))
		continue;
}

static void want(struct plane_follow *f, const char *const *include, const char *const *exclude)
{
	ck_assert_int_eq(plane_follow_want(f, include, exclude), 0);
	finish(f);
}

static struct plane_follow *given_follower(const char *const *include, const char *const *exclude)
{
	struct plane_error err = { "" };
	struct plane_follow *f = NULL;

	ck_assert_msg(plane_follow_new(mesh.plane, on_failed, NULL, &f, &err) == 0, "%s", err.text);
	want(f, include, exclude);
	return f;
}

static bool follows(struct plane_follow *f, int ifindex)
{
	ck_assert_int_eq(plane_follow_read(f), 0);
	finish(f);
	return is_attached(ifindex);
}

START_TEST(links_are_followed_as_they_come_and_go)
{
	struct plane_follow *f = given_follower(all, none);
	int veth, peer;

	ck_assert(is_attached(LO));
	veth = given_veth("weft0", "weft1");
	peer = (int)if_nametoindex("weft1");
	ck_assert(WITHIN(2000, follows(f, veth) && follows(f, peer)));
	ck_assert_uint_eq(plane_follow_count(f), 3);
	link_up_down(veth, true);
	link_up_down(veth, false);
	ck_assert(follows(f, veth));
	link_remove(veth); /* its peer goes with it */
	ck_assert(WITHIN(2000, !follows(f, veth) && plane_follow_count(f) == 1));
	ck_assert_uint_eq(nr_failed, 0);
	plane_follow_free(f);
	ck_assert(is_attached(LO));
	ck_assert_uint_eq(nr_pins(), kernel_has_tcx() ? 2 : 3);
}
END_TEST

START_TEST(a_name_decides_and_may_change)
{
	static const char *const include[] = { "lo", "weft*", NULL }, *const exclude[] = { "weft1", NULL };
	struct plane_follow *f = given_follower(include, exclude);
	int veth = given_veth("weft0", "weft1"), peer = (int)if_nametoindex("weft1");

	ck_assert(WITHIN(2000, follows(f, veth)));
	ck_assert(!is_attached(peer));
	link_rename(veth, "pod0");
	ck_assert(WITHIN(2000, !follows(f, veth)));
	link_rename(peer, "weft2");
	ck_assert(WITHIN(2000, follows(f, peer)));
	/* The operator's mind, too. */
	want(f, all, exclude);
	ck_assert(is_attached(veth));
	want(f, none, none);
	ck_assert_uint_eq(plane_follow_count(f), 0);
	ck_assert_uint_eq(nr_pins(), 0);
	ck_assert_uint_eq(mesh.maps->config->netns, 0);
	plane_follow_free(f);
}
END_TEST

/* The kernel says "gone" of the port, not of the link, when one leaves its bridge. */
START_TEST(a_port_that_leaves_its_bridge_stays)
{
	struct plane_follow *f = given_follower(all, none);
	int veth = given_veth("weft0", "weft1"), bridge = given_bridge("weftbr");

	ck_assert(WITHIN(2000, follows(f, veth) && follows(f, bridge)));
	link_enslave(veth, bridge);
	link_enslave(veth, 0);
	link_rename(bridge, "last"); /* comes after what is of interest */
	ck_assert(follows(f, veth));
	ck_assert_uint_eq(plane_follow_count(f), 4);
	link_remove(bridge);
	ck_assert(WITHIN(2000, !follows(f, bridge)));
	ck_assert(is_attached(veth));
	plane_follow_free(f);
}
END_TEST

START_TEST(one_look_is_enough_for_who_does_not_stay)
{
	struct plane_error err = { "" };

	ck_assert_int_eq(plane_follow_once(mesh.plane, all, none, on_failed, NULL, &err), 1);
	ck_assert(is_attached(LO));
	ck_assert_int_eq(plane_follow_once(mesh.plane, none, none, on_failed, NULL, &err), 0);
	ck_assert(!is_attached(LO));
}
END_TEST

/* As container runtimes do: made here, then moved into the pod. */
START_TEST(a_link_that_moves_away_is_let_go)
{
	struct plane_follow *f = given_follower(all, none);
	int veth = given_veth("weft0", "weft1"), peer = (int)if_nametoindex("weft1"), there;
	char path[64];
	uint32_t ids[8];
	int here = own_namespace();
	pid_t pod;

	ck_assert(WITHIN(2000, follows(f, veth) && follows(f, peer)));
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	pod = given_inhabitant();
	ck_assert_int_eq(setns(here, CLONE_NEWNET), 0);
	link_move(peer, pod);
	ck_assert(WITHIN(2000, !follows(f, peer)));
	ck_assert(is_attached(veth));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pod);
	there = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(setns(there, CLONE_NEWNET), 0);
	if (kernel_has_tcx())
		ck_assert_uint_eq(tcx_programs((int)if_nametoindex("weft1"), TCX_EGRESS, ids), 0);
	ck_assert_uint_eq(FILTERS_IN((int)if_nametoindex("weft1")), 0);
	kill(pod, SIGKILL);
	close(there);
	close(here);
	plane_follow_free(f);
}
END_TEST

/* Nobody reads for a while, and then there is more than the socket holds. */
START_TEST(what_was_missed_is_looked_up)
{
	struct plane_follow *f = given_follower(all, none);
	int veth = given_veth("weft0", "weft1"), small = 1, lost;

	ck_assert(WITHIN(2000, follows(f, veth)));
	ck_assert_int_eq(setsockopt(plane_follow_fd(f), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	lost = given_veth("late0", "late1");
	for (int i = 0; i < 50; i++)
		link_up_down(veth, i % 2);
	link_remove(veth);
	ck_assert(WITHIN(2000, follows(f, lost) && !follows(f, veth)));
	ck_assert_uint_eq(plane_follow_count(f), 3);
	plane_follow_free(f);
}
END_TEST

START_TEST(links_that_vanished_while_no_agent_ran_leave_no_pins)
{
	struct plane_follow *f = given_follower(all, none);
	int veth = given_veth("weft0", "weft1");

	ck_assert(WITHIN(2000, follows(f, veth)));
	plane_follow_free(f);
	link_remove(veth);
	ck_assert(!is_attached(veth));
	restart();
	f = given_follower(all, none);
	ck_assert_uint_eq(plane_follow_count(f), 1);
	ck_assert_int_eq(listed(veth).ifindex, 0);
	plane_follow_free(f);
}
END_TEST

START_TEST(unload_leaves_nothing)
{
	struct plane_follow *f = given_follower(all, none);
	char dir[512];
	uint32_t ids[8];

	snprintf(dir, sizeof(dir), "%s", mesh.maps->dir);
	plane_follow_free(f);
	unload();
	ck_assert_int_eq(access(dir, F_OK), -1);
	if (kernel_has_tcx())
		ck_assert_uint_eq(tcx_programs(LO, TCX_EGRESS, ids) + tcx_programs(LO, TCX_INGRESS, ids), 0);
	ck_assert(!has_clsact(LO));
}
END_TEST

static Suite *follow_suite(void)
{
	Suite *s = suite_create("follow");
	TCase *c = suite_case(s, "following", 30);
	tcase_add_test(c, links_are_followed_as_they_come_and_go);
	tcase_add_test(c, a_name_decides_and_may_change);
	tcase_add_test(c, a_port_that_leaves_its_bridge_stays);
	tcase_add_test(c, one_look_is_enough_for_who_does_not_stay);
	tcase_add_test(c, a_link_that_moves_away_is_let_go);
	tcase_add_test(c, what_was_missed_is_looked_up);
	tcase_add_test(c, links_that_vanished_while_no_agent_ran_leave_no_pins);
	tcase_add_test(c, unload_leaves_nothing);
	return s;
}

int main(void)
{
	return suite_main("follow", follow_suite);
}

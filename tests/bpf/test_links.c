/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Failover programs on real links: both ways of attaching, beside programs of others, and from other namespaces. */
#include "nic.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "plane/tc_hooks.h"

static bool lacks_tcx(void)
{
	if (!kernel_has_tcx())
		fprintf(stderr, "links: this kernel has no tcx: not tried\n");
	return !kernel_has_tcx();
}

/* ---- tcx ---- */

START_TEST(both_programs_are_attached_and_told)
{
	struct plane_tc t;

	ck_assert_uint_eq(mesh.maps->config->netns, 0);
	attach(LO);
	ck_assert_uint_eq(mesh.maps->config->netns, own_cookie());
	t = listed(LO);
	ck_assert_str_eq(t.name, "lo");
	ck_assert_str_eq(t.way, kernel_has_tcx() ? "tcx" : "clsact");
	ck_assert(!t.elsewhere);
	ck_assert_int_eq(plane_links_detach(mesh.plane, LO), 0);
	ck_assert_uint_eq(mesh.maps->config->netns, 0);
	ck_assert_uint_eq(nr_pins(), 0);
}
END_TEST

START_TEST(a_new_agent_swaps_programs_in_place)
{
	struct plane_tc before, after;

	attach(LO);
	before = listed(LO);
	restart();
	ck_assert(is_attached(LO)); /* and nobody asked for it */
	ck_assert_uint_eq(listed(LO).egress, before.egress);
	attach(LO);
	after = listed(LO);
	ck_assert_uint_ne(after.egress, before.egress);
	ck_assert_uint_ne(after.ingress, before.ingress);
}
END_TEST

START_TEST(links_of_tcx_stay_while_programs_change)
{
	uint32_t ids[8];

	if (lacks_tcx())
		return;
	attach(LO);
	restart();
	attach(LO);
	ck_assert_uint_eq(tcx_programs(LO, TCX_EGRESS, ids), 1);
	ck_assert_uint_eq(ids[0], listed(LO).egress);
	ck_assert_uint_eq(tcx_programs(LO, TCX_INGRESS, ids), 1);
	ck_assert_uint_eq(ids[0], listed(LO).ingress);
}
END_TEST

START_TEST(tcx_goes_before_others_and_leaves_them_alone)
{
	int prog = foreign_program(), link;
	uint32_t ids[8];

	if (lacks_tcx())
		return;
	link = bpf_link_create(prog, LO, TCX_EGRESS, NULL);
	ck_assert_int_ge(link, 0);
	attach(LO);
	ck_assert_uint_eq(tcx_programs(LO, TCX_EGRESS, ids), 2);
	ck_assert_uint_eq(ids[0], listed(LO).egress);
	unload();
	ck_assert_uint_eq(tcx_programs(LO, TCX_EGRESS, ids), 1);
	close(link);
	close(prog);
}
END_TEST

START_TEST(a_program_that_somebody_removed_comes_back)
{
	char path[512];
	int link;

	if (lacks_tcx())
		return;
	attach(LO);
	snprintf(path, sizeof(path), "%s/links/tcx_ingress_1", mesh.maps->dir);
	link = bpf_obj_get(path);
	ck_assert_int_eq(bpf_link_detach(link), 0);
	close(link);
	ck_assert(!is_attached(LO));
	attach(LO);
}
END_TEST

/* ---- clsact ---- */

START_TEST(clsact_comes_and_goes_as_a_whole)
{
	int veth = given_veth("weft0", "weft1");
	struct plane_tc t;

	plane_tc_choose(PLANE_TC_CLSACT);
	attach(veth);
	t = listed(veth);
	ck_assert_str_eq(t.way, "clsact");
	ck_assert_uint_eq(FILTERS_IN(veth), 1);
	ck_assert_uint_eq(FILTERS_OUT(veth), 1);
	/* Again, and by another agent: in their place. */
	attach(veth);
	restart();
	attach(veth);
	ck_assert_uint_ne(listed(veth).egress, t.egress);
	ck_assert_uint_eq(FILTERS_IN(veth), 1);
	ck_assert_uint_eq(FILTERS_OUT(veth), 1);
	ck_assert_int_eq(plane_links_detach(mesh.plane, veth), 0);
	ck_assert(!has_clsact(veth));
	ck_assert_uint_eq(nr_pins(), 0);
	ck_assert_uint_eq(mesh.maps->config->netns, 0);
}
END_TEST

START_TEST(a_clsact_of_others_stays)
{
	int veth = given_veth("weft0", "weft1");

	plane_tc_choose(PLANE_TC_CLSACT);
	given_foreign_filter(veth);
	attach(veth);
	ck_assert_uint_eq(FILTERS_IN(veth), 2);
	unload();
	ck_assert(has_clsact(veth));
	ck_assert(foreign_filter_is_there(veth));
	ck_assert_uint_eq(FILTERS_IN(veth), 1);
	ck_assert_uint_eq(FILTERS_OUT(veth), 0);
}
END_TEST

START_TEST(a_clsact_of_ours_that_others_came_to_use_stays)
{
	int veth = given_veth("weft0", "weft1");

	plane_tc_choose(PLANE_TC_CLSACT);
	attach(veth);
	given_foreign_filter(veth);
	unload();
	ck_assert(has_clsact(veth));
	ck_assert(foreign_filter_is_there(veth));
	ck_assert_uint_eq(FILTERS_IN(veth), 1);
	ck_assert_uint_eq(FILTERS_OUT(veth), 0);
}
END_TEST

START_TEST(two_instances_share_a_link)
{
	struct plane_error err = { "" };
	static struct mesh other;

	plane_tc_choose(PLANE_TC_CLSACT);
	mesh_up(&other, "other", NULL);
	attach(LO);
	ck_assert_msg(plane_links_attach(other.plane, LO, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(FILTERS_IN(LO), 2);
	unload();
	ck_assert_uint_eq(FILTERS_IN(LO), 1);
	ck_assert_uint_eq(other.maps->config->netns, own_cookie());
	mesh_down(&other);
	ck_assert_uint_eq(FILTERS_IN(LO), 0);
}
END_TEST

/* ---- namespaces ---- */

static void unload_from_elsewhere(enum plane_tc_way way)
{
	int here = own_namespace();
	uint32_t ids[8];

	plane_tc_choose(way);
	attach(LO);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert(listed(LO).elsewhere);
	/* clsact is found through a process or a name: this descriptor is neither, so somebody lives there. */
	unload();
	ck_assert_int_eq(setns(here, CLONE_NEWNET), 0);
	ck_assert_uint_eq(FILTERS_IN(LO) + FILTERS_OUT(LO), 0);
	if (kernel_has_tcx())
		ck_assert_uint_eq(tcx_programs(LO, TCX_EGRESS, ids) + tcx_programs(LO, TCX_INGRESS, ids), 0);
	close(here);
}

/* A process that does nothing, in the namespace in which this is called. */
START_TEST(unload_finds_links_of_another_namespace)
{
	pid_t inhabitant = given_inhabitant();

	unload_from_elsewhere(PLANE_TC_BEST);
	kill(inhabitant, SIGKILL);
}
END_TEST

START_TEST(unload_finds_filters_of_another_namespace)
{
	pid_t inhabitant = given_inhabitant();

	unload_from_elsewhere(PLANE_TC_CLSACT);
	kill(inhabitant, SIGKILL);
}
END_TEST

START_TEST(an_agent_in_another_namespace_takes_its_links_along)
{
	int before = own_namespace();
	uint32_t ids[8];

	if (lacks_tcx())
		return;
	attach(LO);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	restart();
	attach(LO);
	ck_assert(!listed(LO).elsewhere);
	ck_assert_uint_eq(mesh.maps->config->netns, own_cookie());
	ck_assert_int_eq(setns(before, CLONE_NEWNET), 0);
	ck_assert_uint_eq(tcx_programs(LO, TCX_EGRESS, ids), 0);
	close(before);
}
END_TEST

START_TEST(links_without_ethernet_have_programs_of_their_own)
{
	struct plane_tc lo, tun;
	int hole;

	ck_assert_int_eq(wire_hole(), 0);
	hole = (int)if_nametoindex("hole");
	attach(LO);
	attach(hole);
	lo = listed(LO);
	tun = listed(hole);
	ck_assert_uint_ne(lo.egress, tun.egress);
	ck_assert_uint_ne(lo.ingress, tun.ingress);
}
END_TEST

START_TEST(what_cannot_be_attached_says_so)
{
	struct plane_error err = { "" };

	ck_assert_int_eq(plane_links_attach(mesh.plane, 4711, &err), -ENODEV);
	ck_assert_uint_gt(strlen(err.text), 0);
	ck_assert_int_eq(plane_links_attach_type(mesh.plane, LO, 32, &err), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(err.text, "hardware type 32"));
	ck_assert_uint_eq(nr_pins(), 0);
}
END_TEST

static Suite *links_suite(void)
{
	Suite *s = suite_create("links");
	TCase *c = suite_case(s, "tcx", 30);

	tcase_add_test(c, both_programs_are_attached_and_told);
	tcase_add_test(c, a_new_agent_swaps_programs_in_place);
	tcase_add_test(c, links_of_tcx_stay_while_programs_change);
	tcase_add_test(c, tcx_goes_before_others_and_leaves_them_alone);
	tcase_add_test(c, a_program_that_somebody_removed_comes_back);
	tcase_add_test(c, what_cannot_be_attached_says_so);
	tcase_add_test(c, links_without_ethernet_have_programs_of_their_own);
	c = suite_case(s, "clsact", 30);
	tcase_add_test(c, clsact_comes_and_goes_as_a_whole);
	tcase_add_test(c, a_clsact_of_others_stays);
	tcase_add_test(c, a_clsact_of_ours_that_others_came_to_use_stays);
	tcase_add_test(c, two_instances_share_a_link);
	c = suite_case(s, "namespaces", 30);
	tcase_add_test(c, unload_finds_links_of_another_namespace);
	tcase_add_test(c, unload_finds_filters_of_another_namespace);
	tcase_add_test(c, an_agent_in_another_namespace_takes_its_links_along);
	return s;
}

int main(void)
{
	return suite_main("links", links_suite);
}

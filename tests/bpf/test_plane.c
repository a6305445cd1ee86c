/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* plane_* against the kernel's maps. No traffic: what programs do with the maps is tested elsewhere. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "harness.h"
#include "invariants.h"

#define BPFFS "/sys/fs/bpf"

static struct plane_options options(const char *suffix, char *instance, size_t len)
{
	snprintf(instance, len, "%s%s", mesh.name, suffix);
	return (struct plane_options){
		.bpffs = BPFFS,
		.instance = instance,
		.cgroup = mesh.cgroup,
		.lock_dir = "/run/weft",
		.limits = { .services = 4,
			    .frontends = 8,
			    .specs = 8,
			    .backends = 32,
			    .slots = 64,
			    .affinity = 16,
			    .edges = 16 },
	};
}

/* A further instance with little room, not attached. */
static struct plane *given_small(void)
{
	struct plane_error err = { "" };
	struct plane *p = NULL;
	enum plane_opened how;
	char instance[128];
	struct plane_options o = options("-small", instance, sizeof(instance));

	ck_assert_msg(plane_open(&o, &p, &how, &err) == 0, "%s", err.text);
	ck_assert_int_eq(how, PLANE_CREATED);
	return p;
}

static int reopen(struct plane_error *err)
{
	enum plane_opened how;
	char instance[128];
	struct plane_options o = options("", instance, sizeof(instance));
	int r;

	plane_close(MOVE(mesh.plane, NULL));
	r = plane_open(&o, &mesh.plane, &how, err);
	if (r)
		return r;
	mesh.maps = plane_maps(mesh.plane);
	return (int)how;
}

static void restart(void)
{
	struct plane_error err = { "" };

	ck_assert_msg(reopen(&err) == PLANE_ADOPTED, "%s", err.text);
	ck_assert_msg(plane_attach(mesh.plane, &err) == 0, "%s", err.text);
}

/* A service on 10.96.0.@vip:80 with endpoints 10.0.0.@first... and so on. */
static struct service *given(struct model *m, const char *name, unsigned vip, unsigned first, unsigned nr)
{
	struct frontend f = { .port = 80 };
	struct service *s = service_new(name);

	weft_addr_set_v4(&f.addr, htonl(0x0a600000u + vip));
	ck_assert_int_eq(service_add_frontend(s, &f), 0);
	for (unsigned i = 0; i < nr; i++) {
		struct endpoint e = { .port = 8080, .weight = 1 };

		weft_addr_set_v4(&e.addr, htonl(0x0a000000u + first + i));
		ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	}
	ck_assert_int_eq(model_add(m, s), 0);
	service_unref(s);
	return s;
}

static int try_apply(struct plane *p, struct model *m, struct plane_change *change, struct plane_error *err)
{
	const struct service *first, *second;
	const struct frontend *f;

	for (size_t i = 0; i < m->nr; i++)
		ck_assert_int_eq(service_sort(m->services[i]), -1);
	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0);
	return plane_apply(p, m, change, err);
}

static struct plane_change apply(struct plane *p, struct model *m)
{
	struct plane_change change = { 0 };
	struct plane_error err = { "" };

	ck_assert_msg(try_apply(p, m, &change, &err) == 0, "%s", err.text);
	expect_sound(plane_maps(p));
	return change;
}

static void expect_refused(struct plane *p, struct model *m, const char *words)
{
	uint64_t serial = plane_maps(p)->config->serial;
	struct plane_change change = { 0 };
	struct plane_error err = { "" };

	ck_assert_int_eq(try_apply(p, m, &change, &err), -ENOSPC);
	ck_assert_msg(strstr(err.text, words), "'%s' does not say '%s'", err.text, words);
	ck_assert_uint_eq(plane_maps(p)->config->serial, serial);
}

static uint32_t backend_id(const struct maps *m, unsigned ip)
{
	struct weft_addr a;

	weft_addr_set_v4(&a, htonl(0x0a000000u + ip));
	for (uint32_t id = 1; id < m->capacity[PLANE_MAP_BACKENDS]; id++)
		if (m->backends[id].flags & WEFT_BACKEND_F_USED && weft_addr_equal(&m->backends[id].addr, &a))
			return id;
	return 0;
}

START_TEST(what_is_wanted_is_there)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *none = model_new();
	struct plane_change c;

	given(m, "many", 1, 1, 40)->endpoints[3].weight = 20;
	given(m, "none", 2, 0, 0);
	given(m, "zero", 3, 50, 1)->endpoints[0].weight = 0;
	given(m, "hashed", 4, 60, 7)->lb = WEFT_LB_MAGLEV;
	c = apply(mesh.plane, m);
	ck_assert_uint_eq(c.services_added, 4);
	ck_assert_uint_eq(c.endpoints_added, 48);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, m);
	c = apply(mesh.plane, none);
	ck_assert_uint_eq(c.services_removed, 4);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, none);
}
END_TEST

START_TEST(the_same_again_changes_nothing)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *twin = model_new();
	struct plane_change c;
	uint64_t serial;

	given(m, "a", 1, 1, 5);
	given(m, "b", 2, 1, 5);
	apply(mesh.plane, m);
	serial = mesh.maps->config->serial;
	c = apply(mesh.plane, m);
	ck_assert_uint_eq(c.services_same, 2);
	given(twin, "b", 2, 1, 5);
	given(twin, "a", 1, 1, 5);
	c = apply(mesh.plane, twin);
	ck_assert_uint_eq(c.services_same, 2);
	restart();
	c = apply(mesh.plane, m);
	ck_assert_uint_eq(c.services_same, 2);
	ck_assert_uint_eq(mesh.maps->config->serial, serial);
}
END_TEST

START_TEST(a_removed_endpoint_keeps_its_id_until_its_last_connection)
{
	_cleanup_(model_freep) struct model *two = model_new();
	_cleanup_(model_freep) struct model *one = model_new();
	_cleanup_(model_freep) struct model *other = model_new();
	uint32_t id, gen;

	given(two, "a", 1, 1, 2);
	given(one, "a", 1, 1, 1);
	given(other, "a", 1, 9, 1);
	apply(mesh.plane, two);
	id = backend_id(mesh.maps, 2);
	gen = mesh.maps->backends[id].gen;
	mesh.maps->bstate[id].active = 1;
	apply(mesh.plane, one);
	ck_assert_uint_eq(mesh.maps->backends[id].flags, WEFT_BACKEND_F_USED | WEFT_BACKEND_F_DRAINING);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_gt(plane_reclaim(mesh.plane), 0);
	apply(mesh.plane, two); /* comes back as the same */
	ck_assert_uint_eq(backend_id(mesh.maps, 2), id);
	ck_assert_uint_eq(mesh.maps->backends[id].gen, gen);
	ck_assert_uint_eq(mesh.maps->bstate[id].active, 1);
	apply(mesh.plane, one);
	mesh.maps->bstate[id].active = 0;
	reclaim_all(mesh.plane);
	ck_assert_uint_eq(mesh.maps->backends[id].flags, 0);
	mesh.maps->bstate[id].opened = 7;
	apply(mesh.plane, other); /* the id goes to another, with a new generation */
	ck_assert_uint_eq(backend_id(mesh.maps, 9), id);
	ck_assert_uint_eq(mesh.maps->backends[id].gen, gen + 1);
	ck_assert_uint_eq(mesh.maps->bstate[id].opened, 0);
}
END_TEST

START_TEST(a_removed_service_that_comes_back_is_the_same)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *none = model_new();
	uint32_t id, backend;

	given(m, "a", 1, 1, 2);
	apply(mesh.plane, m);
	id = service_id(mesh.maps, "a");
	backend = backend_id(mesh.maps, 1);
	mesh.maps->bstate[backend].active = 1;
	apply(mesh.plane, none);
	plane_reclaim(mesh.plane);
	plane_reclaim(mesh.plane);
	ck_assert_uint_eq(service_id(mesh.maps, "a"), 0);
	if (_i)
		restart();
	apply(mesh.plane, m);
	ck_assert_uint_eq(service_id(mesh.maps, "a"), id);
	ck_assert_uint_eq(backend_id(mesh.maps, 1), backend);
	ck_assert_uint_eq(mesh.maps->bstate[backend].active, 1);
	mesh.maps->bstate[backend].active = 0;
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, m);
}
END_TEST

START_TEST(weight_0_takes_an_endpoint_out_and_keeps_it)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *swapped = model_new();
	struct plane_change c;
	uint32_t id;

	given(m, "a", 1, 1, 2)->endpoints[0].weight = 0;
	given(swapped, "a", 1, 1, 2)->endpoints[1].weight = 0;
	apply(mesh.plane, m);
	id = backend_id(mesh.maps, 1);
	ck_assert_uint_eq(mesh.maps->backends[id].flags, WEFT_BACKEND_F_USED);
	c = apply(mesh.plane, swapped);
	ck_assert_uint_eq(c.endpoints_changed, 2);
	ck_assert_uint_eq(mesh.maps->backends[id].flags, WEFT_BACKEND_F_USED | WEFT_BACKEND_F_READY);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, swapped);
}
END_TEST

START_TEST(addresses_change_hands)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *moved = model_new();

	for (unsigned i = 0; i < 6; i++)
		given(m, (char[]){ 'a', (char)('0' + i), 0 }, i, i, 2);
	for (unsigned i = 0; i < 6; i++) /* some in a circle, some renamed */
		given(moved, (char[]){ i < 3 ? 'a' : 'b', (char)('0' + i), 0 }, i < 3 ? (i + 1) % 3 : i, i, 2);
	apply(mesh.plane, m);
	apply(mesh.plane, moved);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, moved);
	restart();
	apply(mesh.plane, m);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, m);
}
END_TEST

START_TEST(the_protocol_of_a_service_changes)
{
	_cleanup_(model_freep) struct model *tcp = model_new();
	_cleanup_(model_freep) struct model *udp = model_new();

	given(tcp, "a", 1, 1, 2);
	given(udp, "a", 1, 1, 2)->proto = IPPROTO_UDP;
	apply(mesh.plane, tcp);
	apply(mesh.plane, udp);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, udp);
}
END_TEST

START_TEST(what_can_never_fit_is_refused_at_once)
{
	struct plane *p = given_small();
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *services = model_new();
	_cleanup_(model_freep) struct model *endpoints = model_new();
	_cleanup_(model_freep) struct model *slots = model_new();
	_cleanup_(model_freep) struct model *frontends = model_new();
	struct service *s;

	given(m, "a", 1, 1, 3);
	apply(p, m);
	for (unsigned i = 0; i < 5; i++)
		given(services, (char[]){ (char)('a' + i), 0 }, i, 1, 1);
	expect_refused(p, services, "limits.services is 4, there are 5 services");
	given(endpoints, "a", 1, 1, 33);
	expect_refused(p, endpoints, "limits.endpoints is 32, the services need 33");
	given(slots, "a", 1, 1, 2)->endpoints[0].weight = 64;
	expect_refused(p, slots, "limits.slots is 64, the services need 65");
	s = given(frontends, "a", 1, 1, 2);
	for (uint16_t port = 1; port <= 8; port++)
		ck_assert_int_eq(
			service_add_frontend(s, &(struct frontend){ .addr = s->frontends[0].addr, .port = port }), 0);
	expect_refused(p, frontends, "limits.frontends is 8, the services have 9 addresses");
	reclaim_all(p);
	expect_exactly(plane_maps(p), m);
	plane_close(p);
}
END_TEST

/* Room for one version of everything, not for two: then an apply waits, and takes what the old one gives back. */
START_TEST(a_full_map_is_replaced_all_the_same)
{
	struct plane *p = given_small();
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *next = model_new();
	_cleanup_(model_freep) struct model *other = model_new();

	for (unsigned i = 0; i < 4; i++) {
		given(m, (char[]){ (char)('a' + i), 0 }, i, 10 * i, 8);
		given(next, (char[]){ (char)('a' + i), 0 }, i + 4, 10 * i, 8)->endpoints[i].weight = 5;
		given(other, (char[]){ (char)('w' + i), 0 }, i + 8, 100 + 10 * i, 8);
	}
	apply(p, m);
	apply(p, next);
	apply(p, m);
	apply(p, other);
	apply(p, m);
	reclaim_all(p);
	expect_exactly(plane_maps(p), m);
	plane_close(p);
}
END_TEST

START_TEST(a_restart_keeps_ids)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *more = model_new();
	uint32_t a, b;

	given(m, "a", 1, 1, 3);
	given(m, "b", 2, 10, 3)->lb = WEFT_LB_MAGLEV;
	given(more, "a", 1, 1, 4);
	given(more, "b", 2, 10, 3)->lb = WEFT_LB_MAGLEV;
	apply(mesh.plane, m);
	a = backend_id(mesh.maps, 2);
	b = backend_id(mesh.maps, 12);
	restart();
	ck_assert_uint_eq(apply(mesh.plane, more).endpoints_added, 1);
	ck_assert_uint_eq(backend_id(mesh.maps, 2), a);
	ck_assert_uint_eq(backend_id(mesh.maps, 12), b);
	reclaim_all(mesh.plane);
	expect_exactly(mesh.maps, more);
}
END_TEST

START_TEST(rows_of_metrics_go_with_their_endpoint)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *one = model_new();
	struct weft_edge_key stays = { .service = 1 }, goes = { .service = 1 };
	int fd = mesh.maps->fd[PLANE_MAP_EDGES];
	struct weft_edge edge = { 0 };

	given(m, "a", 1, 1, 2);
	given(one, "a", 1, 1, 1);
	apply(mesh.plane, m);
	stays.backend = backend_id(mesh.maps, 1);
	stays.gen = mesh.maps->backends[stays.backend].gen;
	goes.backend = backend_id(mesh.maps, 2);
	goes.gen = mesh.maps->backends[goes.backend].gen;
	ck_assert_int_eq(bpf_map_update_elem(fd, &stays, &edge, BPF_ANY), 0);
	ck_assert_int_eq(bpf_map_update_elem(fd, &goes, &edge, BPF_ANY), 0);
	apply(mesh.plane, one);
	reclaim_all(mesh.plane);
	ck_assert_int_eq(bpf_map_lookup_elem(fd, &stays, &edge), 0);
	ck_assert_int_eq(bpf_map_lookup_elem(fd, &goes, &edge), -ENOENT);
}
END_TEST

START_TEST(an_instance_has_one_writer)
{
	struct plane_error err = { "" };
	struct plane *p = NULL;
	enum plane_opened how;
	char instance[128];
	struct plane_options o = options("", instance, sizeof(instance));

	ck_assert_int_eq(plane_open(&o, &p, &how, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, mesh.name));
	ck_assert_int_eq(plane_unload(BPFFS, mesh.name, &err), -EBUSY);
}
END_TEST

START_TEST(half_made_maps_are_made_again)
{
	struct plane_error err = { "" };
	char path[256];

	plane_close(MOVE(mesh.plane, NULL));
	snprintf(path, sizeof(path), "%s/weft/%s/weft_config", BPFFS, mesh.name);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(reopen(&err), -EUCLEAN); /* programs are attached: not for us to throw away */
	ck_assert_ptr_nonnull(strstr(err.text, "weft unload"));
	snprintf(path, sizeof(path), "rm -r %s/weft/%s/links", BPFFS, mesh.name);
	ck_assert_int_eq(system(path), 0);
	ck_assert_msg(reopen(&err) == PLANE_CREATED, "%s", err.text);
	ck_assert_msg(plane_attach(mesh.plane, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(unload_leaves_nothing)
{
	struct plane_error err = { "" };
	struct plane_link *links = NULL;
	struct stat s;
	char path[256];
	size_t nr;

	plane_dir(BPFFS, mesh.name, path, sizeof(path));
	ck_assert_int_eq(plane_links(path, &links, &nr), 0);
	ck_assert_uint_eq(nr, 10);
	ck_assert_str_eq(links[0].name, "connect4");
	ck_assert_str_eq(links[0].program, "weft_connect4");
	ck_assert_str_eq(links[0].target, mesh.cgroup);
	free(links);
	plane_close(MOVE(mesh.plane, NULL));
	ck_assert_msg(plane_unload(BPFFS, mesh.name, &err) == 0, "%s", err.text);
	ck_assert_int_eq(stat(path, &s), -1);
	snprintf(path, sizeof(path), "/run/weft/%s.lock", mesh.name);
	ck_assert_int_eq(stat(path, &s), -1);
	ck_assert_int_eq(plane_unload(BPFFS, mesh.name, &err), -ENOENT);
}
END_TEST

START_TEST(an_instance_stays_in_its_cgroup)
{
	struct plane_error err = { "" };
	char was[256], other[256];

	mesh_workload(&mesh, "other", other, sizeof(other));
	memcpy(was, mesh.cgroup, sizeof(was));
	memcpy(mesh.cgroup, other, sizeof(other));
	ck_assert_int_eq(reopen(&err), PLANE_ADOPTED);
	ck_assert_int_eq(plane_attach(mesh.plane, &err), -EEXIST);
	ck_assert_msg(strstr(err.text, was) && strstr(err.text, "weft unload"), "%s", err.text);
	memcpy(mesh.cgroup, was, sizeof(was));
}
END_TEST

static Suite *plane_suite(void)
{
	Suite *s = suite_create("plane");
	TCase *t = suite_case(s, "publish", 60);

	tcase_add_test(t, what_is_wanted_is_there);
	tcase_add_test(t, the_same_again_changes_nothing);
	tcase_add_test(t, a_removed_endpoint_keeps_its_id_until_its_last_connection);
	tcase_add_loop_test(t, a_removed_service_that_comes_back_is_the_same, 0, 2);
	tcase_add_test(t, weight_0_takes_an_endpoint_out_and_keeps_it);
	tcase_add_test(t, addresses_change_hands);
	tcase_add_test(t, the_protocol_of_a_service_changes);
	tcase_add_test(t, what_can_never_fit_is_refused_at_once);
	tcase_add_test(t, a_full_map_is_replaced_all_the_same);
	tcase_add_test(t, a_restart_keeps_ids);
	tcase_add_test(t, rows_of_metrics_go_with_their_endpoint);
	t = suite_case(s, "pins", 60);
	tcase_add_test(t, an_instance_has_one_writer);
	tcase_add_test(t, half_made_maps_are_made_again);
	tcase_add_test(t, unload_leaves_nothing);
	tcase_add_test(t, an_instance_stays_in_its_cgroup);
	return s;
}

int main(void)
{
	return suite_main("plane", plane_suite);
}

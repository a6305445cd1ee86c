/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * kill -9 at any moment. A child adopts what its predecessor left, checks it, brings it to a known state and checks
 * that nothing was lost, and then applies random changes until it is killed. WEFT_LOOPS children, 60 by default.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "harness.h"
#include "invariants.h"
#include "weft/outlier.h"

#define SERVICES  24
#define SHARED	  4  /* addresses that wander from service to service */
#define ENDPOINTS 12 /* per service, at most */

static void add_frontend(struct service *s, unsigned ip)
{
	struct frontend f = { .port = 80 };

	weft_addr_set_v4(&f.addr, htonl(0x0a600000u + ip));
	ck_assert_int_eq(service_add_frontend(s, &f), 0);
}

static struct service *random_service(unsigned i, unsigned *seed)
{
	static const uint16_t weights[] = { 0, 1, 1, 1, 2, 5, 100 };
	static const char *const zones[] = { NULL, "a", "b" };
	unsigned used = (unsigned)rand_r(seed);
	char name[32];
	struct service *s;

	snprintf(name, sizeof(name), "service-%u", i);
	s = service_new(name);
	s->lb = (uint8_t)(rand_r(seed) % WEFT_LB_MAX);
	s->maglev_size = 251;
	s->zone_aware = rand_r(seed) % 2;
	s->check.type = rand_r(seed) % 4 ? HEALTH_NONE : HEALTH_TCP;
	s->breaker.percent = rand_r(seed) % 2 ? 50 : 0;
	s->limits.rate = (uint32_t)rand_r(seed) % 2000;
	s->affinity = rand_r(seed) % 4 ? WEFT_CLIENT_NONE : WEFT_CLIENT_ADDRESS;
	add_frontend(s, i);
	for (unsigned k = 0; k < ENDPOINTS; k++) {
		struct endpoint e = { .port = 8080,
				      .weight = weights[rand_r(seed) % 7],
				      .priority = (uint8_t)(rand_r(seed) % 3),
				      .zone = zones[rand_r(seed) % 3],
				      .unready = rand_r(seed) % 5 == 0 };

		if (!(used >> k & 1))
			continue;
		weft_addr_set_v4(&e.addr, htonl(0x0a000000u + i * 256 + k));
		ck_assert_int_eq(service_add_endpoint(s, &e), 0);
	}
	return s;
}

/* The same seed gives the same model. */
static struct model *random_model(unsigned seed)
{
	const struct service *first, *second;
	struct model *m = model_new();
	const struct frontend *f;

	for (unsigned i = 0; i < SERVICES; i++) {
		struct service *s = random_service(i, &seed);

		if (rand_r(&seed) % 4)
			ck_assert_int_eq(model_add(m, s), 0);
		service_unref(s);
	}
	for (unsigned i = 0; m->nr && i < SHARED; i++)
		add_frontend(m->services[(unsigned)rand_r(&seed) % m->nr], 1000 + i);
	for (size_t i = 0; i < m->nr; i++)
		ck_assert_int_eq(service_sort(m->services[i]), -1);
	ck_assert_int_eq(model_seal(m, &first, &second, &f), 0);
	return m;
}

static void apply(struct plane *p, const struct model *m)
{
	struct plane_change change;
	struct plane_error err = { "" };

	ck_assert_msg(plane_apply(p, m, &change, &err) == 0, "%s", err.text);
}

/* What programs and checks do to endpoints meanwhile, and may be killed at. */
static void meddle(const struct maps *m, unsigned *seed)
{
	const struct weft_outlier_rule rule = {
		.failures = 1, .base_ms = 30, .max_ms = 1000, .percent = 100, .interval_ms = 1000, .endpoints = 1000
	};

	for (unsigned i = 0; i < 20; i++) {
		uint32_t id = 1 + (uint32_t)rand_r(seed) % 400;
		const struct weft_backend *b = &m->backends[id];

		if (!(b->flags & WEFT_BACKEND_F_USED))
			continue;
		switch (rand_r(seed) % 4) {
		case 0:
			maps_out_set(m, id, b->gen, WEFT_OUT_UNHEALTHY);
			break;
		case 1:
			maps_out_clear(m, id, b->gen, WEFT_OUT_UNHEALTHY);
			break;
		case 2:
			weft_outlier_eject(&m->bstate[id], &m->sstate[b->service], maps_unavailable(m, id), &rule,
					   WEFT_CAUSE_REFUSED, now_ms() * 1000000);
			break;
		case 3:
			maps_uneject(m, id, now_ms() * 1000000);
			break;
		}
	}
}

/* A child. Never returns. @ready: written to when it starts to make changes. */
static void live(unsigned seed, int ready)
{
	_cleanup_(model_freep) struct model *known = random_model(seed);
	struct plane_options o = { .bpffs = "/sys/fs/bpf",
				   .instance = mesh.name,
				   .cgroup = mesh.cgroup,
				   .lock_dir = "/run/weft",
				   /* little room: some changes have to wait for what the one before gives back */
				   .limits = { .services = 512, .frontends = 1024, .specs = 8192, .backends = 8192 } };
	struct plane_error err = { "" };
	struct plane *p = NULL;
	enum plane_opened how;

	ck_assert_msg(plane_open(&o, &p, &how, &err) == 0, "%s", err.text);
	ck_assert_int_eq(how, PLANE_ADOPTED);
	expect_sound(plane_maps(p));
	if (seed % 2)
		plane_set_zone(p, "a");
	apply(p, known);
	expect_sound(plane_maps(p));
	reclaim_all(p);
	expect_exactly(plane_maps(p), known);
	ck_assert_int_eq((int)write(ready, "", 1), 1);
	for (;;) {
		_cleanup_(model_freep) struct model *m = random_model((unsigned)rand_r(&seed));

		apply(p, m);
		meddle(plane_maps(p), &seed);
		if (rand_r(&seed) % 3 == 0)
			plane_reclaim(p);
	}
}

static void kill_one(unsigned seed)
{
	int status, ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		close(ready[0]);
		live(seed, ready[1]);
	}
	close(ready[1]);
	/* One in eight dies while it loads, adopts and puts right; the others while they change. */
	if (seed % 8)
		(void)!read(ready[0], &byte, 1);
	usleep((useconds_t)rand_r(&seed) % (seed % 8 ? 30000 : 300000));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "child %u found something wrong", seed);
}

START_TEST(whatever_a_killed_agent_leaves_is_sound)
{
	const char *loops = getenv("WEFT_LOOPS");
	unsigned long nr = loops ? strtoul(loops, NULL, 10) : 60;

	plane_close(MOVE(mesh.plane, NULL));
	for (unsigned long i = 1; i <= nr; i++)
		kill_one((unsigned)i);
}
END_TEST

static Suite *crash_suite(void)
{
	Suite *s = suite_create("crash");
	TCase *t = suite_case(s, "kill -9", 7200);

	tcase_add_test(t, whatever_a_killed_agent_leaves_is_sound);
	return s;
}

int main(void)
{
	return suite_main("crash", crash_suite);
}

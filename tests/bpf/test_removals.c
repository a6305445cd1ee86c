/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Endpoints that leave while clients connect: nothing new comes to them from the moment on when that was said, and no
 * connect fails. WEFT_OPS sets how many removals (300 unless told otherwise; 10,000 is the full form).
 */
#include "harness.h"

#include <pthread.h>

#include "plane/drain.h"

#define VIP "10.99.0.1"
#define S   1000000000ull

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static bool is_at(const char *served_by, const char *ip)
{
	return !strncmp(served_by, ip, strlen(ip)) && served_by[strlen(ip)] == ':';
}

#define CLIENTS 64
#define HOSTS	4

static const char *const hosts[HOSTS] = { "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5" };

/* When the removal of each was acknowledged; 0: it is in service, or may be. */
static uint64_t removed_at[HOSTS];
static bool stop;
static uint64_t nr_connects, nr_failed, nr_late;
static uint64_t
	nr_judged; /* connects that lie wholly between 1 ms after an acknowledgement and the end of that removal */
static uint64_t worst_ns;

static void *client(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		uint64_t before[HOSTS], after[HOSTS], began;
		bool judged = false;
		const char *who;
		int fd;

		for (int i = 0; i < HOSTS; i++)
			before[i] = __atomic_load_n(&removed_at[i], __ATOMIC_SEQ_CST);
		began = clock_ns();
		fd = tcp_to(VIP, 80);
		if (fd < 0) {
			__atomic_fetch_add(&nr_failed, 1, __ATOMIC_RELAXED);
			continue;
		}
		/* The endpoint is chosen by now; what it says of itself may take its time. */
		for (int i = 0; i < HOSTS; i++)
			after[i] = __atomic_load_n(&removed_at[i], __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&nr_connects, 1, __ATOMIC_RELAXED);
		who = sock_greeting(fd);
		for (int i = 0; i < HOSTS; i++) {
			/* The very removal that it knew of held until it was connected. */
			if (!before[i] || after[i] != before[i])
				continue;
			judged |= began - before[i] > 1000000;
			if (!is_at(who, hosts[i]))
				continue;
			worst_ns = began - before[i] > worst_ns ? began - before[i] : worst_ns;
			if (began - before[i] > 1000000)
				__atomic_fetch_add(&nr_late, 1, __ATOMIC_RELAXED);
		}
		if (judged)
			__atomic_fetch_add(&nr_judged, 1, __ATOMIC_RELAXED);
		close_with_reset(fd);
	}
	return NULL;
}

static void publish_without(int one)
{
	struct service *s = given_service(&mesh, "web", IPPROTO_TCP, VIP, 80, WEFT_LB_RANDOM);

	for (int i = 0; i < HOSTS; i++)
		if (i != one)
			given_endpoint(s, hosts[i], 80);
	publish_all(&mesh);
}

START_TEST(removals_under_load)
{
	const char *wanted = getenv("WEFT_OPS");
	uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 300, began;
	struct listener l[HOSTS];
	pthread_t thread[CLIENTS];

	for (int i = 0; i < HOSTS; i++)
		l[i] = (struct listener)TCP_AT(hosts[i], 80);
	given_servers(l, HOSTS);
	publish_without(-1);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, client, NULL), 0);
	began = clock_ns();
	for (uint64_t i = 0; i < n; i++) {
		int host = (int)(i % HOSTS);
		uint32_t id = 0;

		/* In turn: the operator drains, and the source says that it is gone. */
		if (i / HOSTS % 2) {
			publish_without(host);
		} else {
			id = endpoint_id(&mesh, "web", hosts[host], 80);
			ck_assert_int_eq(maps_drain_begin(mesh.maps, id, mesh.maps->backends[id].gen, 0), 0);
		}
		__atomic_store_n(&removed_at[host], clock_ns(), __ATOMIC_SEQ_CST);
		usleep(4000);
		__atomic_store_n(&removed_at[host], 0, __ATOMIC_SEQ_CST);
		if (id)
			ck_assert_int_eq(maps_drain_end(mesh.maps, id, mesh.maps->backends[id].gen, clock_ns()), 1);
		else
			publish_without(-1);
		if (i % 64 == 63)
			plane_reclaim(mesh.plane);
	}
	began = clock_ns() - began;
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(thread[i], NULL);
	printf("FIGURES: %llu removals in %.1f s, %d clients, %llu connects, %llu of them judged: %llu failed, %llu to "
	       "an endpoint later "
	       "than 1 ms after its removal was acknowledged (latest begun after it: %.3f ms)\n",
	       (unsigned long long)n, (double)began / 1e9, CLIENTS, (unsigned long long)nr_connects,
	       (unsigned long long)nr_judged, (unsigned long long)nr_failed, (unsigned long long)nr_late,
	       (double)worst_ns / 1e6);
	ck_assert_uint_eq(nr_failed, 0);
	ck_assert_uint_eq(nr_late, 0);
	ck_assert_uint_gt(nr_judged, n);
	expect_nothing_active(&mesh, 5000);
	expect_audit_clean(&mesh);
}
END_TEST

static Suite *removals_suite(void)
{
	Suite *s = suite_create("removals");
	TCase *c = suite_case(s, "load", 900);

	tcase_add_test(c, removals_under_load);
	return s;
}

int main(void)
{
	return suite_main("removals", removals_suite);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Publishing is atomic: clients connect in a tight loop while services flip between two disjoint sets of endpoints. No
 * connect fails, none reaches an endpoint of another service, and none that starts after a change was applied reaches
 * the old set.
 */
#include "harness.h"

#include <pthread.h>

#define NR_SERVICES 8 /* even: TCP, odd: UDP */
#define SET_SIZE    3
#define NR_CLIENTS  2
#define NR_FLIPS    10000
#define PATIENCE_MS 60000

/* Twice the number of the change that is in force; odd while one is being applied. */
static uint64_t phase;
static bool stop;

struct client {
	pthread_t thread;
	unsigned seed;
	uint64_t connects, strict;
	char trouble[200];
};

/* Service i, set k, endpoint j: 127.(20 + i).k.(j + 1):(8000 + i). */
static void endpoint_ip(char ip[32], unsigned service, unsigned set, unsigned j)
{
	snprintf(ip, 32, "127.%u.%u.%u", 20 + service, set, j + 1);
}

/* Returns how long it took until the last service had its new set. */
static uint64_t flip(unsigned change)
{
	struct plane_change done;

	char name[16], ip[32];

	for (unsigned i = 0; i < NR_SERVICES; i++) {
		struct service *s;

		snprintf(name, sizeof(name), "s%u", i);
		snprintf(ip, sizeof(ip), "10.99.0.%u", i + 1);
		s = given_service(&mesh, name, i % 2 ? IPPROTO_UDP : IPPROTO_TCP, ip, 80, (enum weft_lb)(i / 2 % 4));
		for (unsigned j = 0; j < SET_SIZE; j++) {
			endpoint_ip(ip, i, change % 2, j);
			given_endpoint(s, ip, (uint16_t)(8000 + i));
			/* Half of them change their levels besides. */
			if (i / 4)
				s->endpoints[s->nr_endpoints - 1].priority = (uint8_t)((change + j) % 3);
		}
	}
	__atomic_store_n(&phase, 2ull * change - 1, __ATOMIC_SEQ_CST);
	done = publish_all(&mesh);
	__atomic_store_n(&phase, 2ull * change, __ATOMIC_SEQ_CST);
	return done.visible_ns;
}

static void given_all_servers(void)
{
	static struct listener l[NR_SERVICES * 2 * SET_SIZE];
	static char ip[NR_SERVICES * 2 * SET_SIZE][32];
	size_t n = 0;

	for (unsigned i = 0; i < NR_SERVICES; i++) {
		for (unsigned k = 0; k < 2 * SET_SIZE; k++, n++) {
			endpoint_ip(ip[n], i, k % 2, k / 2);
			l[n] = (struct listener){ .ip = ip[n],
						  .port = (uint16_t)(8000 + i),
						  .proto = i % 2 ? IPPROTO_UDP : IPPROTO_TCP };
		}
	}
	given_servers(l, n);
}

/* One connect; 0 or what is wrong with it, in c->trouble. */
static int connect_once(struct client *c)
{
	unsigned i = (unsigned)rand_r(&c->seed) % NR_SERVICES, service, set, j, port;
	uint64_t before, after;
	const char *who;
	char vip[32];
	int fd;

	snprintf(vip, sizeof(vip), "10.99.0.%u", i + 1);
	before = __atomic_load_n(&phase, __ATOMIC_SEQ_CST);
	fd = i % 2 ? udp_to(vip, 80) : tcp_to(vip, 80);
	after = __atomic_load_n(&phase, __ATOMIC_SEQ_CST);
	if (fd < 0) {
		snprintf(c->trouble, sizeof(c->trouble), "service %u: connect: %s", i, strerror(-fd));
		return -1;
	}
	who = sock_greeting(fd);
	if (sscanf(who, "127.%u.%u.%u:%u", &service, &set, &j, &port) != 4 || service != 20 + i || port != 8000 + i) {
		snprintf(c->trouble, sizeof(c->trouble), "service %u was served by '%s'", i, who);
		close(fd);
		return -1;
	}
	close_with_reset(fd);
	c->connects++;
	if (before % 2 || before != after)
		return 0;
	c->strict++;
	if (set != before / 2 % 2) {
		snprintf(c->trouble, sizeof(c->trouble), "service %u: set %u after change %llu", i, set,
			 (unsigned long long)before / 2);
		return -1;
	}
	return 0;
}

static void *connect_on(void *arg)
{
	struct client *c = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && !connect_once(c))
		continue;
	return NULL;
}

START_TEST(no_connect_meets_half_a_change)
{
	struct client client[NR_CLIENTS] = {};
	uint64_t start, connects = 0, strict = 0;
	uint64_t visible_ns = 0;
	unsigned change = 1, rests;

	given_all_servers();
	flip(change);
	for (unsigned i = 0; i < NR_CLIENTS; i++) {
		client[i].seed = i + 1;
		ck_assert_int_eq(pthread_create(&client[i].thread, NULL, connect_on, &client[i]), 0);
	}
	start = now_ms();
	while (change < NR_FLIPS && now_ms() < start + PATIENCE_MS) {
		visible_ns += flip(++change);
		/* As the agent does, between changes. */
		if (change % 16 == 0)
			plane_reclaim(mesh.plane);
	}
	stop = true;
	for (unsigned i = 0; i < NR_CLIENTS; i++) {
		pthread_join(client[i].thread, NULL);
		ck_assert_msg(!*client[i].trouble, "client %u: %s", i, client[i].trouble);
		connects += client[i].connects;
		strict += client[i].strict;
	}
	printf("publish: %u changes of %d services in %.1f s, visible after %.3f ms each; %llu connects, %llu of them "
	       "strictly "
	       "after a change\n",
	       change, NR_SERVICES, (double)(now_ms() - start) / 1000, (double)visible_ns / change / 1e6,
	       (unsigned long long)connects, (unsigned long long)strict);
	ck_assert_uint_eq(change, NR_FLIPS);
	ck_assert_uint_gt(connects, 1000);
	ck_assert_uint_gt(strict, 100);
	expect_reason(&mesh, WEFT_R_NO_BACKEND, 0);
	expect_reason(&mesh, WEFT_R_NO_SERVICE, 0);
	expect_nothing_active(&mesh, 2000);
	expect_audit_clean(&mesh);
	/* Everything that the changes used comes back. */
	ck_assert_msg(WITHIN(5000, (rests = plane_reclaim(mesh.plane)) == 0), "%u things still rest", rests);
}
END_TEST

START_TEST(a_service_comes_and_goes)
{
	struct answer a;
	int fd;

	given_all_servers();
	for (unsigned i = 0; i < 20; i++) {
		flip(i + 1);
		fd = udp_to("10.99.0.2", 80);
		ck_assert_int_ge(fd, 0);
		ck_assert_str_ne(sock_greeting(fd), "");
		/* Nothing is described: everything goes, and the address is no service any more. */
		publish_all(&mesh);
		mark(&mesh);
		ck_assert_int_lt(tcp_to("10.99.0.1", 80), 0);
		expect_reason(&mesh, WEFT_R_NO_SERVICE, 1);
		/* The connection that was there lives on, under the name it had. */
		ck_assert_int_eq((int)send(fd, "still", 5, 0), 5);
		ck_assert_int_eq(udp_receive(fd, &a), 0);
		ck_assert_str_eq(a.source, "10.99.0.2:80");
		expect_peer(fd, "10.99.0.2:80");
		close(fd);
	}
	expect_nothing_active(&mesh, 1000);
}
END_TEST

static Suite *publish_suite(void)
{
	Suite *s = suite_create("publish");
	TCase *c = suite_case(s, "publish", 120);

	tcase_add_test(c, no_connect_meets_half_a_change);
	tcase_add_test(c, a_service_comes_and_goes);
	return s;
}

int main(void)
{
	return suite_main("publish", publish_suite);
}

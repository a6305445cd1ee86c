/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which endpoint is chosen, by many connects. Connected UDP where the handshake is not the point: the hook is the same,
 * and a hundred thousand take half a second.
 */
#include "harness.h"

#include <pthread.h>

#define NR_CONNECTS 100000

/* The endpoints of service "s", and how many connects each has got, from the kernel's own counters. */
struct tally {
	size_t nr;
	const struct weft_bstate *state[16];
	uint64_t start[16];
};

static void tally_start(struct tally *t, const char *net, size_t nr)
{
	char ip[32];

	t->nr = nr;
	for (size_t i = 0; i < nr; i++) {
		snprintf(ip, sizeof(ip), "%s.%zu", net, i + 2);
		t->state[i] = endpoint_id(&mesh, "s", ip, 8080) ? endpoint_state(&mesh, "s", ip, 8080) : NULL;
		t->start[i] = t->state[i] ? t->state[i]->opened : 0;
	}
}

static uint64_t tally_got(const struct tally *t, size_t i)
{
	return t->state[i] ? __atomic_load_n(&t->state[i]->opened, __ATOMIC_RELAXED) - t->start[i] : 0;
}

static double chi_square(const struct tally *t, const unsigned *weights, double total)
{
	double sum = 0, x = 0;

	for (size_t i = 0; i < t->nr; i++)
		sum += weights[i];
	for (size_t i = 0; i < t->nr; i++) {
		double expected = total * weights[i] / sum, d = (double)tally_got(t, i) - expected;

		x += d * d / expected;
	}
	return x;
}

/* Service "s" on @net.2, @net.3, ... of 8080. */
static struct service *given_set(uint8_t proto, enum weft_lb lb, const char *net, size_t nr)
{
	struct service *s = given_service(&mesh, "s", proto, "10.99.0.1", 80, lb);
	char ip[32];

	for (size_t i = 0; i < nr; i++) {
		snprintf(ip, sizeof(ip), "%s.%zu", net, i + 2);
		given_endpoint(s, ip, 8080);
	}
	return s;
}

static void connect_udp_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd = udp_to("10.99.0.1", 80);

		ck_assert_int_ge(fd, 0);
		close(fd);
	}
}

static void *connect_half(void *arg)
{
	connect_udp_many(NR_CONNECTS / 2);
	return NULL;
}

static void connect_all(void)
{
	pthread_t other;

	ck_assert_int_eq(pthread_create(&other, NULL, connect_half, NULL), 0);
	connect_half(NULL);
	pthread_join(other, NULL);
}

START_TEST(random_spreads_within_statistical_bounds)
{
	const unsigned weights[] = { 1, 1, 1 };
	struct tally t;
	double x;

	given_set(IPPROTO_UDP, WEFT_LB_RANDOM, "127.0.0", 3);
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	connect_all();
	x = chi_square(&t, weights, NR_CONNECTS);
	/* Two degrees of freedom: a fair spread is beyond 27.6 once in a million runs. */
	ck_assert_msg(x < 27.6, "chi square %.1f: %llu %llu %llu", x, (unsigned long long)tally_got(&t, 0),
		      (unsigned long long)tally_got(&t, 1), (unsigned long long)tally_got(&t, 2));
	ck_assert_uint_eq(tally_got(&t, 0) + tally_got(&t, 1) + tally_got(&t, 2), NR_CONNECTS);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

START_TEST(round_robin_is_exact)
{
	struct tally t;

	given_set(IPPROTO_UDP, WEFT_LB_ROUND_ROBIN, "127.0.0", 3);
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	connect_all();
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(tally_got(&t, i), (uint64_t)(NR_CONNECTS / 3) + (tally_got(&t, i) > NR_CONNECTS / 3));
	ck_assert_uint_eq(tally_got(&t, 0) + tally_got(&t, 1) + tally_got(&t, 2), NR_CONNECTS);
}
END_TEST

/* The counters above are the kernel's word. Here the servers have it. */
START_TEST(round_robin_over_tcp_is_exact_by_the_servers_word)
{
	static const struct listener l[] = { TCP_AT("127.0.0.2", 8080), TCP_AT("127.0.0.3", 8080),
					     TCP_AT("127.0.0.4", 8080) };
	unsigned seen[3] = {};

	given_servers(l, 3);
	given_set(IPPROTO_TCP, WEFT_LB_ROUND_ROBIN, "127.0.0", 3);
	publish_all(&mesh);
	for (int i = 0; i < 3000; i++) {
		int fd = tcp_to("10.99.0.1", 80);
		const char *who;

		ck_assert_int_ge(fd, 0);
		who = sock_greeting(fd);
		ck_assert_uint_eq(strlen(who), strlen("127.0.0.2:8080"));
		seen[who[8] - '2']++;
		close_with_reset(fd);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(seen[i], 1000);
}
END_TEST

static const enum weft_lb weighted[] = { WEFT_LB_ROUND_ROBIN, WEFT_LB_RANDOM };

START_TEST(weights_are_kept)
{
	const unsigned weights[] = { 5, 2, 1 };
	struct service *s = given_service(&mesh, "s", IPPROTO_UDP, "10.99.0.1", 80, weighted[_i]);
	struct tally t;

	given_weighted(s, "127.0.0.2", 8080, 5);
	given_weighted(s, "127.0.0.3", 8080, 2);
	given_weighted(s, "127.0.0.4", 8080, 1);
	given_weighted(s, "127.0.0.5", 8080, 0);
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	connect_udp_many(16000);
	ck_assert_uint_eq(tally_got(&t, 0) + tally_got(&t, 1) + tally_got(&t, 2), 16000);
	if (weighted[_i] == WEFT_LB_ROUND_ROBIN) {
		for (size_t i = 0; i < 3; i++)
			ck_assert_uint_eq(tally_got(&t, i), 2000 * weights[i]);
	} else {
		ck_assert_msg(chi_square(&t, weights, 16000) < 27.6, "chi square %.1f", chi_square(&t, weights, 16000));
	}
}
END_TEST

START_TEST(least_request_levels_connections_by_weight)
{
	struct service *s = given_service(&mesh, "s", IPPROTO_UDP, "10.99.0.1", 80, WEFT_LB_LEAST_REQUEST);
	unsigned active[3], expected[3] = { 400, 200, 200 };

	given_weighted(s, "127.0.0.2", 8080, 2);
	given_weighted(s, "127.0.0.3", 8080, 1);
	given_weighted(s, "127.0.0.4", 8080, 1);
	publish_all(&mesh);
	for (int i = 0; i < 800; i++)
		ck_assert_int_ge(udp_to("10.99.0.1", 80), 0);
	active[0] = endpoint_state(&mesh, "s", "127.0.0.2", 8080)->active;
	active[1] = endpoint_state(&mesh, "s", "127.0.0.3", 8080)->active;
	active[2] = endpoint_state(&mesh, "s", "127.0.0.4", 8080)->active;
	for (int i = 0; i < 3; i++)
		ck_assert_msg(abs((int)active[i] - (int)expected[i]) <= 12, "%u %u %u", active[0], active[1],
			      active[2]);
	ck_assert_uint_eq(active[0] + active[1] + active[2], 800);
	expect_audit_clean(&mesh);
}
END_TEST

/* A path that is ten times longer: 20 ms instead of 2 ms. */
START_TEST(p2c_ewma_avoids_a_slow_path)
{
	static const struct listener l[] = { TCP_AT("10.67.0.2", 8080), TCP_AT("10.67.0.3", 8080),
					     TCP_AT("10.67.0.4", 8080) };
	const struct wire_line line = { .slow_ip = "10.67.0.4", .fast_us = 2000, .slow_us = 20000, .l = l, .nr = 3 };
	const unsigned n = 1500;
	struct tally t;

	given_line(&line);
	given_set(IPPROTO_TCP, WEFT_LB_P2C_EWMA, "10.67.0", 3);
	publish_all(&mesh);
	tally_start(&t, "10.67.0", 3);
	wire_urgent();
	for (unsigned i = 0; i < n; i++) {
		int fd = tcp_to("10.99.0.1", 80);

		ck_assert_int_ge(fd, 0);
		close_with_reset(fd);
	}
	printf("p2c-ewma, slow path: %llu %llu %llu of %u\n", (unsigned long long)tally_got(&t, 0),
	       (unsigned long long)tally_got(&t, 1), (unsigned long long)tally_got(&t, 2), n);
	ck_assert_uint_lt(tally_got(&t, 2), n / 10);
	/* It is not forgotten either. */
	ck_assert_uint_gt(tally_got(&t, 2), 0);
	ck_assert_uint_gt(tally_got(&t, 0), n / 10);
	ck_assert_uint_gt(tally_got(&t, 1), n / 10);
}
END_TEST

static void *closed_loop(void *arg)
{
	unsigned *left = arg;

	while ((int)__atomic_sub_fetch(left, 1, __ATOMIC_RELAXED) >= 0) {
		int fd = tcp_to("10.99.0.1", 80);

		ck_assert_int_ge(fd, 0);
		ck_assert_str_ne(sock_greeting(fd), "");
		close_with_reset(fd);
	}
	return NULL;
}

/* An application that takes ten times longer, while the network is the same: only connections tell. */
START_TEST(p2c_ewma_avoids_a_slow_application)
{
	static const struct listener l[] = {
		{ .ip = "127.0.0.2", .port = 8080, .proto = IPPROTO_TCP, .delay_us = 5000 },
		{ .ip = "127.0.0.3", .port = 8080, .proto = IPPROTO_TCP, .delay_us = 5000 },
		{ .ip = "127.0.0.4", .port = 8080, .proto = IPPROTO_TCP, .delay_us = 50000 },
	};
	const unsigned n = 8000;
	unsigned left = n;
	pthread_t client[24];
	struct tally t;

	given_servers(l, 3);
	given_set(IPPROTO_TCP, WEFT_LB_P2C_EWMA, "127.0.0", 3);
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	for (int i = 0; i < 24; i++)
		ck_assert_int_eq(pthread_create(&client[i], NULL, closed_loop, &left), 0);
	for (int i = 0; i < 24; i++)
		pthread_join(client[i], NULL);
	printf("p2c-ewma, slow application: %llu %llu %llu of %u\n", (unsigned long long)tally_got(&t, 0),
	       (unsigned long long)tally_got(&t, 1), (unsigned long long)tally_got(&t, 2), n);
	ck_assert_uint_lt(tally_got(&t, 2), n / 10);
	expect_nothing_active(&mesh, 2000);
}
END_TEST

/* Connects from the @key-th of 100,000 source addresses; returns the index of the endpoint. */
static size_t choice_of_client(const struct tally *t, unsigned key)
{
	uint64_t before[16];
	char ip[32];
	int fd = sock_udp("127.0.0.1");

	snprintf(ip, sizeof(ip), "127.%u.%u.%u", 10 + key / 62500, key / 250 % 250, 1 + key % 250);
	ck_assert_int_eq(sock_bind(fd, ip, 0), 0);
	for (size_t i = 0; i < t->nr; i++)
		before[i] = tally_got(t, i);
	ck_assert_int_eq(sock_connect(fd, "10.99.0.1", 80), 0);
	close(fd);
	for (size_t i = 0; i < t->nr; i++)
		if (tally_got(t, i) != before[i])
			return i;
	ck_abort_msg("no endpoint was chosen");
	return 0;
}

static void given_maglev(size_t nr)
{
	struct service *s = given_set(IPPROTO_UDP, WEFT_LB_MAGLEV, "127.0.0", nr);

	s->hash_by = WEFT_CLIENT_ADDRESS;
	s->maglev_size = WEFT_MAGLEV_DEF;
	publish_all(&mesh);
}

START_TEST(maglev_moves_few_clients_when_an_endpoint_leaves)
{
	static uint8_t choice[NR_CONNECTS];
	const size_t n = 10;
	unsigned moved = 0, moved_for_nothing = 0, on[16] = {};
	struct tally t;

	given_maglev(n);
	tally_start(&t, "127.0.0", n);
	for (unsigned k = 0; k < NR_CONNECTS; k++) {
		choice[k] = (uint8_t)choice_of_client(&t, k);
		on[choice[k]]++;
	}
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(on[i] > NR_CONNECTS / n * 95 / 100 && on[i] < NR_CONNECTS / n * 105 / 100, "%u on %zu",
			      on[i], i);
	for (unsigned k = 0; k < 1000; k++)
		ck_assert_uint_eq(choice_of_client(&t, k), choice[k]);
	/* The last one goes. */
	given_maglev(n - 1);
	tally_start(&t, "127.0.0", n - 1);
	for (unsigned k = 0; k < NR_CONNECTS; k++) {
		size_t now = choice_of_client(&t, k);

		moved += now != choice[k];
		moved_for_nothing += now != choice[k] && choice[k] != n - 1;
	}
	printf("maglev: %u of %d clients moved, %u of them had no need to\n", moved, NR_CONNECTS, moved_for_nothing);
	ck_assert_uint_le(moved, NR_CONNECTS / n + NR_CONNECTS * 2 / 100);
}
END_TEST

START_TEST(source_hash_is_stable_and_spreads)
{
	unsigned on[3] = {};
	struct service *s;
	struct tally t;

	s = given_set(IPPROTO_UDP, WEFT_LB_SOURCE_HASH, "127.0.0", 3);
	s->hash_by = WEFT_CLIENT_ADDRESS;
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	for (unsigned k = 0; k < 3000; k++) {
		size_t first = choice_of_client(&t, k);

		on[first]++;
		ck_assert_uint_eq(choice_of_client(&t, k), first);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_msg(on[i] > 880 && on[i] < 1120, "%u %u %u", on[0], on[1], on[2]);
}
END_TEST

START_TEST(affinity_by_address_until_its_timeout)
{
	struct service *s = given_set(IPPROTO_UDP, WEFT_LB_ROUND_ROBIN, "127.0.0", 3);
	size_t first, second;
	uint64_t used;
	struct tally t;

	s->affinity = WEFT_CLIENT_ADDRESS;
	s->affinity_ms = 400;
	publish_all(&mesh);
	mark(&mesh);
	tally_start(&t, "127.0.0", 3);
	first = choice_of_client(&t, 1);
	second = choice_of_client(&t, 2);
	ck_assert_uint_ne(first, second);
	for (int i = 0; i < 10; i++) {
		ck_assert_uint_eq(choice_of_client(&t, 1), first);
		ck_assert_uint_eq(choice_of_client(&t, 2), second);
	}
	expect_reason(&mesh, WEFT_R_AFFINITY, 20);
	used = now_ms();
	ck_assert(WITHIN(3000, now_ms() > used + 410));
	/* The third in turn. */
	ck_assert_uint_eq(choice_of_client(&t, 1), 3 - first - second);
	expect_reason(&mesh, WEFT_R_AFFINITY, 20);
	/* And its endpoint leaving ends it at once. */
	s = given_service(&mesh, "s", IPPROTO_UDP, "10.99.0.1", 80, WEFT_LB_ROUND_ROBIN);
	s->affinity = WEFT_CLIENT_ADDRESS;
	s->affinity_ms = 60000;
	given_endpoint(s, first ? "127.0.0.2" : "127.0.0.3", 8080);
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	ck_assert_uint_eq(choice_of_client(&t, 1), first ? 0 : 1);
}
END_TEST

START_TEST(affinity_by_workload)
{
	struct service *s = given_set(IPPROTO_UDP, WEFT_LB_ROUND_ROBIN, "127.0.0", 3);
	char a[300], b[300];
	size_t on_a, on_b;
	struct tally t;

	s->affinity = WEFT_CLIENT_WORKLOAD;
	s->affinity_ms = 60000;
	publish_all(&mesh);
	tally_start(&t, "127.0.0", 3);
	mesh_workload(&mesh, "a", a, sizeof(a));
	mesh_workload(&mesh, "b", b, sizeof(b));
	cgroup_join(a);
	on_a = choice_of_client(&t, 1);
	cgroup_join(b);
	on_b = choice_of_client(&t, 1);
	ck_assert_uint_ne(on_a, on_b);
	for (unsigned i = 0; i < 6; i++) {
		cgroup_join(a);
		ck_assert_uint_eq(choice_of_client(&t, i), on_a);
		cgroup_join(b);
		ck_assert_uint_eq(choice_of_client(&t, i), on_b);
	}
}
END_TEST

static Suite *selection_suite(void)
{
	Suite *s = suite_create("selection");
	TCase *c = suite_case(s, "selection", 60);

	tcase_add_test(c, random_spreads_within_statistical_bounds);
	tcase_add_test(c, round_robin_is_exact);
	tcase_add_test(c, round_robin_over_tcp_is_exact_by_the_servers_word);
	tcase_add_loop_test(c, weights_are_kept, 0, 2);
	tcase_add_test(c, least_request_levels_connections_by_weight);
	tcase_add_test(c, p2c_ewma_avoids_a_slow_path);
	tcase_add_test(c, p2c_ewma_avoids_a_slow_application);
	tcase_add_test(c, maglev_moves_few_clients_when_an_endpoint_leaves);
	tcase_add_test(c, source_hash_is_stable_and_spreads);
	tcase_add_test(c, affinity_by_address_until_its_timeout);
	tcase_add_test(c, affinity_by_workload);
	return s;
}

int main(void)
{
	return suite_main("selection", selection_suite);
}

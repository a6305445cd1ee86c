/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connects per second, and the circuit breaker, from connect() to the wire. */
#include "census.h"
#include "crush.h"
#include "harness.h"
#include "weft/breaker.h"

#include <errno.h>

#define S 1000000000ull

static struct service *given_alone(const char *name, const char *vip, const char *ip)
{
	struct service *s = given_service(&mesh, name, IPPROTO_TCP, vip, 80, WEFT_LB_RANDOM);

	s->failover = false;
	s->ejection.on = false;
	given_endpoint(s, ip, 8080);
	return s;
}

static uint32_t service_id(const char *vip, uint8_t proto)
{
	struct weft_addr addr;
	int id;

	ck_assert_int_eq(addr_parse(vip, &addr), 0);
	id = maps_find_frontend(mesh.maps, &addr, 80, proto);
	ck_assert_int_gt(id, 0);
	return (uint32_t)id;
}

static enum weft_breaker_state state_of(const char *vip)
{
	return weft_breaker_state_of(
		__atomic_load_n(&mesh.maps->sstate[service_id(vip, IPPROTO_TCP)].breaker.word, __ATOMIC_SEQ_CST));
}

/* SYNs that left this network namespace, once for each connect. */
static unsigned long syns(void)
{
	char line[1024];
	unsigned long opens = 0;
	FILE *f = fopen("/proc/self/net/snmp", "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		/* "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens ..." */
		if (sscanf(line, "Tcp: %*d %*d %*d %*d %lu", &opens) == 1)
			break;
	fclose(f);
	return opens;
}

static const struct {
	uint32_t rate, burst, seconds;
	bool udp;
} rates[] = { { 200, 100, 3, false }, { 500, 250, 3, false }, { 1000, 500, 2, false }, { 500, 250, 2, true } };

struct moment {
	uint64_t before, after;
};

/* One more connect, closed at once. What connect() said. */
static int connect_once(struct crush *c, struct moment *when)
{
	int fd;

	when->before = crush_clock_ns();
	fd = c->udp ? udp_to(c->vip, c->port) : tcp_to(c->vip, c->port);
	when->after = crush_clock_ns();
	if (fd >= 0)
		close(fd);
	else
		ck_assert_int_eq(fd, -ECONNREFUSED);
	c->taken += fd >= 0;
	c->refused += fd < 0;
	return fd;
}

/*
 * Overload from many threads: what gets through is the burst and the rate, to the one. The bucket is as deep as half a
 * second, so that it never overflows while a busy machine runs others. Counted is from one moment at which it is empty
 * to another.
 */
START_TEST(connects_per_second)
{
	static const struct listener dns[] = { UDP_AT("127.0.0.2", 8080) };
	static const char *const ip[] = { "127.0.0.2" };
	struct crush crush = { .vip = "10.99.0.1",
			       .port = 80,
			       .udp = rates[_i].udp,
			       .end = CRUSH_RESETS,
			       .threads = 8,
			       .hold = 1,
			       .each = UINT32_MAX };
	struct census *c = census_start(ip, 1, 8080);
	struct moment first, last;
	uint64_t least, most, burst, rate;
	struct service *s;

	ck_assert_ptr_nonnull(c);
	given_servers(dns, 1);
	s = given_service(&mesh, "web", rates[_i].udp ? IPPROTO_UDP : IPPROTO_TCP, "10.99.0.1", 80, WEFT_LB_RANDOM);
	s->failover = false;
	s->limits.rate = rates[_i].rate;
	s->limits.burst = rates[_i].burst;
	given_endpoint(s, "127.0.0.2", 8080);
	publish_all(&mesh);
	mark(&mesh);
	while (connect_once(&crush, &first) >= 0)
		continue;
	burst = crush.taken;
	crush.until_ns = crush_clock_ns() + rates[_i].seconds * S;
	ck_assert_int_eq(crush_run(&crush), 0);
	while (connect_once(&crush, &last) >= 0)
		continue;
	least = (last.before - first.after) * rates[_i].rate / S;
	most = (last.after - first.before) * rates[_i].rate / S;
	rate = crush.taken - burst;
	printf("rate: %u/s with a burst of %u: %llu, and then in %.3f s %llu of %llu connects, expected %llu to %llu\n",
	       rates[_i].rate, rates[_i].burst, (unsigned long long)burst, (double)(last.before - first.before) / 1e9,
	       (unsigned long long)rate, (unsigned long long)(crush.taken + crush.refused - burst),
	       (unsigned long long)least, (unsigned long long)most);
	ck_assert_uint_eq(crush.trouble, 0);
	ck_assert_msg(rate + 1 >= least && rate <= most + 1, "%llu instead of %llu to %llu", (unsigned long long)rate,
		      (unsigned long long)least, (unsigned long long)most);
	/* And some more, that came while the burst was spent. */
	ck_assert_uint_ge(burst, rates[_i].burst);
	ck_assert_uint_lt(burst, rates[_i].burst * 3 / 2);
	expect_reason(&mesh, WEFT_R_RATE_LIMITED, crush.refused);
	if (!rates[_i].udp)
		ck_assert(WITHIN(2000, __atomic_load_n(&c->accepted, __ATOMIC_SEQ_CST) == crush.taken));
	expect_nothing_active(&mesh, 2000);
	census_stop(c);
}
END_TEST

/* A refusal of the rate takes neither a token of the next one nor a place. */
START_TEST(a_rate_that_was_not_used_fills_up)
{
	static const char *const ip[] = { "127.0.0.2" };
	struct census *c = census_start(ip, 1, 8080);
	struct service *s = given_alone("web", "10.99.0.1", "127.0.0.2");
	int fd;

	ck_assert_ptr_nonnull(c);
	s->limits.rate = 5;
	s->limits.burst = 3;
	publish_all(&mesh);
	for (int round = 0; round < 2; round++) {
		mark(&mesh);
		for (int i = 0; i < 3; i++) {
			ck_assert_int_ge(fd = tcp_to("10.99.0.1", 80), 0);
			close(fd);
		}
		for (int i = 0; i < 20; i++)
			ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
		expect_reason(&mesh, WEFT_R_RATE_LIMITED, 20);
		expect_nothing_active(&mesh, 2000);
		/* Three intervals of 0.2 s; no condition to be seen from here. */
		usleep(650000);
	}
	census_stop(c);
}
END_TEST

static void refuse_often(int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(tcp_to("10.99.0.1", 80), -ECONNREFUSED);
}

/* Nobody listens: 20 connects see it for themselves, and then none until the sleep window is over. */
START_TEST(opens_tries_once_and_closes)
{
	static const char *const ip[] = { "127.0.0.2" };
	struct crush crush = {
		.vip = "10.99.0.1", .port = 80, .end = CRUSH_CLIENT_CLOSES, .threads = 16, .hold = 1, .each = 20
	};
	unsigned long before;
	struct census *c;

	given_alone("web", "10.99.0.1", "127.0.0.2")->breaker = (struct breaker){ .percent = 50,
										  .volume = 20,
										  .sleep_ms = 400 };
	publish_all(&mesh);
	mark(&mesh);
	before = syns();
	refuse_often(19);
	ck_assert_int_eq(state_of("10.99.0.1"), WEFT_BREAKER_CLOSED);
	refuse_often(1);
	ck_assert_int_eq(state_of("10.99.0.1"), WEFT_BREAKER_OPEN);
	expect_reason(&mesh, WEFT_R_REFUSED, 20);
	ck_assert_uint_eq(syns() - before, 20);
	refuse_often(50);
	expect_reason(&mesh, WEFT_R_BREAKER_OPEN, 50);
	expect_reason(&mesh, WEFT_R_REFUSED, 20);
	ck_assert_uint_eq(syns() - before, 20);
	expect_nothing_active(&mesh, 1000);
	/* The window is over, and nothing is better: of 320 connects one goes out, and the breaker stays open. */
	usleep(420000);
	before = syns();
	ck_assert_int_eq(crush_run(&crush), 0);
	ck_assert_uint_eq(crush.taken, 0);
	ck_assert_uint_eq(crush.refused, 320);
	ck_assert_uint_eq(syns() - before, 1);
	expect_reason(&mesh, WEFT_R_REFUSED, 21);
	ck_assert_int_eq(state_of("10.99.0.1"), WEFT_BREAKER_OPEN);
	/* The server is back; nobody knows until the next trial. */
	c = census_start(ip, 1, 8080);
	ck_assert_ptr_nonnull(c);
	refuse_often(1);
	usleep(420000);
	ck_assert_int_ge(tcp_to("10.99.0.1", 80), 0);
	ck_assert(WITHIN(1000, state_of("10.99.0.1") == WEFT_BREAKER_CLOSED));
	for (int i = 0; i < 50; i++)
		ck_assert_int_ge(tcp_to("10.99.0.1", 80), 0);
	ck_assert_uint_eq(mesh.maps->sstate[service_id("10.99.0.1", IPPROTO_TCP)].breaker.opened, 1);
	census_stop(c);
}
END_TEST

/* While the one trial is on its way, the others are refused; what becomes of it decides. */
START_TEST(a_single_trial)
{
	struct crush crush = { .vip = "10.99.0.1", .port = 80, .threads = 16, .hold = 1, .each = 5 };
	static const struct listener far[] = { TCP_AT("10.67.0.2", 8080) };
	static const struct wire_line line = {
		.slow_ip = "10.67.0.2", .fast_us = 0, .slow_us = 400000, .l = far, .nr = 1
	};
	struct service *s;
	unsigned long before;
	int fd;

	given_line(&line);
	s = given_alone("web", "10.99.0.1", "10.67.0.2");
	s->breaker = (struct breaker){ .percent = 50, .volume = 3, .sleep_ms = 100 };
	publish_all(&mesh);
	/* Opened as if three connects had failed. */
	mesh.maps->sstate[service_id("10.99.0.1", IPPROTO_TCP)].breaker.word = weft_breaker_word(WEFT_BREAKER_OPEN,
												 now_ms());
	refuse_often(3);
	usleep(120000);
	before = syns();
	fd = tcp_start("10.99.0.1", 80);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(state_of("10.99.0.1"), WEFT_BREAKER_HALF_OPEN);
	ck_assert_int_eq(crush_run(&crush), 0);
	ck_assert_uint_eq(crush.refused, 80);
	ck_assert_uint_eq(syns() - before, 1);
	ck_assert_int_eq(tcp_finish(fd, 3000), 0);
	ck_assert(WITHIN(1000, state_of("10.99.0.1") == WEFT_BREAKER_CLOSED));
	close(fd);
	/* A trial whose application gives up is over, too. */
	mesh.maps->sstate[service_id("10.99.0.1", IPPROTO_TCP)].breaker.word = weft_breaker_word(WEFT_BREAKER_OPEN,
												 now_ms() - 200);
	fd = tcp_start("10.99.0.1", 80);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(state_of("10.99.0.1"), WEFT_BREAKER_HALF_OPEN);
	close(fd);
	ck_assert(WITHIN(1000, state_of("10.99.0.1") == WEFT_BREAKER_OPEN));
	expect_nothing_active(&mesh, 2000);
}
END_TEST

static void set_flags(const char *vip, uint32_t flags)
{
	__atomic_and_fetch(&mesh.maps->services[service_id(vip, IPPROTO_TCP)].flags,
			   ~(WEFT_SERVICE_F_FORCE_OPEN | WEFT_SERVICE_F_FORCE_CLOSED), __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&mesh.maps->services[service_id(vip, IPPROTO_TCP)].flags, flags, __ATOMIC_SEQ_CST);
}

/* The operator holds it open, whatever the service does, and closed, whatever it does; with a breaker or without. */
START_TEST(forced)
{
	static const char *const ip[] = { "127.0.0.2" };
	struct census *c = census_start(ip, 1, 8080);
	unsigned long before;
	int fd;

	ck_assert_ptr_nonnull(c);
	if (_i)
		given_alone("web", "10.99.0.1", "127.0.0.2")->breaker = (struct breaker){ .percent = 50,
											  .volume = 5,
											  .sleep_ms = 60000 };
	else
		given_alone("web", "10.99.0.1", "127.0.0.2");
	publish_all(&mesh);
	before = syns();
	set_flags("10.99.0.1", WEFT_SERVICE_F_FORCE_OPEN);
	mark(&mesh);
	refuse_often(10);
	expect_reason(&mesh, WEFT_R_BREAKER_OPEN, 10);
	ck_assert_uint_eq(syns() - before, 0);
	set_flags("10.99.0.1", 0);
	fd = tcp_to("10.99.0.1", 80);
	ck_assert_int_ge(fd, 0);
	close(fd);
	census_stop(c);
	set_flags("10.99.0.1", WEFT_SERVICE_F_FORCE_CLOSED);
	mark(&mesh);
	before = syns();
	refuse_often(30);
	expect_reason(&mesh, WEFT_R_REFUSED, 30);
	ck_assert_uint_eq(syns() - before, 30);
	/* The rate was counted all the while: without the operator's hand it is open. */
	set_flags("10.99.0.1", 0);
	refuse_often(1);
	expect_reason(&mesh, WEFT_R_BREAKER_OPEN, _i ? 1 : 0);
	expect_nothing_active(&mesh, 1000);
}
END_TEST

/* What a limit refuses says nothing about the service. */
START_TEST(refusals_by_limits_do_not_count)
{
	static const char *const ip[] = { "127.0.0.2" };
	struct census *c = census_start(ip, 1, 8080);
	struct service *s = given_alone("web", "10.99.0.1", "127.0.0.2");
	int fd[2];

	ck_assert_ptr_nonnull(c);
	s->breaker = (struct breaker){ .percent = 1, .volume = 1, .sleep_ms = 60000 };
	s->limits.connections = 2;
	publish_all(&mesh);
	for (int i = 0; i < 2; i++)
		ck_assert_int_ge(fd[i] = tcp_to("10.99.0.1", 80), 0);
	refuse_often(50);
	ck_assert_int_eq(state_of("10.99.0.1"), WEFT_BREAKER_CLOSED);
	for (int i = 0; i < 2; i++)
		close(fd[i]);
	expect_nothing_active(&mesh, 2000);
	census_stop(c);
}
END_TEST

static Suite *breaker_suite(void)
{
	Suite *s = suite_create("breaker");
	TCase *c = suite_case(s, "breaker", 120);

	tcase_add_loop_test(c, connects_per_second, 0, (int)(sizeof(rates) / sizeof(rates[0])));
	tcase_add_test(c, a_rate_that_was_not_used_fills_up);
	tcase_add_test(c, opens_tries_once_and_closes);
	tcase_add_test(c, a_single_trial);
	tcase_add_loop_test(c, forced, 0, 2);
	tcase_add_test(c, refusals_by_limits_do_not_count);
	return s;
}

int main(void)
{
	return suite_main("breaker", breaker_suite);
}

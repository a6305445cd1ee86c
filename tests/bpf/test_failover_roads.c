/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Failover on every road a SYN can take: over lo, from a process of the host to another one, from a pod that the host
 * routes, from a pod on a bridge; IPv4 and IPv6. Each test runs once for each road.
 */
#include "link_net.h"

#include <errno.h>
#include <net/if.h>

/* Ports; the index of the address is added. */
#define CLOSED 9010 /* nobody listens */
#define DEAF   9020
#define GOOD   9030
#define REJECT 9040 /* answered with ICMP */

enum {
	SERVICE_REFUSED,
	SERVICE_SILENT,
	SERVICE_MIXED,
	SERVICE_ALL_REFUSE,
	SERVICE_ALL_SILENT,
	SERVICE_REJECTED,
	SERVICE_ALL_REJECTED,
};

static struct road {
	const char *vip;
	const char *ip[4];	   /* of endpoints */
	const char *source;	   /* what servers must see */
	int home, client, servers; /* namespaces */
	struct place pod, far;
} road;

static void road_lo(bool v6)
{
	road.vip = v6 ? "fd99::1" : "10.99.0.1";
	for (int i = 0; i < 4; i++)
		road.ip[i] = v6 ? "::1" : (const char *[]){ "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5" }[i];
	road.client = road.servers = road.home;
	attach(LO);
}

static void remote_addresses(bool v6, const char *const ip4[4], const char *const ip6[4])
{
	road.vip = v6 ? "fd99::1" : "10.99.0.1";
	for (int i = 0; i < 4; i++)
		road.ip[i] = v6 ? ip6[i] : ip4[i];
}

static const char *const far4[] = { "10.70.0.2", "10.70.0.3", "10.70.0.4", "10.70.0.5" };
static const char *const far6[] = { "fd70:70::2", "fd70:70::3", "fd70:70::4", "fd70:70::5" };

static void road_uplink(bool v6)
{
	remote_addresses(v6, far4, far6);
	road.far = given_place();
	attach(LO);
	attach(given_street(&road.far, 70, "weft-up", "eth0"));
	road.client = road.home;
	road.servers = road.far.ns;
}

static void host_forwards(void)
{
	ck_assert_int_eq(wire_sysctl("net/ipv4/ip_forward", "1"), 0);
	ck_assert_int_eq(wire_sysctl("net/ipv6/conf/all/forwarding", "1"), 0);
}

static void road_pod(bool v6)
{
	road_uplink(v6);
	host_forwards();
	road.pod = given_place();
	attach(given_street(&road.pod, 71, "weft-pod", "eth0"));
	road.client = road.pod.ns;
}

/* Client and servers hang on the same bridge: the host routes nothing until a connect moves. */
static void road_bridge(bool v6)
{
	static const char *const on4[] = { "10.72.0.12", "10.72.0.13", "10.72.0.14", "10.72.0.15" };
	static const char *const on6[] = { "fd70:72::12", "fd70:72::13", "fd70:72::14", "fd70:72::15" };
	int bridge = given_bridge("weft-br"), pod, far;

	remote_addresses(v6, on4, on6);
	host_forwards();
	road.pod = given_place();
	road.far = given_place();
	pod = given_veth("weft-pod", "eth0");
	link_move((int)if_nametoindex("eth0"), road.pod.pid);
	far = given_veth("weft-far", "eth0");
	link_move((int)if_nametoindex("eth0"), road.far.pid);
	link_enslave(pod, bridge);
	link_enslave(far, bridge);
	shell("ip addr add 10.72.0.1/24 dev weft-br; ip addr add fd70:72::1/64 dev weft-br nodad; "
	      "for i in weft-br weft-pod weft-far; do ip link set $i up; done");
	shell_in(&road.pod, "ip addr add 10.72.0.2/24 dev eth0; ip addr add fd70:72::2/64 dev eth0 nodad; "
			    "ip link set eth0 up; ip route add default via 10.72.0.1");
	shell_in(&road.far, "for i in 12 13 14 15; do ip addr add 10.72.0.$i/24 dev eth0; "
			    "ip addr add fd70:72::$i/64 dev eth0 nodad; done; ip link set eth0 up; "
			    "ip route add default via 10.72.0.1");
	attach(LO);
	attach(bridge);
	attach(pod);
	attach(far);
	road.client = road.pod.ns;
	road.servers = road.far.ns;
}

static void (*const roads[])(bool v6) = { road_lo, road_uplink, road_pod, road_bridge };
#define NR_ROADS 8

struct stop {
	int ip;
	uint16_t port;
};

/* A service whose endpoints are tried in order, and which ejects nobody. */
static void given_ranked(unsigned which, const struct stop *stops, size_t n)
{
	char name[16];
	struct service *s;

	snprintf(name, sizeof(name), "s%u", which);
	s = given_service(&mesh, name, IPPROTO_TCP, road.vip, (uint16_t)(80 + which), WEFT_LB_LEAST_REQUEST);
	s->failover = true;
	s->ejection.on = false;
	s->panic_percent = 0;
	s->connect_timeout_ms = which == SERVICE_ALL_SILENT ? 300 : 5000;
	for (size_t i = 0; i < n; i++) {
		given_endpoint(s, road.ip[stops[i].ip], (uint16_t)(stops[i].port + stops[i].ip));
		s->endpoints[i].priority = (uint8_t)i;
	}
}
#define RANKED(which, ...)                                                                                             \
	given_ranked(which, (const struct stop[]){ __VA_ARGS__ },                                                      \
		     sizeof((const struct stop[]){ __VA_ARGS__ }) / sizeof(struct stop))

/*
 * Hosts that drop what conntrack cannot make sense of; one that answers with ICMP. On lo the answers of an endpoint
 * leave before they are translated, so there, what leaves must not be dropped.
 */
static void given_filters(bool lo)
{
	struct place at = { .ns = road.home };

	if (!shell_has("nft"))
		return;
	shell_in(&at,
		 "nft 'table inet strict { chain i { type filter hook input priority 0; ct state invalid drop; }; "
		 "chain f { type filter hook forward priority 0; ct state invalid drop; }; "
		 "chain o { type filter hook output priority 0; %s; }; }'",
		 lo ? "ct state invalid counter" : "ct state invalid drop");
	at.ns = road.servers;
	shell_in(&at, "nft 'table inet unfriendly { chain i { type filter hook input priority 1; "
		      "tcp dport 9040-9049 reject with icmpx host-unreachable; }; }'");
}

static void given_road(int i)
{
	struct listener l[] = { TCP_AT(NULL, GOOD + 3) };
	struct place at;

	road.home = own_namespace();
	roads[i / 2](i % 2);
	RANKED(SERVICE_REFUSED, { 0, CLOSED }, { 3, GOOD });
	RANKED(SERVICE_SILENT, { 1, DEAF }, { 3, GOOD });
	RANKED(SERVICE_MIXED, { 1, DEAF }, { 0, CLOSED }, { 2, DEAF }, { 3, GOOD });
	RANKED(SERVICE_ALL_REFUSE, { 0, CLOSED }, { 1, CLOSED }, { 2, CLOSED });
	RANKED(SERVICE_ALL_SILENT, { 1, DEAF }, { 2, DEAF });
	RANKED(SERVICE_REJECTED, { 0, REJECT }, { 3, GOOD });
	RANKED(SERVICE_ALL_REJECTED, { 0, REJECT }, { 1, REJECT });
	publish_all(&mesh);
	l[0].ip = road.ip[3];
	l[0].does = SERVER_ECHOES;
	at.ns = road.servers;
	given_servers_in(&at, l, 1);
	given_filters(i < 2);
	enter(road.servers);
	given_deaf(road.ip[1], DEAF + 1);
	given_deaf(road.ip[2], DEAF + 2);
	enter(road.home);
	mark(&mesh);
}

static int client_connects(unsigned service)
{
	int fd;

	enter(road.client);
	fd = tcp_to(road.vip, (uint16_t)(80 + service));
	enter(road.home);
	return fd;
}

static void expect_good(int fd, const char *what)
{
	char good[NAME_LEN];
	struct sockaddr_storage a;

	ck_assert_msg(fd >= 0, "%s: %s", what, strerror(-fd));
	sock_parse(road.ip[3], GOOD + 3, &a);
	sock_format(&a, good);
	expect_connected_to(fd, good);
}

/* Both ways, byte for byte. */
static void expect_echo(int fd, size_t total)
{
	static unsigned char out[65536], in[65536];
	size_t sent = 0, got = 0;
	pid_t writer = fork();

	ck_assert_int_ge(writer, 0);
	if (writer == 0) {
		while (sent < total) {
			for (size_t i = 0; i < sizeof(out); i++)
				out[i] = (unsigned char)((sent + i) * 2654435761u >> 13);
			for (size_t done = 0; done < sizeof(out);) {
				ssize_t n = send(fd, out + done, sizeof(out) - done, MSG_NOSIGNAL);

				if (n <= 0)
					_exit(1);
				done += (size_t)n;
			}
			sent += sizeof(out);
		}
		_exit(0);
	}
	while (got < total) {
		ssize_t n = recv(fd, in, sizeof(in), 0);

		ck_assert_msg(n > 0, "after %zu bytes: %s", got, n ? strerror(errno) : "end");
		for (ssize_t i = 0; i < n; i++)
			ck_assert_msg(in[i] == (unsigned char)((got + (size_t)i) * 2654435761u >> 13), "byte %zu",
				      got + (size_t)i);
		got += (size_t)n;
	}
}

static void refusals_and_silence(void)
{
	char peer[NAME_LEN];
	struct sockaddr_storage a;
	uint64_t t;
	int fd;

	fd = client_connects(SERVICE_REFUSED);
	expect_good(fd, "refused");
	expect_reason(&mesh, WEFT_R_MOVED_REFUSED, 1);
	sock_parse(road.vip, 80, &a);
	expect_peer(fd, sock_format(&a, peer));
	expect_echo(fd, 1 << 20);
	close(fd);
	fd = client_connects(SERVICE_SILENT);
	expect_good(fd, "silent");
	expect_reason(&mesh, WEFT_R_MOVED_SILENT, 1);
	expect_echo(fd, 1 << 20);
	close(fd);
	fd = client_connects(SERVICE_MIXED);
	expect_good(fd, "silent, refused, silent");
	expect_reason(&mesh, WEFT_R_MOVED_SILENT, 3);
	expect_reason(&mesh, WEFT_R_MOVED_REFUSED, 2);
	close(fd);
	t = now_ms();
	ck_assert_int_eq(client_connects(SERVICE_ALL_REFUSE), -ECONNREFUSED);
	ck_assert_uint_lt(now_ms() - t, 500);
	t = now_ms();
	ck_assert_int_eq(client_connects(SERVICE_ALL_SILENT), -ETIMEDOUT);
	t = now_ms() - t;
	ck_assert_msg(t >= 280 && t < 600, "%llu ms", (unsigned long long)t);
}

static void icmp_errors(void)
{
	int fd;

	if (!shell_has("nft"))
		return;
	mark(&mesh);
	fd = client_connects(SERVICE_REJECTED);
	expect_good(fd, "rejected");
	expect_reason(&mesh, WEFT_R_MOVED_UNREACHABLE, 1);
	expect_echo(fd, 1 << 16);
	close(fd);
	ck_assert_int_eq(client_connects(SERVICE_ALL_REJECTED), -EHOSTUNREACH);
	expect_reason(&mesh, WEFT_R_MOVED_UNREACHABLE, 2);
}

/* Nobody completes checksums later: every packet must be right as it is. */
static void without_offload(void)
{
	static const char *const ours[] = { "weft-up", "weft-pod", "weft-far" };
	int fd;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (if_nametoindex(ours[i]))
			link_checksums(ours[i], false);
	for (int i = 0; i < 2; i++) {
		enter(i ? road.servers : road.client);
		if (if_nametoindex("eth0"))
			link_checksums("eth0", false);
	}
	enter(road.home);
	mark(&mesh);
	fd = client_connects(SERVICE_MIXED);
	expect_good(fd, "without offload: silent, refused, silent");
	expect_echo(fd, 1 << 20);
	close(fd);
	fd = client_connects(SERVICE_REFUSED);
	expect_good(fd, "without offload: refused");
	expect_echo(fd, 1 << 20);
	close(fd);
	expect_reason(&mesh, WEFT_R_MOVED_REFUSED, 2);
	expect_reason(&mesh, WEFT_R_MOVED_SILENT, 2);
}

START_TEST(the_next_endpoint_answers)
{
	given_road(_i);
	refusals_and_silence();
	icmp_errors();
	without_offload();
	expect_reason(&mesh, WEFT_R_MOVE_FAILED, 0);
	expect_reason(&mesh, WEFT_R_MOVE_NO_PATH, 0);
	expect_nothing_active(&mesh, 2000);
	expect_audit_clean(&mesh);
}
END_TEST

static Suite *roads_suite(void)
{
	Suite *s = suite_create("failover_roads");
	TCase *c = suite_case(s, "roads", 60);

	tcase_add_loop_test(c, the_next_endpoint_answers, 0, NR_ROADS);
	return s;
}

int main(void)
{
	return suite_main("failover_roads", roads_suite);
}

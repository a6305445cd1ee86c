/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "link_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "base/cleanup.h"

static void shell_v(const char *format, va_list args)
{
	_cleanup_(freep) char *line = NULL;
	int r;

	ck_assert_int_gt(vasprintf(&line, format, args), 0);
	r = system(line);
	ck_assert_msg(r == 0, "%s: status %d", line, r);
}

void shell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	shell_v(format, args);
	va_end(args);
}

bool shell_has(const char *command)
{
	_cleanup_(freep) char *line = NULL;

	ck_assert_int_gt(asprintf(&line, "command -v %s >/dev/null 2>&1", command), 0);
	return system(line) == 0;
}

void enter(int ns)
{
	ck_assert_msg(setns(ns, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
}

void shell_in(const struct place *p, const char *format, ...)
{
	int here = own_namespace();
	va_list args;

	enter(p->ns);
	va_start(args, format);
	shell_v(format, args);
	va_end(args);
	enter(here);
	close(here);
}

struct place given_place(void)
{
	int here = own_namespace();
	struct place p;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	shell("ip link set lo up");
	ck_assert_int_eq(wire_sysctl("net/ipv6/conf/default/accept_dad", "0"), 0);
	p.ns = own_namespace();
	p.pid = fork();
	if (p.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		leave_cgroup();
		closefrom(3);
		pause();
		_exit(0);
	}
	enter(here);
	close(here);
	return p;
}

static int enter_place(void *ns)
{
	return setns(*(const int *)ns, CLONE_NEWNET);
}

void given_servers_in(const struct place *p, const struct listener *l, size_t n)
{
	int ns = p->ns;

	/* Dies with this process. */
	ck_assert_int_gt(server_start(l, n, enter_place, &ns), 0);
}

int given_street(const struct place *p, unsigned net, const char *near, const char *far)
{
	int ifindex;

	ck_assert_int_eq(wire_sysctl("net/ipv6/conf/default/accept_dad", "0"), 0);
	ifindex = given_veth(near, far);
	link_move((int)if_nametoindex(far), p->pid);
	shell("ip addr add 10.%u.0.1/24 dev %s && ip addr add fd70:%u::1/64 dev %s nodad && ip link set %s up", net,
	      near, net, near, near);
	shell_in(p,
		 "for i in 2 3 4 5 6 7 8 9; do ip addr add 10.%u.0.$i/24 dev %s; "
		 "ip addr add fd70:%u::$i/64 dev %s nodad; done; ip link set %s up; "
		 "ip route add default via 10.%u.0.1; ip -6 route add default via fd70:%u::1",
		 net, far, net, far, far, net, net);
	return ifindex;
}

int given_deaf(const char *ip, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = sock_parse(ip, port, &a);
	int on = 1, fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_msg(bind(fd, (struct sockaddr *)&a, len) == 0, "bind %s: %s", ip, strerror(errno));
	ck_assert_int_eq(listen(fd, 0), 0);
	/* One waits to be accepted, and that is all there is room for. */
	ck_assert_int_ge(tcp_to(ip, port), 0);
	return fd;
}

void deaf_wakes(int listener)
{
	listen(listener, 128);
}

void link_checksums(const char *name, bool offload)
{
	_cleanup_(closep) int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const uint32_t what[] = { ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM };

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		struct ethtool_value v = { .cmd = what[i], .data = offload };
		struct ifreq r = {};

		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
		r.ifr_data = (char *)&v;
		ck_assert_msg(ioctl(s, SIOCETHTOOL, &r) == 0, "%s: checksum offload: %s", name, strerror(errno));
	}
}

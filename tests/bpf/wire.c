/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static int link_up(const char *name)
{
	_cleanup_(closep) int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &r) ? -errno : 0;
}

static int link_address(const char *name, const char *ip, const char *mask)
{
	_cleanup_(closep) int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in *a;
	struct ifreq r = {};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	a = (struct sockaddr_in *)&r.ifr_addr;
	a->sin_family = AF_INET;
	inet_pton(AF_INET, ip, &a->sin_addr);
	if (ioctl(s, SIOCSIFADDR, &r))
		return -errno;
	inet_pton(AF_INET, mask, &a->sin_addr);
	return ioctl(s, SIOCSIFNETMASK, &r) ? -errno : 0;
}

static int link_address6(const char *name, const char *ip)
{
	_cleanup_(closep) int s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_ifreq r = { .ifr6_prefixlen = 128, .ifr6_ifindex = (int)if_nametoindex(name) };

	inet_pton(AF_INET6, ip, &r.ifr6_addr);
	return ioctl(s, SIOCSIFADDR, &r) ? -errno : 0;
}

int wire_sysctl(const char *name, const char *value)
{
	char path[256];
	_cleanup_(fclosep) FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	return fputs(value, f) < 0 || fflush(f) ? -errno : 0;
}

int wire_namespace(void)
{
	char ip[16];
	int r;

	if (unshare(CLONE_NEWNET))
		return -errno;
	r = link_up("lo");
	for (int i = 1; !r && i <= 8; i++) {
		snprintf(ip, sizeof(ip), "fd77::%d", i);
		r = link_address6("lo", ip);
	}
	return r ? r : wire_sysctl("net/ipv4/ip_local_port_range", "1024 65535");
}

/* The interface lives as long as the descriptor. */
static int tun_open(const char *name, const char *ip)
{
	_cleanup_(closep) int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq r = {};
	int e;

	if (fd < 0)
		return -errno;
	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r))
		return -errno;
	e = link_address(name, ip, "255.255.255.0");
	if (!e)
		e = link_up(name);
	return e ? e : MOVE(fd, -1);
}

int wire_hole(void)
{
	/* Kept open, and never read, until the process ends. */
	int fd = tun_open("hole", "10.66.0.1");

	return fd < 0 ? fd : 0;
}

void wire_urgent(void)
{
	const struct sched_param p = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &p))
		setpriority(PRIO_PROCESS, 0, -20);
}

#define LINE_QUEUE 4096
#define LINE_MTU   1600

struct packet {
	uint64_t due_ns;
	size_t len;
	uint8_t data[LINE_MTU];
};

/* Packets of one delay leave in the order they came, so one ring for each delay is enough. */
struct ring {
	struct packet *packet;
	unsigned head, tail;
};

struct line {
	int near, far; /* TUN devices of clients and servers */
	in_addr_t slow;
	uint64_t delay_ns[2];
	struct ring ring[2];
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* From the clients: into the ring of its delay. A full ring drops, as a router would. */
static bool line_take(struct line *line)
{
	uint8_t data[LINE_MTU];
	ssize_t n = read(line->near, data, sizeof(data));
	struct packet *p;
	struct ring *r;
	in_addr_t to;
	int slow;

	if (n < 20)
		return n >= 0;
	memcpy(&to, data + 16, sizeof(to));
	slow = to == line->slow;
	r = &line->ring[slow];
	if (r->head - r->tail == LINE_QUEUE)
		return true;
	p = &r->packet[r->head++ % LINE_QUEUE];
	p->due_ns = clock_ns() + line->delay_ns[slow];
	p->len = (size_t)n;
	memcpy(p->data, data, (size_t)n);
	return true;
}

/* Sends what is due; returns when the next one is, UINT64_MAX for never. */
static uint64_t line_send(struct line *line)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		struct ring *r = &line->ring[i];

		while (r->head != r->tail) {
			struct packet *p = &r->packet[r->tail % LINE_QUEUE];

			if (p->due_ns > clock_ns()) {
				next = p->due_ns < next ? p->due_ns : next;
				break;
			}
			(void)!write(line->far, p->data, p->len);
			r->tail++;
		}
	}
	return next;
}

static void *line_run(void *arg)
{
	struct line *line = arg;
	struct pollfd p[2] = { { .fd = line->near, .events = POLLIN }, { .fd = line->far, .events = POLLIN } };
	uint8_t data[LINE_MTU];
	ssize_t n;

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		uint64_t next = line_send(line), now = clock_ns();
		uint64_t wait = next == UINT64_MAX ? 1000000000ull : next > now ? next - now : 0;
		struct timespec t = { .tv_sec = (time_t)(wait / 1000000000ull),
				      .tv_nsec = (long)(wait % 1000000000ull) };

		ppoll(p, 2, &t, NULL);
		while (line_take(line) && line->ring[0].head - line->ring[0].tail < 64)
			continue;
		while ((n = read(line->far, data, sizeof(data))) > 0)
			(void)!write(line->near, data, (size_t)n);
	}
	return NULL;
}

struct line_context {
	const struct wire_line *wanted;
	int near;
};

/* In the servers' process. */
static int line_prepare(void *ctx)
{
	const struct line_context *c = ctx;
	static struct line line;
	pthread_t thread;
	char name[32];

	line.near = c->near;
	line.slow = inet_addr(c->wanted->slow_ip);
	line.delay_ns[0] = c->wanted->fast_us * 1000ull;
	line.delay_ns[1] = c->wanted->slow_us * 1000ull;
	for (int i = 0; i < 2; i++) {
		line.ring[i].packet = calloc(LINE_QUEUE, sizeof(struct packet));
		if (!line.ring[i].packet)
			return -ENOMEM;
	}
	if (unshare(CLONE_NEWNET) || link_up("lo"))
		return -1;
	line.far = tun_open("far", "10.67.0.254");
	if (line.far < 0)
		return line.far;
	for (size_t i = 0; i < c->wanted->nr; i++) {
		snprintf(name, sizeof(name), "far:%zu", i);
		if (link_address(name, c->wanted->l[i].ip, "255.255.255.0"))
			return -1;
	}
	wire_urgent();
	return pthread_create(&thread, NULL, line_run, &line);
}

pid_t wire_line(const struct wire_line *wanted)
{
	_cleanup_(closep) int near = tun_open("near", "10.67.0.1");
	struct line_context c = { .wanted = wanted, .near = near };

	return near < 0 ? -1 : server_start(wanted->l, wanted->nr, line_prepare, &c);
}

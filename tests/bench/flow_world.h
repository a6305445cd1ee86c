/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Two network namespaces without a name and a veth pair between them: the shape of two hosts. This process lives in the
 * first. A server for each {place, with or without weft}; loopback has its own.
 */
#ifndef BENCH_FLOW_WORLD_H
#define BENCH_FLOW_WORLD_H

#include <spawn.h>

#include "flow_peer.h"
#include "report.h"
#include "services.h"

#define NEAR_ADDR  "10.201.0.1"
#define FAR_ADDR   "10.201.0.2"
#define PORT_PLAIN 7001 /* server outside weft's cgroup */
#define PORT_WEFT  7002 /* server inside it */

extern char **environ;

enum place { LOOPBACK, ACROSS, PLACES };
static const char *const place_words[PLACES] = { "one host, loopback", "two hosts, veth" };

struct flow_world {
	struct rig *rig;
	char plain[640], weft[640]; /* cgroups */
	struct plane *plane;
	pid_t server[PLACES][2]; /* [place][in weft's cgroup] */
};

static inline int run_ip(char *const argv[])
{
	pid_t pid;
	int r = posix_spawnp(&pid, "ip", NULL, NULL, argv, environ);

	if (r)
		return -r;
	return rig_wait(pid) ? -EIO : 0;
}

#define IP(...) run_ip((char *const[]){ "ip", __VA_ARGS__, NULL })

/* A server in cgroup @cgroup. It says on @ready that it listens. */
static inline pid_t server_start(const char *cgroup, uint16_t port, int netns, int cpu, int ready)
{
	pid_t pid = fork();
	int listener;

	if (pid)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	rig_pin(cpu);
	if (netns >= 0 && setns(netns, CLONE_NEWNET))
		_exit(1);
	if (rig_enter(cgroup))
		_exit(1);
	listener = server_listen(port);
	if (listener < 0 || write(ready, "", 1) != 1)
		_exit(1);
	server_loop(listener);
	_exit(0);
}

/* Leaves this process in a fresh namespace; *ret_far is another. */
static inline int two_namespaces(int *ret_far)
{
	_cleanup_(closep) int far = -1;
	_cleanup_(closep) int near = -1;
	char path[64];
	int r = rig_own_netns();

	if (r)
		return r;
	far = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (far < 0)
		return -errno;
	r = rig_own_netns();
	if (r)
		return r;
	near = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	/* ip opens the path itself: our descriptor of the far namespace, by way of /proc. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), far);
	r = IP("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", path);
	if (!r)
		r = IP("addr", "add", NEAR_ADDR "/24", "dev", "near");
	if (!r)
		r = IP("link", "set", "near", "up");
	if (r || near < 0 || setns(far, CLONE_NEWNET))
		return r ? r : -errno;
	r = IP("addr", "add", FAR_ADDR "/24", "dev", "far");
	if (!r)
		r = IP("link", "set", "far", "up");
	if (setns(near, CLONE_NEWNET) && !r)
		r = -errno;
	if (!r)
		*ret_far = MOVE(far, -1);
	return r;
}

/* Service 0 is the far server, service 1 the one on loopback. */
static inline int flow_plane(struct flow_world *w)
{
	struct plane_limits limits = {
		.services = 64,
		.frontends = 64,
		.specs = 128,
		.backends = 64,
		.slots = 4096,
		.affinity = 64,
		.edges = 1024,
	};
	struct shape far = { .services = 1, .endpoints = 1, .endpoint_base = 0x0ac90002, .port = PORT_WEFT };
	_cleanup_(model_freep) struct model *m = services_model(&far);
	_cleanup_(service_unrefp) struct service *s = service_new("svc-loopback");
	struct frontend f = { .addr = vip_of(1), .port = VIP_PORT };
	struct endpoint e = { .port = PORT_WEFT, .weight = 1 };
	const struct service *a, *b;
	const struct frontend *shared;

	weft_addr_set_v4(&e.addr, htonl(INADDR_LOOPBACK));
	if (!m || !s || service_add_frontend(s, &f) || service_add_endpoint(s, &e) || service_sort(s) >= 0 ||
	    model_add(m, s) || model_seal(m, &a, &b, &shared))
		return -ENOMEM;
	return rig_plane(w->rig, "weft", &limits, m, &w->plane);
}

/* *ret_far: the other namespace, the caller's to close. */
static inline int flow_world_setup_far(struct flow_world *w, int *ret_far)
{
	int cpu = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	_cleanup_(closep) int far = -1;
	int r = two_namespaces(&far), ready[2];
	char c;

	if (r)
		return log_err(r, "cannot make two network namespaces and a veth pair");
	r = rig_cgroup(w->rig, "none", w->plain, sizeof(w->plain));
	if (!r)
		r = rig_cgroup(w->rig, "weft", w->weft, sizeof(w->weft));
	if (!r)
		r = flow_plane(w);
	if (r)
		return r;
	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	for (int place = 0; place < PLACES; place++)
		for (int in_weft = 0; in_weft < 2; in_weft++)
			w->server[place][in_weft] = server_start(in_weft ? w->weft : w->plain,
								 in_weft ? PORT_WEFT : PORT_PLAIN,
								 place == ACROSS ? far : -1, cpu, ready[1]);
	close(ready[1]);
	for (int i = 0; i < 2 * PLACES && !r; i++)
		if (read(ready[0], &c, 1) != 1)
			r = log_err(-EPIPE, "a server did not start");
	close(ready[0]);
	if (!r)
		*ret_far = MOVE(far, -1);
	return r;
}

static inline int flow_world_setup(struct flow_world *w)
{
	_cleanup_(closep) int far = -1;

	return flow_world_setup_far(w, &far);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The real agent, watched from outside: through the pinned maps and /proc. */
#ifndef BENCH_LOAD_AGENT_H
#define BENCH_LOAD_AGENT_H

#include "load_files.h"

#define LOAD_DEADLINE 120000000000u /* ns */
#define POLL_NS	      20000u

struct agent {
	const struct rig *rig;
	char instance[64], pins[256], config[1024], source[1024], log[1024], socket[1024];
	pid_t pid;
	struct maps *maps;
	uint64_t started;
	uint32_t *ids;	   /* of service i, once loaded */
	uint32_t *serials; /* of service i, when last looked at */
};

static inline int agent_write_config(const struct agent *a, const char *sources, const char *cgroup, uint32_t endpoints)
{
	uint32_t backends = endpoints + endpoints / 5 + 1000;
	FILE *f = fopen(a->config, "we");

	if (!f)
		return -errno;
	fprintf(f, "instance: %s\ncgroup: %s\nbpffs: %s\nsocket: %s\nmetrics:\n  listen: \"off\"\n", a->instance,
		cgroup, RIG_BPFFS, a->socket);
	fprintf(f, "sources:\n  - file: \"%s\"\n", sources);
	/* At small sizes the defaults are part of what is measured. */
	if (backends > WEFT_DEF_BACKENDS)
		fprintf(f,
			"limits:\n  services: 16384\n  frontends: 16384\n  specs: 32768\n  endpoints: %u\n  slots: "
			"%u\n",
			backends, 4 * backends);
	return fclose(f) ? -errno : 0;
}

static inline int agent_exec(struct agent *a, const char *cgroup)
{
	a->started = now_ns();
	a->pid = fork();
	if (a->pid == 0) {
		int log = open(a->log, O_WRONLY | O_CREAT | O_TRUNC, 0644);

		if (log < 0 || rig_enter(cgroup))
			_exit(1);
		dup2(log, 1);
		dup2(log, 2);
		execl(a->rig->weft, a->rig->weft, "agent", "-c", a->config, (char *)NULL);
		_exit(127);
	}
	return a->pid < 0 ? -errno : 0;
}

/* Gives up when the agent ended or the deadline passed. */
static inline int agent_alive(struct agent *a, uint64_t deadline)
{
	if (waitpid(a->pid, NULL, WNOHANG) == a->pid) {
		a->pid = 0;
		return log_err(-ECHILD, "the agent ended, see %s", a->log);
	}
	return now_ns() > deadline ? log_err(-ETIMEDOUT, "the agent did not get ready, see %s", a->log) : 0;
}

static inline uint32_t load_u32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline bool agent_published(const struct agent *a, uint32_t services)
{
	uint32_t seen = 0;

	if (!__atomic_load_n(&a->maps->config->serial, __ATOMIC_ACQUIRE))
		return false;
	for (uint32_t i = 1; i < a->maps->capacity[PLANE_MAP_SERVICES] && seen < services; i++)
		seen += load_u32(&a->maps->services[i].spec) != 0;
	return seen == services;
}

/* Waits for the first load; *ret_ns from the start of the process until the last service is visible. */
static inline int agent_wait_loaded(struct agent *a, uint32_t services, uint64_t *ret_ns)
{
	uint64_t deadline = now_ns() + LOAD_DEADLINE;
	int r;

	while (maps_open(a->pins, false, &a->maps, NULL)) {
		a->maps = NULL;
		r = agent_alive(a, deadline);
		if (r)
			return r;
		sleep_ns(1000000);
	}
	while (!agent_published(a, services)) {
		r = agent_alive(a, deadline);
		if (r)
			return r;
		sleep_ns(1000000);
	}
	*ret_ns = now_ns() - a->started;
	a->ids = calloc(services, sizeof(*a->ids));
	a->serials = calloc(services, sizeof(*a->serials));
	if (!a->ids || !a->serials)
		return -ENOMEM;
	for (uint32_t i = 0; i < services; i++) {
		struct weft_addr vip = vip_of(i);

		r = maps_find_frontend(a->maps, &vip, VIP_PORT, IPPROTO_TCP);
		if (r < 0)
			return log_err(r, "svc-%06u is not there after the load", i);
		a->ids[i] = (uint32_t)r;
		a->serials[i] = a->maps->services[r].serial;
	}
	return 0;
}

/* Until service @i is published anew: then the connect hook sees the change. */
static inline int agent_wait_change(struct agent *a, uint32_t i, uint64_t *ret_at)
{
	const uint32_t *serial = &a->maps->services[a->ids[i]].serial;
	uint64_t deadline = now_ns() + LOAD_DEADLINE;
	unsigned polls = 0;

	while (load_u32(serial) == a->serials[i]) {
		int r = ++polls % 4096 ? 0 : agent_alive(a, deadline);

		if (r)
			return r;
		sleep_ns(POLL_NS);
	}
	*ret_at = now_ns();
	a->serials[i] = load_u32(serial);
	return 0;
}

/* One line of /proc/PID/status in MB (10^6 bytes). */
static inline double agent_memory(const struct agent *a, const char *key)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], line[256];
	unsigned long kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)a->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), ": %lu", &kb) == 1)
			break;
	return (double)kb * 1024 / 1e6;
}

static inline void agent_stop(struct agent *a)
{
	struct plane_error err;

	maps_close(a->maps);
	a->maps = NULL;
	free(a->ids);
	free(a->serials);
	a->ids = a->serials = NULL;
	if (a->pid > 0) {
		kill(a->pid, SIGTERM);
		for (int i = 0; i < 500 && a->pid > 0; i++) {
			if (waitpid(a->pid, NULL, WNOHANG) == a->pid)
				a->pid = 0;
			else
				sleep_ns(10000000);
		}
		if (a->pid > 0) {
			log_msg(LOG_L_WARNING, "the agent did not end within 5 s of SIGTERM");
			kill(a->pid, SIGKILL);
			rig_wait(a->pid);
			a->pid = 0;
		}
	}
	plane_unload(RIG_BPFFS, a->instance, &err);
}

/* Starts an agent that reads @sources (a pattern) and waits for its @services. On failure it is stopped again. */
static inline int agent_start(struct agent *a, const struct rig *r, const char *word, const char *sources,
			      uint32_t services, uint32_t endpoints, uint64_t *ret_ns)
{
	char target[640], own[640];
	int err;

	memset(a, 0, sizeof(*a));
	a->rig = r;
	snprintf(a->instance, sizeof(a->instance), "%s-%s", r->name, word);
	snprintf(a->config, sizeof(a->config), "%s/%s.yaml", r->dir, word);
	snprintf(a->log, sizeof(a->log), "%s/%s.log", r->dir, word);
	snprintf(a->socket, sizeof(a->socket), "%s/%s.sock", r->dir, word);
	err = plane_dir(RIG_BPFFS, a->instance, a->pins, sizeof(a->pins)) ? 0 : -ENAMETOOLONG;
	if (!err)
		err = rig_cgroup(r, word, target, sizeof(target));
	if (!err)
		err = rig_cgroup(r, "agent", own, sizeof(own));
	if (!err)
		err = agent_write_config(a, sources, target, endpoints);
	if (!err)
		err = agent_exec(a, own);
	if (!err)
		err = agent_wait_loaded(a, services, ret_ns);
	if (err)
		agent_stop(a);
	return err;
}

#endif

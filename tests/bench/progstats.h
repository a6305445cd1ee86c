/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Run time of BPF programs as the kernel counts it (kernel.bpf_stats_enabled, switched on through a descriptor, so that
 * it goes off however we end). It includes one pair of clock reads per run; the same pair around a program of two
 * instructions is measured in the same rounds and subtracted.
 */
#ifndef BENCH_PROGSTATS_H
#define BENCH_PROGSTATS_H

#include <bpf/bpf.h>

#include "rig.h"

#define PROGS_MAX 16

struct progs {
	int fd[PROGS_MAX];
	char name[PROGS_MAX][32]; /* pin name: "connect4", ... */
	unsigned nr;
};

struct progs_reading {
	uint64_t ns[PROGS_MAX], runs[PROGS_MAX];
};

static inline void progs_close(struct progs *p)
{
	while (p->nr)
		close(p->fd[--p->nr]);
}

/* The programs attached by the instance whose pins are in @dir. */
static inline int progs_open(struct progs *p, const char *dir)
{
	_cleanup_(freep) struct plane_link *links = NULL;
	size_t nr;
	int r = plane_links(dir, &links, &nr);

	p->nr = 0;
	if (r)
		return r;
	for (size_t i = 0; i < nr && p->nr < PROGS_MAX; i++) {
		int fd = bpf_prog_get_fd_by_id(links[i].prog_id);

		if (fd < 0)
			return -errno;
		p->fd[p->nr] = fd;
		snprintf(p->name[p->nr++], sizeof(p->name[0]), "%s", links[i].name);
	}
	return 0;
}

static inline void progs_read(const struct progs *p, struct progs_reading *r)
{
	for (unsigned i = 0; i < p->nr; i++) {
		struct bpf_prog_info info = { .run_cnt = 0 };
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(p->fd[i], &info, &len))
			continue;
		r->ns[i] = info.run_time_ns;
		r->runs[i] = info.run_cnt;
	}
}

/* ns per run of program @name between two readings, 0 when it did not run. */
static inline double progs_mean(const struct progs *p, const struct progs_reading *a, const struct progs_reading *b,
				const char *name)
{
	for (unsigned i = 0; i < p->nr; i++)
		if (!strcmp(p->name[i], name) && b->runs[i] > a->runs[i])
			return (double)(b->ns[i] - a->ns[i]) / (double)(b->runs[i] - a->runs[i]);
	return 0;
}

/* All programs together: ns, each run less @clock_ns. */
static inline double progs_total(const struct progs *p, const struct progs_reading *a, const struct progs_reading *b,
				 double clock_ns_per_run)
{
	double sum = 0;

	for (unsigned i = 0; i < p->nr; i++)
		sum += (double)(b->ns[i] - a->ns[i]) - clock_ns_per_run * (double)(b->runs[i] - a->runs[i]);
	return sum;
}

/* "return 1" on connect4 of @cgroup; goes away with the cgroup. */
static inline int progs_open_empty(struct progs *p, const char *cgroup)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	_cleanup_(closep) int dir = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	p->nr = 0;
	if (dir < 0)
		return -errno;
	fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "bench_empty", "GPL", insns, 2, &opts);
	if (fd < 0)
		return fd;
	p->fd[0] = fd;
	snprintf(p->name[0], sizeof(p->name[0]), "connect4");
	p->nr = 1;
	return bpf_prog_attach(fd, dir, BPF_CGROUP_INET4_CONNECT, 0) ? -errno : 0;
}

#endif

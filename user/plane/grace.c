/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * membarrier(MEMBARRIER_CMD_GLOBAL) is synchronize_rcu(), and programs run under RCU. Kernels booted with nohz_full=
 * refuse it; a container's filter may: then an update of a map of maps, which ends with the same wait
 * (maybe_wait_bpf_programs() in kernel/bpf/syscall.c).
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/grace.h"

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

bool grace_has_membarrier(void)
{
	long commands = membarrier(MEMBARRIER_CMD_QUERY);

	return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL);
}

int grace_init(struct grace *g)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	_cleanup_(closep) int inner = -1;
	_cleanup_(closep) int outer = -1;

	if (grace_has_membarrier()) {
		*g = (struct grace){ -1, -1 };
		return 0;
	}
	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "weft_grace_in", 4, 4, 1, NULL);
	if (inner < 0)
		return inner;
	opts.inner_map_fd = (uint32_t)inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "weft_grace", 4, 4, 1, &opts);
	if (outer < 0)
		return outer;
	*g = (struct grace){ MOVE(outer, -1), MOVE(inner, -1) };
	return 0;
}

void grace_done(struct grace *g)
{
	closep(&g->outer);
	closep(&g->inner);
}

int grace_pass(struct grace *g)
{
	uint32_t key = 0;

	if (g->outer >= 0)
		return bpf_map_update_elem(g->outer, &key, &g->inner, BPF_ANY);
	return membarrier(MEMBARRIER_CMD_GLOBAL) == -1 ? -errno : 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <bpf/bpf.h>

#include "plane/health.h"
#include "plane/state.h"

int plane_pass_socket(const struct plane *p, int fd)
{
	const struct weft_flow flow = { .state = WEFT_FLOW_PASS };

	return bpf_map_update_elem(p->m->fd[PLANE_MAP_FLOWS], &fd, &flow, BPF_ANY);
}

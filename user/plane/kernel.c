/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the running kernel can do, for the loader and for `weft doctor`. */
#include <unistd.h>

#include <bpf/libbpf.h>

#include "plane/state.h"

#define HELPER_SET_RETVAL      187 /* bpf_set_retval; by number, since the headers here may be older than the kernel */
#define HELPER_SKC_TO_TCP_SOCK 137

bool kernel_has_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

bool kernel_has_retval(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, HELPER_SET_RETVAL, NULL) == 1;
}

bool kernel_has_sk_error(void)
{
	return kernel_has_btf() && libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCK_OPS, HELPER_SKC_TO_TCP_SOCK, NULL) == 1;
}

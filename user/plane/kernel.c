/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the running kernel can do, for the loader and for `weft doctor`. */
#include <stdlib.h>
#include <unistd.h>

#include <bpf/btf.h>
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

/* A function for iterators (6.5). WEFT_SOCK_DESTROY=netlink in the environment: do as if it were not there. */
bool kernel_has_sock_destroy(void)
{
	const char *how = getenv("WEFT_SOCK_DESTROY");
	struct btf *btf;
	bool has;

	if (how && how[0] == 'n')
		return false;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return false;
	has = btf__find_by_name_kind(btf, "bpf_sock_destroy", BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return has;
}

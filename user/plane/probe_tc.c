/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Probes for failover: how programs get to network links, and what they need there. */
#include <stdio.h>

#include <bpf/libbpf.h>

#include "plane/probe.h"
#include "plane/tc_hooks.h"

bool probe_tcx(char *detail, size_t len)
{
	bool has = kernel_has_tcx();

	snprintf(detail, len, "%s", has ? "links of BPF" : "filters of clsact are used");
	return has;
}

/* By number: the headers here may be older than the kernel. */
static const struct {
	unsigned id;
	const char *name;
} helpers[] = {
	{ 69, "fib_lookup" },
	{ 99, "skc_lookup_tcp" },
	{ 152, "redirect_neigh" },
	{ 169, "timer_init" },
};

bool probe_failover(char *detail, size_t len)
{
	bool all = true;
	size_t at = 0;

	*detail = '\0';
	for (size_t i = 0; i < sizeof(helpers) / sizeof(*helpers); i++) {
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, (enum bpf_func_id)helpers[i].id, NULL) == 1)
			continue;
		at += (size_t)snprintf(detail + at, at < len ? len - at : 0, "%s%s", all ? "lacks " : ", ",
				       helpers[i].name);
		all = false;
	}
	return all;
}

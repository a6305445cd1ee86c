/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* cgroup/sock_release: the last descriptor of a socket is closed, by the application or because its process was killed.
 * Observes only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>

#include "lib/flow.h"

SEC("cgroup/sock_release")
int weft_release(struct bpf_sock *ctx)
{
	struct weft_flow *flow = bpf_sk_storage_get(&weft_flows, ctx, NULL, 0);

	if (flow)
		flow_leave(flow);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

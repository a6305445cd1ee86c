/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connects under way that may fail over. */
#ifndef WEFT_BPF_HANDSHAKE_H
#define WEFT_BPF_HANDSHAKE_H

#include "lib/flow.h"

static __always_inline void handshake_begin(struct bpf_sock_ops *ctx, struct weft_flow *flow,
					    const struct weft_spec *spec)
{
}

static __always_inline void handshake_done(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
}

static __always_inline void handshake_end(struct bpf_sock_ops *ctx, struct weft_flow *flow)
{
}

#endif

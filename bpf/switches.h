/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the loader found out about this kernel. Constants by the time the verifier looks: what is off costs nothing. */
#ifndef WEFT_BPF_SWITCHES_H
#define WEFT_BPF_SWITCHES_H

#include <stdbool.h>

#include <linux/types.h>

/* bpf_set_retval() exists (5.18). Without it a refusal is EPERM. */
__attribute__((weak)) const volatile bool weft_has_retval;
/* sockops may read struct tcp_sock: BTF, CAP_PERFMON. Without it failures are told apart less finely. */
__attribute__((weak)) const volatile bool weft_has_skerr;
/* Ticks per second: sockops takes a SYN's retransmission time in ticks. 0: not known, it is left alone. */
__attribute__((weak)) const volatile __u32 weft_hz;

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Names that addresses have: 1.0.0.10.in-addr.arpa. Pure. */
#ifndef DNS_REVERSE_H
#define DNS_REVERSE_H

#include "dns/message.h"
#include "weft/addr.h"

/* 0; -EINVAL: no such name, or not of a whole address. */
int reverse_parse(const struct dns_name *name, struct weft_addr *ret);

#endif

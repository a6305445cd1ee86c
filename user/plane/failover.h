/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The maps of failover, walked. As maps_each_*() of plane/maps.h. */
#ifndef PLANE_FAILOVER_H
#define PLANE_FAILOVER_H

#include "plane/maps.h"
#include "weft/handshake.h"

int maps_each_handshake(const struct maps *m,
			int (*fn)(void *ctx, const struct weft_tuple *key, const struct weft_handshake *value),
			void *ctx);
int maps_each_nat(const struct maps *m,
		  int (*fn)(void *ctx, const struct weft_nat_key *key, const struct weft_nat *value), void *ctx);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef PLANE_WALK_H
#define PLANE_WALK_H

#include "plane/maps.h"

/* Calls @fn for every element of a hash until it returns non-zero, which is passed on. */
typedef int walk_fn(void *ctx, const void *key, const void *value);
int walk_hash(int fd, size_t key_size, size_t value_size, walk_fn *fn, void *ctx);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a policy has computed before a packet comes: weighted slots and the Maglev table. Pure functions over weights.
 */
#ifndef LB_TABLES_H
#define LB_TABLES_H

#include <stddef.h>
#include <stdint.h>

/*
 * The number of slots for these weights: each weight divided by their greatest common divisor, summed; when that is
 * over @max
 * (>= @n), weights are scaled down so that it fits and none that was > 0 becomes 0. 0 when all weights are 0.
 */
size_t lb_slots_count(const uint16_t *weights, size_t n, size_t max);

/*
 * Fills @slots (@nr_slots from lb_slots_count() with the same arguments) with indices 0..n-1, each as often as its
 * scaled weight, spread as evenly as smooth weighted round-robin does (nginx, ngx_http_upstream_round_robin: highest
 * current weight first), so that walking the slots in order is weighted round-robin. O(nr_slots log n). 0 or -ENOMEM.
 */
int lb_slots_fill(const uint16_t *weights, size_t n, size_t max, uint32_t *slots, size_t nr_slots);

/*
 * Maglev (Eisenbud et al., NSDI 2016, section 3.4), weighted as Envoy does it: in each round an index takes its turn as
 * often as weight / max weight has come due. @keys: 64-bit hashes that identify each endpoint independently of its
 * position (see lb_endpoint_key), so that the table of one set differs little from that of another. @size is prime and
 * >= n. Entries with weight 0 get no row; at least one weight is > 0. 0 or -ENOMEM, -EINVAL.
 */
int lb_maglev_fill(const uint64_t *keys, const uint16_t *weights, size_t n, uint32_t *table, uint32_t size);

uint64_t lb_endpoint_key(const void *addr16, uint16_t port); /* stable across machines and runs */
int lb_is_prime(uint32_t n);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One address type for both sides. IPv4 is stored v4-mapped (::ffff:a.b.c.d), so that one code path serves both
 * families; bytes are in network order, as on the wire. This header needs nothing but the fixed width types.
 */
#ifndef WEFT_ADDR_H
#define WEFT_ADDR_H

#include <linux/types.h>

struct weft_addr {
	__u8 byte[16];
} __attribute__((aligned(4)));

/* The four 32-bit words of @a in network order; word 3 of a v4-mapped address is the IPv4 address. */
static inline __attribute__((always_inline)) __be32 weft_addr_word(const struct weft_addr *a, int i)
{
	return ((const __be32 *)(const void *)a->byte)[i];
}

static inline __attribute__((always_inline)) void weft_addr_set(struct weft_addr *a, __be32 w0, __be32 w1, __be32 w2,
								__be32 w3)
{
	__be32 *w = (__be32 *)(void *)a->byte;

	w[0] = w0;
	w[1] = w1;
	w[2] = w2;
	w[3] = w3;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WEFT_ADDR_MAPPED_WORD ((__be32)0xffff0000u)
#else
#define WEFT_ADDR_MAPPED_WORD ((__be32)0x0000ffffu)
#endif

/* @ip_be: an IPv4 address in network order. */
static inline __attribute__((always_inline)) void weft_addr_set_v4(struct weft_addr *a, __be32 ip_be)
{
	weft_addr_set(a, 0, 0, WEFT_ADDR_MAPPED_WORD, ip_be);
}

static inline __attribute__((always_inline)) int weft_addr_is_v4(const struct weft_addr *a)
{
	return weft_addr_word(a, 0) == 0 && weft_addr_word(a, 1) == 0 && weft_addr_word(a, 2) == WEFT_ADDR_MAPPED_WORD;
}

static inline __attribute__((always_inline)) int weft_addr_equal(const struct weft_addr *a, const struct weft_addr *b)
{
	return weft_addr_word(a, 3) == weft_addr_word(b, 3) && weft_addr_word(a, 2) == weft_addr_word(b, 2) &&
	       weft_addr_word(a, 1) == weft_addr_word(b, 1) && weft_addr_word(a, 0) == weft_addr_word(b, 0);
}

/* 0.0.0.0 (mapped) or :: */
static inline __attribute__((always_inline)) int weft_addr_is_any(const struct weft_addr *a)
{
	return weft_addr_word(a, 3) == 0 && weft_addr_word(a, 0) == 0 && weft_addr_word(a, 1) == 0 &&
	       (weft_addr_word(a, 2) == 0 || weft_addr_word(a, 2) == WEFT_ADDR_MAPPED_WORD);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * When an endpoint's connections are to end. Pure functions over struct weft_backend and struct weft_bstate, for the
 * programs and for who looks on.
 */
#ifndef WEFT_DRAIN_H
#define WEFT_DRAIN_H

#include "weft/abi.h"
#include "weft/lb.h"

/* How a socket is kept watching its endpoint while that drains: see bpf/destroy.bpf.c. Seconds, and probes. */
#define WEFT_DRAIN_KEEP_IDLE  1
#define WEFT_DRAIN_KEEP_EVERY 1
#define WEFT_DRAIN_KEEP_COUNT 3

/* What the iterators over sockets did with one, as a __u32 for each socket that they did something with. */
enum weft_drain_did {
	WEFT_DRAIN_CLOSED = 1,	 /* TCP, past its deadline */
	WEFT_DRAIN_RELEASED = 2, /* connected UDP */
	WEFT_DRAIN_ARMED = 3,	 /* will notice its deadline by itself */
	WEFT_DRAIN_DISARMED = 4,
	WEFT_DRAIN_FAILED = 5,
	WEFT_DRAIN_DID_MAX
};

/* The deadline of a connection that chose the endpoint when it was @gen: 0: none. */
WEFT_PURE __u64 weft_drain_deadline(const struct weft_backend *b, const struct weft_bstate *s, __u32 gen)
{
	return b->gen == gen ? *(volatile const __u64 *)&s->drain_ns : 0;
}

/* Must a connection end now? */
WEFT_PURE int weft_drain_due(const struct weft_backend *b, const struct weft_bstate *s, __u32 gen, __u64 now_ns)
{
	__u64 at = weft_drain_deadline(b, s, gen);

	return at && at <= now_ns;
}

/* Must a connected UDP socket choose anew? It has no last byte to wait for: as soon as its endpoint leaves. */
WEFT_PURE int weft_drain_vanished(const struct weft_backend *b, const struct weft_bstate *s, __u32 gen, __u64 now_ns)
{
	return b->gen != gen || (*(volatile const __u16 *)&b->flags & WEFT_BACKEND_F_DRAINING) ||
	       (*(volatile const __u32 *)&s->out & WEFT_OUT_DRAINED) || weft_drain_due(b, s, gen, now_ns);
}

#endif

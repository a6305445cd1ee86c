/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "plane/failover.h"
#include "plane/walk.h"

struct handshakes {
	int (*fn)(void *ctx, const struct weft_tuple *key, const struct weft_handshake *value);
	void *ctx;
};

static int each_handshake(void *ctx, const void *key, const void *value)
{
	const struct handshakes *h = ctx;

	return h->fn(h->ctx, key, value);
}

int maps_each_handshake(const struct maps *m,
			int (*fn)(void *ctx, const struct weft_tuple *key, const struct weft_handshake *value),
			void *ctx)
{
	struct handshakes h = { fn, ctx };

	return walk_hash(m->fd[PLANE_MAP_HANDSHAKES], sizeof(struct weft_tuple), sizeof(struct weft_handshake),
			 each_handshake, &h);
}

struct translations {
	int (*fn)(void *ctx, const struct weft_nat_key *key, const struct weft_nat *value);
	void *ctx;
};

static int each_nat(void *ctx, const void *key, const void *value)
{
	const struct translations *t = ctx;

	/* The one that carries the timer is no translation. */
	if (!((const struct weft_nat_key *)key)->tuple.client_port_be)
		return 0;
	return t->fn(t->ctx, key, value);
}

int maps_each_nat(const struct maps *m,
		  int (*fn)(void *ctx, const struct weft_nat_key *key, const struct weft_nat *value), void *ctx)
{
	struct translations t = { fn, ctx };

	return walk_hash(m->fd[PLANE_MAP_NAT], sizeof(struct weft_nat_key), sizeof(struct weft_nat), each_nat, &t);
}

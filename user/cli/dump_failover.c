/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connects under way and connections that failed over. */
#include <arpa/inet.h>

#include "cli/dump.h"
#include "plane/failover.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct dump {
	const struct view *v;
	struct out *o;
};

static void cell_address(const struct weft_addr *a, __be16 port_be, struct out *o)
{
	char text[ADDR_TEXT_LEN];

	out_cell(o, out_text(addr_port_format(a, ntohs(port_be), text, sizeof(text))));
}

static const char *way_name(uint8_t way)
{
	static const char *const names[] = { "none", "egress", "ingress" };

	return way < NR(names) ? names[way] : "?";
}

static const struct out_column handshake_columns[] = {
	{ "client", "CLIENT", 0 },
	{ "server", "SERVER", 0 },
	{ "service", "SERVICE", OUT_RIGHT },
	{ "backend", "BACKEND", OUT_RIGHT },
	{ "gen", "GEN", OUT_RIGHT },
	{ "ifindex", "IFINDEX", OUT_RIGHT },
	{ "way", "WAY", 0 },
	{ "flags", "FLAGS", OUT_RIGHT },
	{ "tries", "TRIES", OUT_RIGHT },
	{ "refused", "REFUSED", OUT_RIGHT },
	{ "aim", "AIM", 0 },
	{ "settled", "SETTLED", OUT_RIGHT },
	{ "busy", "BUSY", OUT_RIGHT },
	{ "caller", "CALLER", OUT_RIGHT },
	{ "age_seconds", "AGE", OUT_RIGHT },
};

static int handshake_row(void *ctx, const struct weft_tuple *key, const struct weft_handshake *h)
{
	const struct dump *d = ctx;
	unsigned tries = h->nr_tries < WEFT_TRIES ? h->nr_tries : WEFT_TRIES, refused = 0;

	for (unsigned i = 0; i < tries; i++)
		refused += h->tried[i].flags & WEFT_TRY_F_REFUSED;
	cell_address(&key->client, key->client_port_be, d->o);
	cell_address(&key->server, key->server_port_be, d->o);
	out_cell(d->o, out_int(h->service));
	out_cell(d->o, out_int(h->backend));
	out_cell(d->o, out_int(h->gen));
	out_cell(d->o, out_int(h->ifindex));
	out_cell(d->o, out_text(way_name(h->way)));
	out_cell(d->o, out_int(h->flags));
	out_cell(d->o, out_int(tries));
	out_cell(d->o, out_int(refused));
	if (h->aim < tries)
		cell_address(&h->tried[h->aim].addr, h->tried[h->aim].port_be, d->o);
	else
		out_cell(d->o, out_none());
	out_cell(d->o, out_int(h->settled));
	out_cell(d->o, out_int(h->busy));
	out_cell(d->o, out_int((int64_t)h->caller));
	out_cell(d->o, out_seconds((double)(int64_t)(d->v->now_ns - h->start_ns) / 1e9));
	return 0;
}

int dump_handshakes(const struct view *v, struct out *o)
{
	struct dump d = { v, o };
	int r;

	out_table(o, NULL, NULL, handshake_columns, NR(handshake_columns));
	r = maps_each_handshake(v->maps, handshake_row, &d);
	out_end(o);
	return r;
}

static const struct out_column nat_columns[] = {
	{ "client", "CLIENT", 0 },
	{ "server", "SERVER", 0 },
	{ "direction", "DIRECTION", 0 },
	{ "to", "TO", 0 },
	{ "client_port", "CLIENT-PORT", OUT_RIGHT },
	{ "ifindex", "IFINDEX", OUT_RIGHT },
	{ "way", "WAY", 0 },
};

static int nat_row(void *ctx, const struct weft_nat_key *key, const struct weft_nat *n)
{
	struct out *o = ctx;

	cell_address(&key->tuple.client, key->tuple.client_port_be, o);
	cell_address(&key->tuple.server, key->tuple.server_port_be, o);
	out_cell(o, out_text(key->back ? "back" : "forth"));
	cell_address(&n->server, n->server_port_be, o);
	out_cell(o, out_int(ntohs(n->client_port_be)));
	out_cell(o, out_int(n->ifindex));
	out_cell(o, out_text(way_name(n->way)));
	return 0;
}

int dump_nat(const struct maps *m, struct out *o)
{
	int r;

	out_table(o, NULL, NULL, nat_columns, NR(nat_columns));
	r = maps_each_nat(m, nat_row, o);
	out_end(o);
	return r;
}

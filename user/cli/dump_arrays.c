/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The maps that lie in memory, element by element, fields as in weft/abi.h. */
#include <arpa/inet.h>
#include <errno.h>

#include "cli/report.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define RIGHT(k, t)                                                                                                    \
	{                                                                                                              \
		k, t, OUT_RIGHT                                                                                        \
	}

static void dump_config(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = { RIGHT("abi", "ABI"),
						     RIGHT("flags", "FLAGS"),
						     { "callers", "CALLERS", 0 },
						     RIGHT("serial", "SERIAL"),
						     RIGHT("applied_ns", "APPLIED-NS") };
	const struct weft_config *c = v->maps->config;

	out_table(o, NULL, NULL, columns, NR(columns));
	out_cell(o, out_int(c->abi));
	out_cell(o, out_int(c->flags));
	out_cell(o, out_bool(c->flags & WEFT_CONFIG_F_CALLERS));
	out_cell(o, out_int((int64_t)c->serial));
	out_cell(o, out_int((int64_t)c->applied_ns));
	out_end(o);
}

static void dump_frontends(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = {
		{ "address", "ADDRESS", 0 }, { "proto", "PROTO", 0 }, RIGHT("service", "SERVICE"), { "name", "NAME", 0 }
	};
	char text[ADDR_TEXT_LEN];

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_frontends; i++) {
		const struct view_frontend *f = &v->frontends[i];
		const struct view_service *s = view_find_id(v, f->service);

		out_cell(o, out_text(addr_port_format(&f->addr, f->port, text, sizeof(text))));
		out_cell(o, out_text(proto_name(f->proto)));
		out_cell(o, out_int(f->service));
		out_cell(o, out_text(s ? s->name : NULL));
	}
	out_end(o);
}

static void dump_services(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = { RIGHT("id", "ID"),
						     { "name", "NAME", 0 },
						     RIGHT("spec", "SPEC"),
						     RIGHT("flags", "FLAGS"),
						     RIGHT("serial", "SERIAL") };

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_services; i++) {
		const struct weft_service *s = &v->maps->services[v->services[i].id];

		out_cell(o, out_int(v->services[i].id));
		out_cell(o, out_text(v->services[i].name));
		out_cell(o, out_int(s->spec));
		out_cell(o, out_int(s->flags));
		out_cell(o, out_int(s->serial));
	}
	out_end(o);
}

static void dump_specs(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = {
		RIGHT("id", "ID"),
		RIGHT("service", "SERVICE"),
		{ "published", "PUBLISHED", 0 },
		{ "balance", "BALANCE", 0 },
		{ "hash_by", "HASH-BY", 0 },
		{ "affinity", "AFFINITY", 0 },
		RIGHT("affinity_ms", "AFFINITY-MS"),
		RIGHT("slot_base", "SLOT-BASE"),
		RIGHT("slots", "SLOTS"),
		RIGHT("table_base", "TABLE-BASE"),
		RIGHT("table_size", "TABLE-SIZE"),
		RIGHT("average_weight", "AVG-WEIGHT"),
		RIGHT("backends", "BACKENDS"),
		RIGHT("serial", "SERIAL"),
	};
	const struct maps *m = v->maps;

	out_table(o, NULL, NULL, columns, NR(columns));
	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_SPECS]; i++) {
		const struct weft_spec *s = &m->specs[i];

		if (!(s->flags & WEFT_SPEC_F_USED))
			continue;
		out_cell(o, out_int(i));
		out_cell(o, out_int(s->service));
		out_cell(o,
			 out_bool(s->service < m->capacity[PLANE_MAP_SERVICES] && m->services[s->service].spec == i));
		out_cell(o, out_text(lb_name(s->lb)));
		out_cell(o, out_text(client_name(s->hash_by)));
		out_cell(o, out_text(client_name(s->affinity)));
		out_cell(o, out_int(s->affinity_ms));
		out_cell(o, out_int(s->level[0].slot_base));
		out_cell(o, out_int(s->level[0].nr_slots));
		out_cell(o, out_int(s->level[0].table_base));
		out_cell(o, out_int(s->level[0].table_size));
		out_cell(o, out_int(s->level[0].avg_weight));
		out_cell(o, out_int(s->nr_backends));
		out_cell(o, out_int(s->serial));
	}
	out_end(o);
}

static void dump_extent(const struct view *v, const struct view_service *s, const char *table, uint32_t base,
			uint32_t nr, struct out *o)
{
	for (uint32_t i = 0; i < nr; i++) {
		out_cell(o, out_int((int64_t)base + i));
		out_cell(o, out_text(s->name));
		out_cell(o, out_text(table));
		out_cell(o, out_int(v->maps->slots[base + i]));
	}
}

/* What is published; the rest of the arena is free, or rests. */
static void dump_slots(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = { RIGHT("index", "INDEX"),
						     { "service", "SERVICE", 0 },
						     { "table", "TABLE", 0 },
						     RIGHT("backend", "BACKEND") };

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_services; i++) {
		const struct weft_spec *spec = view_spec(v, v->services[i].id);

		if (!spec)
			continue;
		dump_extent(v, &v->services[i], "slots", spec->level[0].slot_base, spec->level[0].nr_slots, o);
		dump_extent(v, &v->services[i], "maglev", spec->level[0].table_base, spec->level[0].table_size, o);
	}
	out_end(o);
}

static void dump_backends(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = { RIGHT("id", "ID"),		{ "address", "ADDRESS", 0 },
						     RIGHT("weight", "WEIGHT"), { "state", "STATE", 0 },
						     RIGHT("flags", "FLAGS"),	RIGHT("service", "SERVICE"),
						     RIGHT("gen", "GEN") };
	char text[ADDR_TEXT_LEN];

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_backends; i++) {
		const struct weft_backend *b = &v->maps->backends[v->backends[i]];

		out_cell(o, out_int(v->backends[i]));
		out_cell(o, out_text(addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text))));
		out_cell(o, out_int(b->weight));
		out_cell(o, out_text(view_state(v, v->backends[i])));
		out_cell(o, out_int(b->flags));
		out_cell(o, out_int(b->service));
		out_cell(o, out_int(b->gen));
	}
	out_end(o);
}

static void dump_bstate(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = {
		RIGHT("id", "ID"),
		RIGHT("active", "ACTIVE"),
		RIGHT("failures_in_row", "IN-ROW"),
		RIGHT("ewma_us", "EWMA-US"),
		RIGHT("ewma_at_ms", "EWMA-AT-MS"),
		RIGHT("opened", "OPENED"),
		RIGHT("established", "ESTABLISHED"),
		RIGHT("failed", "FAILED"),
		RIGHT("last_failure_ns", "LAST-FAILURE-NS"),
		RIGHT("last_handshake_us", "HANDSHAKE-US"),
		RIGHT("last_rtt_us", "RTT-US"),
	};

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_backends; i++) {
		const struct weft_bstate *s = &v->maps->bstate[v->backends[i]];

		out_cell(o, out_int(v->backends[i]));
		out_cell(o, out_int(s->active));
		out_cell(o, out_int(s->failures_in_row));
		out_cell(o, out_int(s->ewma.us));
		out_cell(o, out_int(s->ewma.at_ms));
		out_cell(o, out_int((int64_t)s->opened));
		out_cell(o, out_int((int64_t)s->established));
		out_cell(o, out_int((int64_t)s->failed));
		out_cell(o, out_int((int64_t)s->last_failure_ns));
		out_cell(o, out_int(s->last_handshake_us));
		out_cell(o, out_int(s->last_rtt_us));
	}
	out_end(o);
}

static void dump_sstate(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = {
		RIGHT("id", "ID"), { "name", "NAME", 0 }, RIGHT("next", "NEXT"), RIGHT("refused", "REFUSED")
	};

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_services; i++) {
		const struct weft_sstate *s = &v->maps->sstate[v->services[i].id];

		out_cell(o, out_int(v->services[i].id));
		out_cell(o, out_text(v->services[i].name));
		out_cell(o, out_int(s->next));
		out_cell(o, out_int((int64_t)s->refused));
	}
	out_end(o);
}

void report_flows(const struct weft_flow_record *records, size_t nr, struct out *o)
{
	static const struct out_column columns[] = {
		RIGHT("cookie", "COOKIE"),
		RIGHT("netns", "NETNS"),
		{ "proto", "PROTO", 0 },
		{ "vip", "VIP", 0 },
		{ "local", "LOCAL", 0 },
		{ "remote", "REMOTE", 0 },
		RIGHT("service", "SERVICE"),
		RIGHT("backend", "BACKEND"),
		RIGHT("gen", "GEN"),
		RIGHT("state", "STATE"),
		RIGHT("sk_state", "SK-STATE"),
		RIGHT("held", "HELD"),
		RIGHT("caller", "CALLER"),
		RIGHT("start_ns", "START-NS"),
		RIGHT("bytes_sent", "SENT"),
		RIGHT("bytes_received", "RECEIVED"),
		RIGHT("srtt_us", "SRTT-US"),
		RIGHT("rtt_samples", "SAMPLES"),
		RIGHT("retransmits", "RETRANSMITS"),
	};
	char text[ADDR_TEXT_LEN];

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < nr; i++) {
		const struct weft_flow_record *r = &records[i];
		const struct weft_flow *f = &r->flow;

		out_cell(o, out_int((int64_t)r->cookie));
		out_cell(o, out_int(r->netns));
		out_cell(o, out_text(proto_name(f->proto)));
		out_cell(o, out_text(addr_port_format(&f->vip, ntohs(f->vip_port_be), text, sizeof(text))));
		out_cell(o, out_text(addr_port_format(&r->local, ntohs(r->local_port_be), text, sizeof(text))));
		out_cell(o, out_text(addr_port_format(&r->remote, ntohs(r->remote_port_be), text, sizeof(text))));
		out_cell(o, out_int(f->service));
		out_cell(o, out_int(f->backend));
		out_cell(o, out_int(f->gen));
		out_cell(o, out_int(f->state));
		out_cell(o, out_int(r->sk_state));
		out_cell(o, out_int(f->held));
		out_cell(o, out_int((int64_t)f->caller));
		out_cell(o, out_int((int64_t)f->start_ns));
		out_cell(o, out_int((int64_t)r->bytes_sent));
		out_cell(o, out_int((int64_t)r->bytes_received));
		out_cell(o, out_int(r->srtt_us));
		out_cell(o, out_int(f->rtt_samples));
		out_cell(o, out_int(f->retransmits));
	}
	out_end(o);
}

int report_dump(const struct view *v, enum plane_map map, struct out *o)
{
	static void (*const dump[PLANE_MAP_MAX])(const struct view *, struct out *) = {
		[PLANE_MAP_CONFIG] = dump_config,     [PLANE_MAP_FRONTENDS] = dump_frontends,
		[PLANE_MAP_SERVICES] = dump_services, [PLANE_MAP_SPECS] = dump_specs,
		[PLANE_MAP_SLOTS] = dump_slots,	      [PLANE_MAP_BACKENDS] = dump_backends,
		[PLANE_MAP_BSTATE] = dump_bstate,     [PLANE_MAP_SSTATE] = dump_sstate,
	};

	if (!dump[map])
		return -EINVAL;
	dump[map](v, o);
	return 0;
}

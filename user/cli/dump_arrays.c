/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The maps that lie in memory, element by element, fields as in weft/abi.h. */
#include <arpa/inet.h>
#include <errno.h>

#include "cli/dump.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define RIGHT(k, t)                                                                                                    \
	{                                                                                                              \
		k, t, OUT_RIGHT                                                                                        \
	}

static void dump_config(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = {
		RIGHT("abi", "ABI"),	   RIGHT("flags", "FLAGS"),	      { "callers", "CALLERS", 0 },
		RIGHT("serial", "SERIAL"), RIGHT("applied_ns", "APPLIED-NS"), RIGHT("netns", "NETNS"),
		RIGHT("moved", "MOVED"),   RIGHT("drains", "DRAINS")
	};
	const struct weft_config *c = v->maps->config;

	out_table(o, NULL, NULL, columns, NR(columns));
	out_cell(o, out_int(c->abi));
	out_cell(o, out_int(c->flags));
	out_cell(o, out_bool(c->flags & WEFT_CONFIG_F_CALLERS));
	out_cell(o, out_int((int64_t)c->serial));
	out_cell(o, out_int((int64_t)c->applied_ns));
	out_cell(o, out_int((int64_t)c->netns));
	out_cell(o, out_int(c->moved));
	out_cell(o, out_int(c->drains));
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
	static const struct out_column columns[] = { RIGHT("id", "ID"),		{ "name", "NAME", 0 },
						     RIGHT("spec", "SPEC"),	RIGHT("flags", "FLAGS"),
						     { "forced", "FORCED", 0 }, RIGHT("serial", "SERIAL") };

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_services; i++) {
		const struct weft_service *s = &v->maps->services[v->services[i].id];

		out_cell(o, out_int(v->services[i].id));
		out_cell(o, out_text(v->services[i].name));
		out_cell(o, out_int(s->spec));
		out_cell(o, out_int(s->flags));
		out_cell(o, out_text(s->flags & WEFT_SERVICE_F_FORCE_OPEN     ? "open"
				     : s->flags & WEFT_SERVICE_F_FORCE_CLOSED ? "closed"
									      : NULL));
		out_cell(o, out_int(s->serial));
	}
	out_end(o);
}

static void dump_extent(const struct view *v, const struct view_service *s, const char *table, unsigned level,
			uint32_t base, uint32_t nr, struct out *o)
{
	for (uint32_t i = 0; i < nr; i++) {
		out_cell(o, out_int((int64_t)base + i));
		out_cell(o, out_text(s->name));
		out_cell(o, out_text(table));
		out_cell(o, out_int(level));
		out_cell(o, out_int(v->maps->slots[base + i]));
	}
}

/* What is published; the rest of the arena is free, or rests. */
static void dump_slots(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = { RIGHT("index", "INDEX"),
						     { "service", "SERVICE", 0 },
						     { "table", "TABLE", 0 },
						     RIGHT("level", "LEVEL"),
						     RIGHT("backend", "BACKEND") };

	out_table(o, NULL, NULL, columns, NR(columns));
	for (size_t i = 0; i < v->nr_services; i++) {
		const struct weft_spec *spec = view_spec(v, v->services[i].id);

		if (!spec)
			continue;
		for (unsigned k = 0; k < spec->nr_levels; k++) {
			const struct weft_level *l = &spec->level[k];

			dump_extent(v, &v->services[i], "slots", k, l->slot_base, l->nr_slots, o);
			dump_extent(v, &v->services[i], "maglev", k, l->table_base, l->table_size, o);
		}
	}
	out_end(o);
}

static void dump_backends(const struct view *v, struct out *o)
{
	static const struct out_column columns[] = { RIGHT("id", "ID"),		{ "address", "ADDRESS", 0 },
						     RIGHT("weight", "WEIGHT"), { "state", "STATE", 0 },
						     RIGHT("flags", "FLAGS"),	RIGHT("level", "LEVEL"),
						     RIGHT("zone", "ZONE"),	RIGHT("service", "SERVICE"),
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
		out_cell(o, out_int(b->level));
		out_cell(o, out_int(b->zone));
		out_cell(o, out_int(b->service));
		out_cell(o, out_int(b->gen));
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
		RIGHT("flags", "FLAGS"),
		{ "dest", "DEST", 0 },
		RIGHT("deadline_ms", "DEADLINE-MS"),
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
		out_cell(o, out_int(f->flags));
		out_cell(o, out_text(addr_port_format(&f->dest, ntohs(f->dest_port_be), text, sizeof(text))));
		out_cell(o, out_int(f->deadline_ms));
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

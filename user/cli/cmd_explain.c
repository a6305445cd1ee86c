/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * weft explain ADDRESS:PORT: the way of a connect through the maps, step by step, with the figures that the kernel
 * would compare now. The arithmetic is weft/lb.h, the same source that runs in the kernel.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "cli/cmd.h"
#include "cli/report.h"
#include "weft/lb.h"

struct steps {
	struct out *o;
	unsigned nr;
};

/* Numbered for people and programs alike: problems are told as "see step 3". */
#define STEP(s, fmt, ...) out_note((s)->o, "steps", "%u. " fmt, ++(s)->nr, ##__VA_ARGS__)

static const struct view_frontend *find_frontend(const struct view *v, const struct weft_addr *addr, uint16_t port,
						 uint8_t proto)
{
	for (size_t i = 0; i < v->nr_frontends; i++) {
		const struct view_frontend *f = &v->frontends[i];

		if (f->port == port && f->proto == proto && weft_addr_equal(&f->addr, addr))
			return f;
	}
	return NULL;
}

static const char *service_name(const struct view *v, uint32_t id)
{
	const struct view_service *s = view_find_id(v, id);

	return s ? s->name : "?";
}

/* Not a service; but what is known of the address may be what was meant. */
static void explain_unknown(const struct view *v, const struct weft_addr *addr, uint16_t port, struct steps *s)
{
	char text[ADDR_TEXT_LEN];

	out_field(s->o, "service", NULL, out_none());
	STEP(s, "weft_frontends has no such key: it is no service of this instance");
	STEP(s, "the connect passes untouched; only the lookup was spent on it");
	for (size_t i = 0; i < v->nr_frontends; i++) {
		const struct view_frontend *f = &v->frontends[i];

		if (weft_addr_equal(&f->addr, addr))
			out_note(s->o, "hints", "hint: %s %s is service \"%s\"",
				 addr_port_format(&f->addr, f->port, text, sizeof(text)), proto_name(f->proto),
				 service_name(v, f->service));
	}
	for (size_t i = 0; i < v->nr_backends; i++) {
		const struct weft_backend *b = &v->maps->backends[v->backends[i]];

		if (weft_addr_equal(&b->addr, addr) && ntohs(b->port_be) == port)
			out_note(s->o, "hints",
				 "hint: it is an endpoint of service \"%s\"; who connects to it directly is not "
				 "balanced",
				 service_name(v, b->service));
	}
}

static const struct out_column columns[] = {
	{ "endpoint", "ENDPOINT", 0 },
	{ "state", "STATE", 0 },
	{ "weight", "WEIGHT", OUT_RIGHT },
	{ "share_percent", "SHARE%", OUT_RIGHT },
	{ "active", "ACTIVE", OUT_RIGHT },
	{ "latency_us", "LATENCY", OUT_RIGHT },
	{ "cost", "COST", OUT_RIGHT },
	{ "id", "ID", OUT_RIGHT | OUT_WIDE },
	{ "why", "WHY", 0 },
};

static struct weft_lb_candidate candidate(const struct view *v, uint32_t id)
{
	return (struct weft_lb_candidate){
		.active = v->maps->bstate[id].active,
		.weight = v->maps->backends[id].weight ? v->maps->backends[id].weight : 1,
		.ewma_us = view_latency_us(v, id),
	};
}

/* What the policy compares; none when it compares nothing, or when this one was never measured. */
static struct out_value cost(const struct weft_spec *spec, const struct weft_lb_candidate *c)
{
	switch ((enum weft_lb)spec->lb) {
	case WEFT_LB_P2C_EWMA:
		return c->ewma_us ? out_real((double)weft_lb_cost(c, spec->level[0].avg_weight) / 16) : out_none();
	case WEFT_LB_LEAST_REQUEST:
		return out_real((double)c->active / c->weight);
	case WEFT_LB_ROUND_ROBIN:
	case WEFT_LB_RANDOM:
	case WEFT_LB_MAGLEV:
	case WEFT_LB_SOURCE_HASH:
	case WEFT_LB_MAX:
		break;
	}
	return out_none();
}

static const char *why(const struct view *v, const struct weft_spec *spec, uint32_t id)
{
	const struct weft_backend *b = &v->maps->backends[id];
	struct weft_lb_candidate c = candidate(v, id);

	if (b->flags & WEFT_BACKEND_F_DRAINING)
		return "excluded: draining, waits for its connections to end";
	if (!b->weight)
		return "excluded: weight 0";
	if (!(b->flags & WEFT_BACKEND_F_READY))
		return "excluded: not ready";
	if (!v->slots[id])
		return "excluded: it has no slot in what is published";
	if (spec->lb == WEFT_LB_P2C_EWMA && !c.ewma_us)
		return c.active ? "candidate: not measured yet, compared by connections"
				: "candidate: never measured, taken at once when it is drawn";
	return "candidate";
}

static void explain_candidates(const struct view *v, const struct weft_spec *spec, struct out *o)
{
	char text[ADDR_TEXT_LEN];
	size_t nr;
	const uint32_t *ids = view_backends(v, spec->service, &nr);

	out_table(o, "candidates", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < nr; i++) {
		const struct weft_backend *b = &v->maps->backends[ids[i]];
		struct weft_lb_candidate c = candidate(v, ids[i]);

		out_cell(o, out_text(addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text))));
		out_cell(o, out_text(view_state(v, ids[i])));
		out_cell(o, out_int(b->weight));
		out_cell(o, out_percent(view_share(v, ids[i])));
		out_cell(o, out_int(c.active));
		out_cell(o, c.ewma_us ? out_us(c.ewma_us) : out_none());
		out_cell(o, view_is_ready(v, ids[i]) ? cost(spec, &c) : out_none());
		out_cell(o, out_int(ids[i]));
		out_cell(o, out_text(why(v, spec, ids[i])));
	}
	out_end(o);
}

static const char *caller_sentence(uint8_t client)
{
	return client == WEFT_CLIENT_WORKLOAD ? "the cgroup of the calling process"
					      : "the address its socket is bound to, or else its network namespace";
}

/* What the policy will do with the candidates. */
static void explain_policy(const struct view *v, const struct weft_spec *spec, struct steps *s)
{
	char text[ADDR_TEXT_LEN], lasts[32];

	if (spec->affinity) {
		out_human(out_seconds(spec->affinity_ms / 1e3), lasts, sizeof(lasts));
		STEP(s,
		     "affinity %s: a caller, told by %s, that connected in the last %s goes where it went, if that "
		     "endpoint takes "
		     "connections",
		     client_name(spec->affinity), caller_sentence(spec->affinity), lasts);
	} else {
		STEP(s, "no affinity: every connect is chosen anew");
	}
	STEP(s, "balance %s: %s", lb_name(spec->lb), lb_text(spec->lb));
	if (spec->lb == WEFT_LB_MAGLEV || spec->lb == WEFT_LB_SOURCE_HASH)
		STEP(s, "the caller is told by %s; the same caller meets the same endpoint",
		     caller_sentence(spec->hash_by));
	if (spec->lb == WEFT_LB_P2C_EWMA) {
		STEP(s, "cost = latency in us x (1 + active x average weight %u / weight)", spec->level[0].avg_weight);
		STEP(s,
		     "latencies within a factor of two after %u us was added to both are the same: then active / "
		     "weight decides",
		     WEFT_EWMA_FLOOR_US);
	}
	if (spec->lb == WEFT_LB_LEAST_REQUEST)
		STEP(s, "cost = active / weight");
	if (spec->lb == WEFT_LB_ROUND_ROBIN && spec->level[0].nr_slots) {
		uint32_t turn = v->maps->sstate[spec->service].next % spec->level[0].nr_slots;
		uint32_t id = v->maps->slots[spec->level[0].slot_base + turn];
		const struct weft_backend *b = &v->maps->backends[id];

		if (id < v->maps->capacity[PLANE_MAP_BACKENDS])
			STEP(s, "slot %u of %u is next: %s", turn, spec->level[0].nr_slots,
			     addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text)));
	}
}

/* How many endpoints could be chosen now; the one, when there is one. */
static size_t count_ready(const struct view *v, const struct weft_spec *spec, const struct weft_backend **ret_last)
{
	size_t nr, ready = 0;
	const uint32_t *ids = view_backends(v, spec->service, &nr);

	for (size_t i = 0; i < nr; i++) {
		if (!view_is_ready(v, ids[i]) || !v->slots[ids[i]])
			continue;
		*ret_last = &v->maps->backends[ids[i]];
		ready++;
	}
	return ready;
}

static void explain_verdict(const struct view *v, const struct weft_spec *spec, struct out *o)
{
	const struct weft_backend *b = NULL;
	size_t ready = spec ? count_ready(v, spec, &b) : 0;
	char text[ADDR_TEXT_LEN], verdict[128];

	out_field(o, "candidates_ready", "", out_int((int64_t)ready));
	out_field(o, "errno", "", out_text(ready ? NULL : "ECONNREFUSED"));
	if (!ready)
		snprintf(verdict, sizeof(verdict),
			 "refused with ECONNREFUSED, since no endpoint takes new connections");
	else if (ready == 1)
		snprintf(verdict, sizeof(verdict), "to %s, the only one that takes connections",
			 addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text)));
	else
		snprintf(verdict, sizeof(verdict), "to one of %zu endpoints, as above", ready);
	out_field(o, "verdict", "so", out_text(verdict));
}

void report_explain(const struct view *v, const struct weft_addr *addr, uint16_t port, uint8_t proto, struct out *o)
{
	const struct view_frontend *f = find_frontend(v, addr, port, proto ? proto : IPPROTO_TCP);
	struct steps s = { .o = o };
	const struct weft_spec *spec;
	char text[ADDR_TEXT_LEN];

	if (!f && !proto)
		f = find_frontend(v, addr, port, IPPROTO_UDP);
	if (f)
		proto = f->proto;
	out_field(o, "address", NULL, out_text(addr_port_format(addr, port, text, sizeof(text))));
	out_field(o, "proto", NULL, out_text(proto ? proto_name(proto) : "tcp or udp"));
	if (!f) {
		explain_unknown(v, addr, port, &s);
		return;
	}
	out_field(o, "service", NULL, out_text(service_name(v, f->service)));
	STEP(&s, "weft_frontends {%s, %s} is service %u, \"%s\"", text, proto_name(proto), f->service,
	     service_name(v, f->service));
	spec = view_spec(v, f->service);
	if (!spec) {
		STEP(&s, "weft_services[%u] publishes nothing", f->service);
		explain_verdict(v, NULL, o);
		return;
	}
	STEP(&s, "weft_services[%u] publishes weft_specs[%u], version %u; endpoints: %u, slots: %u", f->service,
	     v->maps->services[f->service].spec, spec->serial, spec->nr_backends, spec->level[0].nr_slots);
	explain_policy(v, spec, &s);
	explain_candidates(v, spec, o);
	explain_verdict(v, spec, o);
}

int cmd_explain(struct cli *cli, int argc, const char *const *argv)
{
	struct weft_addr addr;
	uint16_t port;
	int proto = argc > 1 ? proto_from_name(argv[1]) : 0;

	if (addr_port_parse(argv[0], &addr, &port) < 0 || proto < 0) {
		out_error(cli->out, "\"%.64s\" is no ADDRESS:PORT; write 10.0.0.1:80 or [fd00::1]:80", argv[0]);
		return CLI_USAGE;
	}
	if (cli_open(cli, false))
		return CLI_FAILED;
	report_explain(cli->view, &addr, port, (uint8_t)proto, cli->out);
	return CLI_DONE;
}

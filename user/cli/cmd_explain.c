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
#include "cli/explain.h"
#include "weft/lb.h"

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
	if (spec->lb == WEFT_LB_ROUND_ROBIN && spec->nr_levels == 1 && spec->level[0].nr_slots) {
		uint32_t turn = v->maps->sstate[spec->service].next % spec->level[0].nr_slots;
		uint32_t id = v->maps->slots[spec->level[0].slot_base + turn];
		const struct weft_backend *b = &v->maps->backends[id];

		if (id < v->maps->capacity[PLANE_MAP_BACKENDS])
			STEP(s, "slot %u of %u is next: %s", turn, spec->level[0].nr_slots,
			     addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text)));
	}
}

/* @refused: why it does not come to a choice, NULL: it does. */
static void explain_verdict(const struct view *v, const struct weft_spec *spec, const char *refused, struct out *o)
{
	uint32_t id = 0;
	size_t ready = spec ? explain_count(v, spec, 0, &id) : 0, full = 0, tried = 0;
	bool panic = spec && !ready && view_levels(v, spec).panic;
	const struct weft_backend *b;
	char text[ADDR_TEXT_LEN], verdict[160];

	if (panic)
		tried = explain_count(v, spec, WEFT_OUT_PANIC, &id);
	b = &v->maps->backends[id];
	for (size_t i = 0; spec && !ready && !tried && i < v->nr_backends; i++)
		full += v->maps->backends[v->backends[i]].service == spec->service && view_is_ready(v, v->backends[i]);
	if (!refused && !ready && !tried)
		refused = full ? "since every endpoint that takes connections is at its own limit"
			       : "since no endpoint takes new connections";
	out_field(o, "candidates_ready", "", out_int((int64_t)ready));
	out_field(o, "panic", "", out_bool(tried > 0));
	out_field(o, "errno", "", out_text(refused ? "ECONNREFUSED" : NULL));
	addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text));
	if (refused)
		snprintf(verdict, sizeof(verdict), "refused with ECONNREFUSED, %s", refused);
	else if (tried == 1)
		snprintf(verdict, sizeof(verdict), "in panic, to %s", text);
	else if (tried)
		snprintf(verdict, sizeof(verdict), "in panic, to one of %zu endpoints that are ejected or unhealthy",
			 tried);
	else if (ready == 1)
		snprintf(verdict, sizeof(verdict), "to %s, the only one that takes connections", text);
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
	const char *refused;
	uint32_t last = 0;

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
		explain_verdict(v, NULL, NULL, o);
		return;
	}
	STEP(&s, "weft_services[%u] publishes weft_specs[%u], version %u; endpoints: %u, slots: %u", f->service,
	     v->maps->services[f->service].spec, spec->serial, spec->nr_backends, (uint32_t)view_slots(spec));
	refused = explain_admission(v, spec, &s);
	explain_levels(v, spec, &s);
	explain_policy(v, spec, &s);
	if (spec->flags & WEFT_SPEC_F_FAILOVER && v->maps->config->netns)
		STEP(&s, "failover: when the endpoint refuses or is silent, the same connect goes on to the next one");
	explain_candidates(v, spec, !explain_count(v, spec, 0, &last) && view_levels(v, spec).panic, o);
	explain_verdict(v, spec, refused, o);
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

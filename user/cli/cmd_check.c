/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft check [--repair]: is every connection counted once, and does every reference between the maps lead somewhere? */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "cli/report.h"

#define AUDIT_PASSES	   3
#define REFERENCE_LOOKS	   4
#define REFERENCE_PAUSE_US 50000
#define PROBLEMS_MAX	   100 /* said in full; the rest is counted */

struct problems {
	struct out *o;
	unsigned nr;
};

/* Without a document it only counts. */
#define PROBLEM(p, fmt, ...)                                                                                           \
	do {                                                                                                           \
		if (++(p)->nr <= PROBLEMS_MAX && (p)->o)                                                               \
			out_note((p)->o, "problems", "problem: " fmt, ##__VA_ARGS__);                                  \
	} while (0)

static void check_frontends(const struct view *v, struct problems *p)
{
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < v->nr_frontends; i++) {
		const struct view_frontend *f = &v->frontends[i];

		if (!view_find_id(v, f->service))
			PROBLEM(p, "%s %s leads to service %u, which is not there",
				addr_port_format(&f->addr, f->port, text, sizeof(text)), proto_name(f->proto),
				f->service);
	}
}

/* One extent of the arena: does every slot hold an endpoint of this service? */
static void check_slots(const struct view *v, const struct view_service *s, uint32_t base, uint32_t nr,
			const char *what, struct problems *p)
{
	const struct maps *m = v->maps;
	uint32_t bad = 0;

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t id = m->slots[base + i];

		bad += !id || id >= m->capacity[PLANE_MAP_BACKENDS] || !(m->backends[id].flags & WEFT_BACKEND_F_USED) ||
		       m->backends[id].service != s->id;
	}
	if (bad)
		PROBLEM(p, "service \"%s\": %u of %u %s hold no endpoint of it", s->name, bad, nr, what);
}

static void check_service(const struct view *v, const struct view_service *s, struct problems *p)
{
	const struct maps *m = v->maps;
	uint32_t id = m->services[s->id].spec;
	const struct weft_spec *spec = view_spec(v, s->id);

	if (!id) /* an agent between adding a service and publishing it; its connects are refused */
		return;
	if (!spec) {
		PROBLEM(p, "service \"%s\" publishes spec %u, which is out of range or belongs to another service",
			s->name, id);
		return;
	}
	if (!(spec->flags & WEFT_SPEC_F_USED))
		PROBLEM(p, "service \"%s\" publishes spec %u, which counts as free", s->name, id);
	if (spec->lb >= WEFT_LB_MAX)
		PROBLEM(p, "service \"%s\" has balance %u, which nobody knows", s->name, spec->lb);
	for (unsigned i = 0; i < spec->nr_levels; i++) {
		const struct weft_level *l = &spec->level[i];

		if (spec->lb == WEFT_LB_MAGLEV && l->nr_slots && !l->table_size)
			PROBLEM(p, "service \"%s\" has no maglev table in level %u", s->name, i);
		check_slots(v, s, l->slot_base, l->nr_slots, "slots", p);
		check_slots(v, s, l->table_base, l->table_size, "rows of the maglev table", p);
	}
}

/*
 * Endpoints that nothing leads to: a change is under way, or was cut short, and the next agent tidies up. A draining
 * one may outlive its service by right.
 */
static unsigned count_leftovers(const struct view *v)
{
	unsigned nr = 0;

	for (size_t i = 0; i < v->nr_backends; i++) {
		const struct weft_backend *b = &v->maps->backends[v->backends[i]];

		nr += !(b->flags & WEFT_BACKEND_F_DRAINING) && !view_find_id(v, b->service);
	}
	return nr;
}

unsigned report_references(const struct view *v, struct out *o)
{
	struct problems p = { .o = o };

	check_frontends(v, &p);
	for (size_t i = 0; i < v->nr_services; i++)
		check_service(v, &v->services[i], &p);
	if (!o)
		return p.nr;
	if (p.nr > PROBLEMS_MAX)
		out_note(o, "problems", "problem: %u more", p.nr - PROBLEMS_MAX);
	out_field(o, "references_broken", "broken references", out_int(p.nr));
	out_field(o, "leftovers", "endpoints that nothing leads to", out_int(count_leftovers(v)));
	return p.nr;
}

/* Follows the references until all lead somewhere: what an agent changes while we look is not broken the next time. */
static void settle(struct cli *cli)
{
	unsigned broken = report_references(cli->view, NULL);

	for (int i = 1; i < REFERENCE_LOOKS && broken; i++) {
		struct view *again = NULL;

		usleep(REFERENCE_PAUSE_US);
		if (view_read(cli->maps, &again) < 0)
			break;
		view_free(cli->view);
		cli->view = again;
		broken = report_references(cli->view, NULL);
	}
}

static const struct out_column columns[] = {
	{ "service", "SERVICE", 0 },	     { "endpoint", "ENDPOINT", 0 },   { "counter", "COUNTER", 0 },
	{ "counted", "COUNTED", OUT_RIGHT }, { "found", "FOUND", OUT_RIGHT }, { "drift", "DRIFT", OUT_RIGHT },
	{ "id", "ID", OUT_RIGHT },
};

static void drift_table(const struct view *v, const struct audit *a, struct out *o)
{
	char text[ADDR_TEXT_LEN];

	out_table(o, "drift", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < a->nr_drift; i++) {
		const struct drift *d = &a->drift[i];
		const struct weft_backend *b = &v->maps->backends[d->backend];
		const struct view_service *s = view_find_id(v, d->service);

		addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text));
		out_cell(o, out_text(s ? s->name : NULL));
		out_cell(o, out_text(d->backend ? text : NULL));
		out_cell(o, out_text(drift_name(d->what)));
		out_cell(o, out_int(d->counted));
		out_cell(o, out_int(d->found));
		out_cell(o, out_int(d->counted - d->found));
		out_cell(o, out_int(d->backend ? d->backend : d->service));
	}
	out_end(o);
}

void report_audit(const struct view *v, const struct audit *a, bool repaired, struct out *o)
{
	bool exact = !a->nr_drift;

	out_field(o, "endpoints", "", out_int((int64_t)a->backends));
	out_field(o, "connections", "", out_int((int64_t)a->sockets));
	out_field(o, "exact", "", out_bool(exact));
	out_field(o, "repaired", "", out_bool(repaired));
	out_note(o, NULL, "%" PRIu64 " endpoints, %" PRIu64 " connections: %s", a->backends, a->sockets,
		 exact ? "exact" : "counted wrong");
	if (exact)
		return;
	drift_table(v, a, o);
	out_note(o, NULL, "%s",
		 repaired ? "repaired: the counters now say what was found" : "`weft check --repair` sets it right");
}

int cmd_check(struct cli *cli, int argc, const char *const *argv)
{
	bool repair = cli->given & CLI_BIT(REPAIR), repaired = false;
	struct audit a = { 0 };
	unsigned broken;
	int r;

	if (cli_open(cli, repair))
		return CLI_FAILED;
	r = maps_audit(cli->maps, AUDIT_PASSES, &a);
	if (r == -EOPNOTSUPP)
		return out_error(cli->out,
				 "this kernel has no iterator over socket storage, so connections cannot be recounted");
	if (r < 0)
		return out_error(cli->out, "cannot recount the connections: %s", log_strerror(r));
	if (repair && a.nr_drift) {
		r = maps_repair(cli->maps, &a);
		if (r < 0)
			out_error(cli->out, "cannot write the counters: %s", log_strerror(r));
		repaired = r >= 0;
	}
	settle(cli);
	report_audit(cli->view, &a, repaired, cli->out);
	broken = report_references(cli->view, cli->out);
	r = (a.nr_drift && !repaired) || broken ? CLI_FAILED : CLI_DONE;
	free(a.drift);
	return r;
}

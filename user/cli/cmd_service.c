/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft service list | show NAME */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/report.h"

static const struct out_column columns[] = {
	{ "name", "NAME", 0 },
	{ "addresses", "ADDRESS", 0 },
	{ "proto", "PROTO", 0 },
	{ "balance", "BALANCE", 0 },
	{ "endpoints", "ENDPOINTS", OUT_RIGHT },
	{ "ready", "READY", OUT_RIGHT },
	{ "ejected", "EJECTED", OUT_RIGHT },
	{ "breaker", "BREAKER", 0 },
	{ "active", "ACTIVE", OUT_RIGHT },
	{ "opened", "OPENED", OUT_RIGHT },
	{ "failed", "FAILED", OUT_RIGHT },
	{ "refused", "REFUSED", OUT_RIGHT | OUT_WIDE },
	{ "connections", "CONNECTIONS", OUT_RIGHT | OUT_WIDE },
	{ "max_connections", "", OUT_NEVER },
	{ "pending", "PENDING", OUT_RIGHT | OUT_WIDE },
	{ "max_pending", "", OUT_NEVER },
	{ "affinity", "AFFINITY", OUT_WIDE },
	{ "affinity_seconds", "TIMEOUT", OUT_RIGHT | OUT_WIDE },
	{ "slots", "SLOTS", OUT_RIGHT | OUT_WIDE },
	{ "maglev_size", "MAGLEV", OUT_RIGHT | OUT_WIDE },
	{ "id", "ID", OUT_RIGHT | OUT_WIDE },
	{ "serial", "SERIAL", OUT_RIGHT | OUT_WIDE },
};

/* "87/100" for people, two numbers for programs. */
static void limit_cells(uint32_t used, uint32_t limit, struct out *o)
{
	char text[32];

	out_cell(o, out_words(out_int(used), guard_use(used, limit, text, sizeof(text))));
	out_cell(o, limit ? out_int(limit) : out_none());
}

static int service_row(const struct view *v, const struct view_service *s, struct out *o)
{
	_cleanup_(freep) const char **addresses = NULL;
	const struct weft_spec *spec = view_spec(v, s->id);
	const struct weft_sstate *state = &v->maps->sstate[s->id];
	struct guard_breaker b = guard_breaker(v, s->id);
	struct view_total t = view_total(v, s->id);
	size_t nr;
	int r;

	r = view_addresses(v, s->id, &addresses, &nr);
	if (r < 0)
		return r;
	out_cell(o, out_text(s->name));
	out_cell(o, out_list(addresses, nr));
	out_cell(o, out_text(view_proto(v, s->id)));
	out_cell(o, out_text(spec ? lb_name(spec->lb) : NULL));
	out_cell(o, out_int((int64_t)t.endpoints));
	out_cell(o, out_int((int64_t)t.ready));
	out_cell(o, out_int((int64_t)t.ejected));
	out_cell(o, out_text(guard_breaker_word(&b)));
	out_cell(o, out_int((int64_t)t.active));
	out_cell(o, out_int((int64_t)t.opened));
	out_cell(o, out_int((int64_t)t.failed));
	out_cell(o, out_int((int64_t)t.refused));
	limit_cells(state->active, spec ? spec->max_connections : 0, o);
	limit_cells(state->pending, spec ? spec->max_pending : 0, o);
	out_cell(o, out_text(spec ? client_name(spec->affinity) : NULL));
	out_cell(o, spec && spec->affinity ? out_seconds(spec->affinity_ms / 1e3) : out_none());
	out_cell(o, out_int(spec ? view_slots(spec) : 0));
	out_cell(o, spec && spec->level[0].table_size ? out_int(spec->level[0].table_size) : out_none());
	out_cell(o, out_int(s->id));
	out_cell(o, out_int(s->serial));
	return 0;
}

int report_services(const struct view *v, struct out *o)
{
	int r;

	out_table(o, NULL, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < v->nr_services; i++) {
		r = service_row(v, &v->services[i], o);
		if (r < 0)
			return r;
	}
	out_end(o);
	return 0;
}

static void settings(const struct view *v, const struct view_service *s, struct out *o)
{
	const struct weft_spec *spec = view_spec(v, s->id);
	struct view_total t = view_total(v, s->id);

	if (!spec) {
		out_field(o, "balance", NULL, out_none());
		out_note(o, "problems",
			 "nothing is published for this service: connects are refused with ECONNREFUSED");
		return;
	}
	out_field(o, "balance", NULL, out_text(lb_name(spec->lb)));
	out_field(o, "balance_text", "that is", out_text(lb_text(spec->lb)));
	if (spec->lb == WEFT_LB_MAGLEV || spec->lb == WEFT_LB_SOURCE_HASH)
		out_field(o, "hash_by", "caller is its", out_text(client_name(spec->hash_by)));
	out_field(o, "affinity", NULL, out_text(client_name(spec->affinity)));
	if (spec->affinity)
		out_field(o, "affinity_seconds", "affinity lasts", out_seconds(spec->affinity_ms / 1e3));
	out_field(o, "endpoints", "endpoints", out_int((int64_t)t.endpoints));
	out_field(o, "ready", NULL, out_int((int64_t)t.ready));
	out_field(o, "active", "active connections", out_int((int64_t)t.active));
	out_field(o, "opened", NULL, out_int((int64_t)t.opened));
	out_field(o, "established", NULL, out_int((int64_t)t.established));
	out_field(o, "failed", NULL, out_int((int64_t)t.failed));
	out_field(o, "refused", "refused by weft", out_int((int64_t)t.refused));
	report_guard(v, spec, o);
	out_field(o, "slots", NULL, out_int(view_slots(spec)));
	if (spec->level[0].table_size)
		out_field(o, "maglev_size", "maglev table", out_int(spec->level[0].table_size));
	out_field(o, "average_weight", "average weight", out_int(spec->level[0].avg_weight));
	out_field(o, "id", NULL, out_int(s->id));
	out_field(o, "spec", NULL, out_int(v->maps->services[s->id].spec));
	out_field(o, "serial", NULL, out_int(s->serial));
}

int report_service(const struct view *v, const struct view_service *s, struct out *o)
{
	_cleanup_(freep) const char **addresses = NULL;
	size_t nr;
	int r;

	r = view_addresses(v, s->id, &addresses, &nr);
	if (r < 0)
		return r;
	out_field(o, "name", NULL, out_text(s->name));
	out_field(o, "addresses", NULL, out_list(addresses, nr));
	out_field(o, "proto", NULL, out_text(view_proto(v, s->id)));
	settings(v, s, o);
	if (view_spec(v, s->id))
		report_levels(v, view_spec(v, s->id), "levels", o);
	report_endpoints(v, s, "endpoint_list", o);
	return 0;
}

const struct view_service *report_find(struct cli *cli, const char *name)
{
	const struct view_service *s = view_find(cli->view, name);
	const char **names;
	const char *near;

	if (s)
		return s;
	names = calloc(cli->view->nr_services + 1, sizeof(*names));
	for (size_t i = 0; names && i < cli->view->nr_services; i++)
		names[i] = cli->view->services[i].name;
	near = names ? cli_nearest(name, names) : NULL;
	if (near)
		out_error(cli->out, "there is no service \"%s\"; did you mean \"%s\"?", name, near);
	else
		out_error(cli->out, "there is no service \"%s\"; `weft service list` shows them", name);
	free(names);
	return NULL;
}

int report_done(struct cli *cli, int r)
{
	if (r >= 0)
		return CLI_DONE;
	return out_error(cli->out, "cannot read the maps: %s", log_strerror(r));
}

int cmd_service_list(struct cli *cli, int argc, const char *const *argv)
{
	if (cli_open(cli, false))
		return CLI_FAILED;
	return report_done(cli, report_services(cli->view, cli->out));
}

int cmd_service_show(struct cli *cli, int argc, const char *const *argv)
{
	const struct view_service *s;

	if (cli_open(cli, false))
		return CLI_FAILED;
	s = report_find(cli, argv[0]);
	if (!s)
		return CLI_FAILED;
	return report_done(cli, report_service(cli->view, s, cli->out));
}

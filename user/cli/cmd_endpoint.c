/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft endpoint list [SERVICE] */
#include <arpa/inet.h>

#include "cli/cmd.h"
#include "cli/report.h"

static const struct out_column columns[] = {
	{ "service", "SERVICE", 0 },
	{ "endpoint", "ENDPOINT", 0 },
	{ "state", "STATE", 0 },
	{ "for_seconds", "FOR", OUT_RIGHT },
	{ "weight", "WEIGHT", OUT_RIGHT },
	{ "share_percent", "SHARE%", OUT_RIGHT },
	{ "active", "ACTIVE", OUT_RIGHT },
	{ "opened", "OPENED", OUT_RIGHT },
	{ "failed", "FAILED", OUT_RIGHT },
	{ "latency_us", "LATENCY", OUT_RIGHT },
	{ "last_rtt_us", "LAST-RTT", OUT_RIGHT },
	{ "established", "ESTABLISHED", OUT_RIGHT | OUT_WIDE },
	{ "last_handshake_us", "HANDSHAKE", OUT_RIGHT | OUT_WIDE },
	{ "failures_in_row", "IN-ROW", OUT_RIGHT | OUT_WIDE },
	{ "last_failure_seconds", "LAST-FAILURE", OUT_RIGHT | OUT_WIDE },
	{ "slots", "SLOTS", OUT_RIGHT | OUT_WIDE },
	{ "id", "ID", OUT_RIGHT | OUT_WIDE },
	{ "gen", "GEN", OUT_RIGHT | OUT_WIDE },
};

/* 0 is "never measured" */
static struct out_value measured(uint32_t us)
{
	return us ? out_us(us) : out_none();
}

/* How long its state lasts: an ejection until it returns, draining until what is left is closed. */
static struct out_value remaining(const struct view *v, uint32_t id)
{
	const struct weft_bstate *s = &v->maps->bstate[id];
	bool ejected = !s->drain_ns && view_out(v, id) & WEFT_OUT_EJECTED;
	uint64_t until = s->drain_ns ? s->drain_ns : ejected ? s->ejected_until_ns : 0;

	if (!until)
		return out_none();
	return out_seconds(until > v->now_ns ? (double)((until - v->now_ns) / 1000000) / 1e3 : 0);
}

static void endpoint_row(const struct view *v, const char *service, uint32_t id, struct out *o)
{
	const struct weft_backend *b = &v->maps->backends[id];
	const struct weft_bstate *s = &v->maps->bstate[id];
	uint64_t failure = s->last_failure_ns;
	char text[ADDR_TEXT_LEN];

	out_cell(o, out_text(service));
	out_cell(o, out_text(addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text))));
	out_cell(o, out_text(view_state(v, id)));
	out_cell(o, remaining(v, id));
	out_cell(o, out_int(b->weight));
	out_cell(o, out_percent(view_share(v, id)));
	out_cell(o, out_int(s->active));
	out_cell(o, out_int((int64_t)s->opened));
	out_cell(o, out_int((int64_t)s->failed));
	out_cell(o, measured(view_latency_us(v, id)));
	out_cell(o, measured(s->last_rtt_us));
	out_cell(o, out_int((int64_t)s->established));
	out_cell(o, measured(s->last_handshake_us));
	out_cell(o, out_int(s->failures_in_row));
	out_cell(o, failure ? out_seconds((double)(int64_t)(v->now_ns - failure) / 1e9) : out_none());
	out_cell(o, out_int(v->slots[id]));
	out_cell(o, out_int(id));
	out_cell(o, out_int(b->gen));
}

static void endpoint_rows(const struct view *v, const struct view_service *s, struct out *o)
{
	size_t nr;
	const uint32_t *ids = view_backends(v, s->id, &nr);

	for (size_t i = 0; i < nr; i++)
		endpoint_row(v, s->name, ids[i], o);
}

void report_endpoints(const struct view *v, const struct view_service *s, const char *key, struct out *o)
{
	out_table(o, key, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	if (s)
		endpoint_rows(v, s, o);
	for (size_t i = 0; !s && i < v->nr_services; i++)
		endpoint_rows(v, &v->services[i], o);
	out_end(o);
}

int cmd_endpoint_list(struct cli *cli, int argc, const char *const *argv)
{
	const struct view_service *s = NULL;

	if (cli_open(cli, false))
		return CLI_FAILED;
	if (argc) {
		s = report_find(cli, argv[0]);
		if (!s)
			return CLI_FAILED;
	}
	report_endpoints(cli->view, s, NULL, cli->out);
	return CLI_DONE;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft connections [SERVICE] */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/report.h"
#include "plane/plane.h"
#include "telemetry/callers.h"

static const struct out_column columns[] = {
	{ "proto", "PROTO", 0 },
	{ "local", "LOCAL", 0 },
	{ "service", "SERVICE", 0 },
	{ "address", "ADDRESS", 0 },
	{ "endpoint", "ENDPOINT", 0 },
	{ "state", "STATE", 0 },
	{ "age_seconds", "AGE", OUT_RIGHT },
	{ "caller", "CALLER", 0 },
	{ "bytes_sent", "SENT", OUT_RIGHT },
	{ "bytes_received", "RECEIVED", OUT_RIGHT },
	{ "rtt_us", "RTT", OUT_RIGHT },
	{ "caller_id", "CALLER-ID", OUT_RIGHT | OUT_WIDE },
	{ "backend", "ID", OUT_RIGHT | OUT_WIDE },
	{ "gen", "GEN", OUT_RIGHT | OUT_WIDE },
	{ "netns", "NETNS", OUT_RIGHT | OUT_WIDE },
	{ "cookie", "COOKIE", OUT_RIGHT | OUT_WIDE },
};

/* The kernel's TCP_*, which are also what `ss` prints. */
static const char *flow_state(const struct weft_flow_record *r)
{
	static const char *const tcp[] = {
		"none",	 "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2",   "time-wait",
		"close", "close-wait",	"last-ack", "listen",	"closing",    "new-syn-recv",
	};

	if (r->flow.proto == IPPROTO_UDP)
		return "connected";
	if (r->flow.state == WEFT_FLOW_CONNECTING)
		return "connecting";
	return r->sk_state < sizeof(tcp) / sizeof(tcp[0]) ? tcp[r->sk_state] : "?";
}

static struct out_value endpoint(const struct view *v, const struct weft_flow_record *r, char *text, size_t len)
{
	const struct weft_backend *b = &v->maps->backends[r->flow.backend];

	/* Where the socket went stays true when the endpoint was taken out of its service and its id given away. */
	if (r->flow.backend < v->maps->capacity[PLANE_MAP_BACKENDS] && b->gen == r->flow.gen)
		return out_text(addr_port_format(&b->addr, ntohs(b->port_be), text, len));
	return out_text(addr_port_format(&r->remote, ntohs(r->remote_port_be), text, len));
}

static void flow_row(const struct view *v, const struct weft_flow_record *r, const struct callers *callers,
		     struct out *o)
{
	const struct view_service *s = view_find_id(v, r->flow.service);
	const char *caller = NULL;
	char text[ADDR_TEXT_LEN];

	if (callers && r->flow.caller)
		caller = callers_text(callers, callers_find(callers, r->flow.caller));
	out_cell(o, out_text(proto_name(r->flow.proto)));
	out_cell(o, out_text(addr_port_format(&r->local, ntohs(r->local_port_be), text, sizeof(text))));
	out_cell(o, out_text(s ? s->name : NULL));
	out_cell(o, out_text(addr_port_format(&r->flow.vip, ntohs(r->flow.vip_port_be), text, sizeof(text))));
	out_cell(o, endpoint(v, r, text, sizeof(text)));
	out_cell(o, out_text(flow_state(r)));
	out_cell(o, out_seconds((double)(int64_t)(v->now_ns - r->flow.start_ns) / 1e9));
	out_cell(o, out_text(caller));
	out_cell(o, out_bytes((int64_t)r->bytes_sent));
	out_cell(o, out_bytes((int64_t)r->bytes_received));
	out_cell(o, r->srtt_us ? out_us(r->srtt_us) : out_none());
	out_cell(o, r->flow.caller ? out_int((int64_t)r->flow.caller) : out_none());
	out_cell(o, out_int(r->flow.backend));
	out_cell(o, out_int(r->flow.gen));
	out_cell(o, out_int(r->netns));
	out_cell(o, out_int((int64_t)r->cookie));
}

void report_connections(const struct view *v, const struct weft_flow_record *records, size_t nr,
			const struct callers *callers, struct out *o)
{
	out_table(o, NULL, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < nr; i++)
		flow_row(v, &records[i], callers, o);
	out_end(o);
}

struct collection {
	const struct view *v;
	uint32_t service; /* 0: all */
	struct weft_flow_record *record;
	size_t nr, capacity;
};

static int collect(void *ctx, const struct weft_flow_record *record)
{
	struct collection *c = ctx;

	if (c->service && record->flow.service != c->service)
		return 0;
	if (c->nr == c->capacity) {
		size_t n = c->capacity ? c->capacity * 2 : 256;
		struct weft_flow_record *more = realloc(c->record, n * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->record = more;
		c->capacity = n;
	}
	c->record[c->nr++] = *record;
	return 0;
}

/* By service name, then age; the cookie makes the order of equals the same each time. */
static int record_compare(const void *a, const void *b, void *ctx)
{
	const struct view *v = ctx;
	const struct weft_flow_record *x = a, *y = b;
	const struct view_service *s = view_find_id(v, x->flow.service), *t = view_find_id(v, y->flow.service);

	if (s != t)
		return s && t ? strcmp(s->name, t->name) : s ? -1 : 1;
	if (x->flow.start_ns != y->flow.start_ns)
		return x->flow.start_ns < y->flow.start_ns ? -1 : 1;
	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

int report_collect(const struct view *v, uint32_t service, struct weft_flow_record **ret, size_t *ret_nr)
{
	struct collection c = { .v = v, .service = service };
	int r = maps_each_flow(v->maps, collect, &c);

	if (r < 0) {
		free(c.record);
		return r;
	}
	if (c.nr)
		qsort_r(c.record, c.nr, sizeof(*c.record), record_compare, (void *)v);
	*ret = c.record;
	*ret_nr = c.nr;
	return 0;
}

int report_no_flows(struct cli *cli, int r)
{
	if (r == -EOPNOTSUPP)
		return out_error(cli->out,
				 "this kernel has no iterator over socket storage, so connections cannot be listed; "
				 "`weft endpoint list` has their number");
	return out_error(cli->out, "cannot list the connections: %s", log_strerror(r));
}

int cmd_connections(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(callers_freep) struct callers *callers = NULL;
	_cleanup_(freep) struct weft_flow_record *record = NULL;
	const struct view_service *s = NULL;
	char root[PATH_MAX];
	size_t nr = 0;
	int r;

	if (cli_open(cli, false))
		return CLI_FAILED;
	if (argc) {
		s = report_find(cli, argv[0]);
		if (!s)
			return CLI_FAILED;
	}
	r = report_collect(cli->view, s ? s->id : 0, &record, &nr);
	if (r < 0)
		return report_no_flows(cli, r);
	/* Without names the callers' ids still stand in the wide table. */
	if (nr && plane_find_cgroup(root, sizeof(root)) == 0)
		callers = callers_new();
	if (callers)
		callers_walk(callers, root);
	if (callers)
		callers_name_pods(callers, cli->maps->dir);
	report_connections(cli->view, record, nr, callers, cli->out);
	return CLI_DONE;
}

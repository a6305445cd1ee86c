/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft dump [MAP]: one map with its fields decoded. Names with or without "weft_". */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/dump.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static const struct out_column count_columns[] = {
	{ "reason", "REASON", 0 },
	{ "count", "COUNT", OUT_RIGHT },
	{ "what", "WHAT", 0 },
};

void report_counts(const uint64_t counts[WEFT_R_MAX], struct out *o)
{
	static const struct {
		const char *name, *text;
	} reason[] = {
#define X(id, name, text) { name, text },
		WEFT_REASONS(X)
#undef X
	};

	out_table(o, NULL, NULL, count_columns, NR(count_columns));
	for (size_t i = 0; i < WEFT_R_MAX; i++) {
		out_cell(o, out_text(reason[i].name));
		out_cell(o, out_int((int64_t)counts[i]));
		out_cell(o, out_text(reason[i].text));
	}
	out_end(o);
}

static int dump_counts(const struct maps *m, struct out *o)
{
	uint64_t counts[WEFT_R_MAX];
	int r = maps_counts(m, counts);

	if (r == 0)
		report_counts(counts, o);
	return r;
}

static const struct out_column affinity_columns[] = {
	{ "service", "SERVICE", OUT_RIGHT }, { "caller_is", "CALLER-IS", 0 }, { "caller", "CALLER", 0 },
	{ "backend", "BACKEND", OUT_RIGHT }, { "gen", "GEN", OUT_RIGHT },     { "used_seconds", "USED", OUT_RIGHT },
};

struct dump {
	const struct view *v;
	struct out *o;
};

static int affinity_row(void *ctx, const struct weft_affinity_key *key, const struct weft_affinity *value)
{
	static const char *const kind[] = { "namespace", "address", "workload" };
	const struct dump *d = ctx;
	char text[ADDR_TEXT_LEN];

	out_cell(d->o, out_int(key->service));
	out_cell(d->o, out_text(key->kind < NR(kind) ? kind[key->kind] : "?"));
	if (key->kind == 1) {
		struct weft_addr a;

		weft_addr_set(&a, (uint32_t)(key->client[0] >> 32), (uint32_t)key->client[0],
			      (uint32_t)(key->client[1] >> 32), (uint32_t)key->client[1]);
		addr_format(&a, text, sizeof(text));
	} else {
		snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)key->client[0]);
	}
	out_cell(d->o, out_text(text));
	out_cell(d->o, out_int(value->backend));
	out_cell(d->o, out_int(value->gen));
	out_cell(d->o, out_seconds((double)(int64_t)(d->v->now_ns - value->used_ns) / 1e9));
	return 0;
}

static int dump_affinity(const struct view *v, struct out *o)
{
	struct dump d = { v, o };
	int r;

	out_table(o, NULL, NULL, affinity_columns, NR(affinity_columns));
	r = maps_each_affinity(v->maps, affinity_row, &d);
	out_end(o);
	return r;
}

static const struct out_column edge_columns[] = {
	{ "caller", "CALLER", OUT_RIGHT },
	{ "service", "SERVICE", OUT_RIGHT },
	{ "backend", "BACKEND", OUT_RIGHT },
	{ "gen", "GEN", OUT_RIGHT },
	{ "opened", "OPENED", OUT_RIGHT },
	{ "established", "ESTABLISHED", OUT_RIGHT },
	{ "closed", "CLOSED", OUT_RIGHT },
#define X(id, name) { name, #id, OUT_RIGHT | OUT_WIDE },
	WEFT_FAILURES(X)
#undef X
		{ "bytes_sent", "SENT", OUT_RIGHT },
	{ "bytes_received", "RECEIVED", OUT_RIGHT },
	{ "retransmits", "RETRANSMITS", OUT_RIGHT },
	{ "handshake_us", "HANDSHAKES", OUT_RIGHT | OUT_WIDE },
	{ "rtt_us", "RTTS", OUT_RIGHT | OUT_WIDE },
};

static int edge_row(void *ctx, const struct weft_edge_key *key, const struct weft_edge *e)
{
	struct out *o = ctx;

	out_cell(o, out_int((int64_t)key->caller));
	out_cell(o, out_int(key->service));
	out_cell(o, out_int(key->backend));
	out_cell(o, out_int(key->gen));
	out_cell(o, out_int((int64_t)e->opened));
	out_cell(o, out_int((int64_t)e->established));
	out_cell(o, out_int((int64_t)e->closed));
	for (int i = 0; i < WEFT_FAIL_MAX; i++)
		out_cell(o, out_int((int64_t)e->failed[i]));
	out_cell(o, out_bytes((int64_t)e->bytes_sent));
	out_cell(o, out_bytes((int64_t)e->bytes_received));
	out_cell(o, out_int((int64_t)e->retransmits));
	out_cell(o, out_us((int64_t)e->handshake_us));
	out_cell(o, out_us((int64_t)e->rtt_us));
	return 0;
}

static int dump_edges(const struct maps *m, struct out *o)
{
	int r;

	out_table(o, NULL, NULL, edge_columns, NR(edge_columns));
	r = maps_each_edge(m, edge_row, o);
	out_end(o);
	return r;
}

static int dump_flows(struct cli *cli)
{
	_cleanup_(freep) struct weft_flow_record *record = NULL;
	size_t nr = 0;
	int r = report_collect(cli->view, 0, &record, &nr);

	if (r < 0)
		return report_no_flows(cli, r);
	report_flows(record, nr, cli->out);
	return CLI_DONE;
}

static int dump_unlisted(enum plane_map map, const char *why, struct out *o)
{
	out_field(o, "map", NULL, out_text(plane_map_name(map)));
	out_field(o, "listed", NULL, out_words(out_bool(false), why));
	return CLI_DONE;
}

static int find_map(const char *name)
{
	for (int i = 0; i < PLANE_MAP_MAX; i++)
		if (strcmp(plane_map_name(i), name) == 0 || strcmp(strchr(plane_map_name(i), '_') + 1, name) == 0)
			return i;
	return -1;
}

static int unknown_map(struct cli *cli, const char *name)
{
	static const char *const names[] = {
#define X(id, map, text) map,
		PLANE_MAPS(X)
#undef X
			NULL
	};
	const char *shorter[PLANE_MAP_MAX + 1];
	const char *near;

	for (int i = 0; i <= PLANE_MAP_MAX; i++)
		shorter[i] = names[i] ? strchr(names[i], '_') + 1 : NULL;
	near = cli_nearest(name, strncmp(name, "weft_", 5) == 0 ? names : shorter);
	if (near)
		out_error(cli->out, "there is no map \"%.64s\"; did you mean \"%s\"?", name, near);
	else
		out_error(cli->out, "there is no map \"%.64s\"; `weft dump` lists them", name);
	return CLI_USAGE;
}

int cmd_dump(struct cli *cli, int argc, const char *const *argv)
{
	int map = argc ? find_map(argv[0]) : -1, r;

	if (argc && map < 0)
		return unknown_map(cli, argv[0]);
	if (cli_open(cli, false))
		return CLI_FAILED;
	if (!argc)
		report_maps(cli->maps, NULL, cli->out);
	if (!argc)
		return CLI_DONE;
	if (map == PLANE_MAP_FLOWS)
		return dump_flows(cli);
	if (map == PLANE_MAP_PEERS) /* sockets that nobody connected, and no iterator walks those */
		return dump_unlisted(map, "no: it lives in the sockets, and the kernel gives no list", cli->out);
	if (map == PLANE_MAP_EVENTS)
		return dump_unlisted(map, "no: the agent reads it; `weft events` shows what it read", cli->out);
	if (map == PLANE_MAP_COUNTS)
		r = dump_counts(cli->maps, cli->out);
	else if (map == PLANE_MAP_AFFINITY)
		r = dump_affinity(cli->view, cli->out);
	else if (map == PLANE_MAP_EDGES)
		r = dump_edges(cli->maps, cli->out);
	else if (map == PLANE_MAP_HANDSHAKES)
		r = dump_handshakes(cli->view, cli->out);
	else if (map == PLANE_MAP_NAT)
		r = dump_nat(cli->maps, cli->out);
	else
		r = report_dump(cli->view, map, cli->out);
	return report_done(cli, r);
}

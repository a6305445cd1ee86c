/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft doctor: what this machine can do, what is attached where, how full the maps are; the problems stand at the end.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/report.h"
#include "plane/plane.h"
#include "plane/tc.h"

static const struct out_column feature_columns[] = {
	{ "feature", "FEATURE", 0 },	    { "state", "STATE", 0 },
	{ "required", "REQUIRED", 0 },	    { "what", "WHAT FOR", 0 },
	{ "lost", "WITHOUT IT", OUT_WIDE }, { "detail", "DETAIL", 0 },
};

static const struct out_column link_columns[] = {
	{ "link", "LINK", 0 },
	{ "program", "PROGRAM", 0 },
	{ "target", "ATTACHED TO", 0 },
	{ "link_id", "LINK-ID", OUT_RIGHT | OUT_WIDE },
	{ "prog_id", "PROG-ID", OUT_RIGHT },
	{ "tag", "TAG", OUT_WIDE },
};

static const struct out_column failover_columns[] = {
	{ "link", "FAILOVER ON", 0 },	   { "ifindex", "IFINDEX", OUT_RIGHT }, { "way", "WAY", 0 },
	{ "egress", "EGRESS", OUT_RIGHT }, { "ingress", "INGRESS", OUT_RIGHT }, { "elsewhere", "OTHER-NETNS", 0 },
};

static const struct out_column map_columns[] = {
	{ "map", "MAP", 0 },
	{ "entries", "ENTRIES", OUT_RIGHT },
	{ "capacity", "CAPACITY", OUT_RIGHT },
	{ "used_percent", "USED%", OUT_RIGHT },
	{ "bytes", "MEMORY", OUT_RIGHT },
	{ "what", "WHAT", 0 },
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static const char *feature_state(const struct plane_feature *f)
{
	if (f->present)
		return "ok";
	return f->required ? "MISSING" : "-";
}

static void feature_table(const struct plane_feature *f, size_t nr, struct out *o)
{
	out_table(o, "features", NULL, feature_columns, NR(feature_columns));
	for (size_t i = 0; i < nr; i++) {
		out_cell(o, out_text(f[i].name));
		out_cell(o, out_text(feature_state(&f[i])));
		out_cell(o, out_bool(f[i].required));
		out_cell(o, out_text(f[i].what));
		out_cell(o, out_text(f[i].lost));
		out_cell(o, out_text(*f[i].detail ? f[i].detail : NULL));
	}
	out_end(o);
}

/* What is missing and what that costs. Returns how many of the required ones are missing. */
static unsigned feature_problems(const struct plane_feature *f, size_t nr, struct out *o)
{
	unsigned missing = 0;

	for (size_t i = 0; i < nr; i++) {
		const char *detail = f[i].detail;

		if (f[i].present)
			continue;
		missing += f[i].required;
		out_note(o, f[i].required ? "problems" : "costs", "%s: no %s: %s%s%s%s",
			 f[i].required ? "problem" : "cost", f[i].name, f[i].lost, *detail ? " (" : "", detail,
			 *detail ? ")" : "");
	}
	return missing;
}

static void link_table(const struct plane_link *l, size_t nr, struct out *o)
{
	out_table(o, "links", NULL, link_columns, NR(link_columns));
	for (size_t i = 0; i < nr; i++) {
		out_cell(o, out_text(l[i].name));
		out_cell(o, out_text(l[i].program));
		out_cell(o, out_text(l[i].target));
		out_cell(o, out_int(l[i].link_id));
		out_cell(o, out_int(l[i].prog_id));
		out_cell(o, out_text(l[i].tag));
	}
	out_end(o);
}

static struct out_value program(uint32_t id)
{
	return id ? out_int(id) : out_none();
}

/* Network links with the programs of failover. Returns how many lost them. */
static size_t failover_table(const char *dir, struct out *o)
{
	_cleanup_(freep) struct plane_tc *l = NULL;
	size_t nr = 0, lost = 0;
	int r = plane_tc_list(dir, &l, &nr);

	if (r < 0) {
		out_note(o, "problems", "problem: the links of failover cannot be read: %s", log_strerror(r));
		return 0;
	}
	out_table(o, "failover", NULL, failover_columns, NR(failover_columns));
	for (size_t i = 0; i < nr; i++) {
		out_cell(o, out_text(*l[i].name ? l[i].name : NULL));
		out_cell(o, out_int(l[i].ifindex));
		out_cell(o, out_text(l[i].way));
		out_cell(o, program(l[i].egress));
		out_cell(o, program(l[i].ingress));
		out_cell(o, out_bool(l[i].elsewhere));
		lost += !l[i].egress || !l[i].ingress;
	}
	out_end(o);
	return lost;
}

void report_maps(const struct maps *m, const char *key, struct out *o)
{
	out_table(o, key, NULL, map_columns, NR(map_columns));
	for (int i = 0; i < PLANE_MAP_MAX; i++) {
		struct map_usage u = { 0 };
		int r = maps_usage(m, i, &u);

		out_cell(o, out_text(plane_map_name(i)));
		out_cell(o, r < 0 ? out_none() : out_int((int64_t)u.entries));
		out_cell(o, u.capacity ? out_int((int64_t)u.capacity) : out_none());
		out_cell(o, r < 0 || !u.capacity ? out_none()
						 : out_percent(100.0 * (double)u.entries / (double)u.capacity));
		out_cell(o, u.bytes ? out_bytes((int64_t)u.bytes) : out_none());
		out_cell(o, out_text(plane_map_text(i)));
	}
	out_end(o);
}

/* What is loaded: tables now, and the sentence about its hooks, if any, in @problem. */
static void doctor_instance(struct cli *cli, const char *dir, char *problem, size_t len)
{
	_cleanup_(freep) struct plane_link *l = NULL;
	size_t nr = 0, lost;
	int r = plane_links(dir, &l, &nr);

	if (r < 0) {
		snprintf(problem, len, "the links in %s cannot be read: %s", dir, log_strerror(r));
	} else {
		link_table(l, nr, cli->out);
		if (nr < REPORT_NR_HOOKS)
			snprintf(problem, len,
				 "%zu of %d hooks are attached; `weft agent` or `weft load` attaches the rest", nr,
				 REPORT_NR_HOOKS);
	}
	lost = failover_table(dir, cli->out);
	if (lost && !*problem)
		snprintf(problem, len,
			 "somebody removed the programs of failover from %zu network link%s; a running "
			 "agent puts them back within a minute",
			 lost, lost == 1 ? "" : "s");
	report_maps(cli->maps, "maps", cli->out);
}

/* What costs connects now, though all is attached. */
static void doctor_costs(const struct maps *m, struct out *o)
{
	uint64_t counts[WEFT_R_MAX];

	if (!m->config->netns)
		out_note(o, "costs",
			 "cost: no network link has the programs of failover: a connect whose endpoint "
			 "refuses or is silent fails, as without weft");
	if (maps_counts(m, counts) == 0 && counts[WEFT_R_EVENTS_LOST])
		out_note(o, "costs", "cost: %llu events were lost: nobody read them, or too many came at once",
			 (unsigned long long)counts[WEFT_R_EVENTS_LOST]);
}

int cmd_doctor(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(freep) struct plane_feature *f = NULL;
	char dir[PATH_MAX], problem[PATH_MAX + 128] = "";
	struct out *o = cli->out;
	uint32_t abi = 0;
	unsigned missing;
	size_t nr = 0;
	int r;

	if (!plane_dir(cli->value[CLI_BPFFS], cli->value[CLI_INSTANCE], dir, sizeof(dir)))
		return out_error(o, "the name of the BPF file system is too long");
	r = plane_probe(&f, &nr);
	if (r == -EPERM || r == -EACCES)
		return out_error(o, "asking the kernel what it can do needs root (or CAP_BPF)");
	if (r < 0)
		return out_error(o, "cannot probe this kernel: %s", log_strerror(r));
	feature_table(f, nr, o);
	r = maps_open(dir, false, &cli->maps, &abi);
	if (r == 0)
		doctor_instance(cli, dir, problem, sizeof(problem));
	else if (r != -ENOENT)
		cli_open_failed(cli, r, dir, abi);
	out_field(o, "instance", NULL, out_text(cli->value[CLI_INSTANCE]));
	out_field(o, "loaded", NULL, out_bool(r == 0));
	missing = feature_problems(f, nr, o);
	if (cli->maps)
		doctor_costs(cli->maps, o);
	if (*problem)
		out_note(o, "problems", "problem: %s", problem);
	out_field(o, "usable", "weft can run here", out_bool(missing == 0));
	return missing || *problem ? CLI_FAILED : CLI_DONE;
}

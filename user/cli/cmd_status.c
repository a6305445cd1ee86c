/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft status: is it there, does it carry traffic, who tends it. Exit 0 when loaded, with or without an agent. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/agent_status.h"
#include "cli/cmd.h"
#include "cli/report.h"
#include "plane/plane.h"
#include "plane/tc.h"

#define PRESSURE_PERCENT 80

static bool is_hook(const struct plane_link *l)
{
	return strncmp(l->name, "iter", 4) != 0;
}

static void status_hooks(struct cli *cli, const char *dir)
{
	_cleanup_(freep) struct plane_link *links = NULL;
	struct out *o = cli->out;
	const char *cgroup = NULL;
	size_t nr = 0, hooks = 0;
	char text[64];
	int r;

	r = plane_links(dir, &links, &nr);
	if (r < 0) {
		out_field(o, "hooks_attached", "hooks", out_none());
		out_note(o, "problems", "the links cannot be read: %s", log_strerror(r));
		return;
	}
	for (size_t i = 0; i < nr; i++) {
		if (!is_hook(&links[i]))
			continue;
		hooks++;
		cgroup = links[i].target;
	}
	snprintf(text, sizeof(text), "%zu of %d attached", hooks, REPORT_NR_HOOKS);
	out_field(o, "hooks_attached", "hooks", out_words(out_int((int64_t)hooks), text));
	out_field(o, "hooks", "", out_int(REPORT_NR_HOOKS));
	out_field(o, "cgroup", NULL, out_text(cgroup));
}

/* Failover works on links; without any the rest of weft works. */
static void status_failover(struct cli *cli, const char *dir)
{
	_cleanup_(freep) struct plane_tc *links = NULL;
	size_t nr = 0, whole = 0;
	struct out *o = cli->out;
	char text[128];
	int r = plane_tc_list(dir, &links, &nr);

	if (r < 0) {
		out_field(o, "failover_links", "failover", out_none());
		out_note(o, "problems", "the links of failover cannot be read: %s", log_strerror(r));
		return;
	}
	for (size_t i = 0; i < nr; i++)
		whole += links[i].egress && links[i].ingress;
	if (whole)
		snprintf(text, sizeof(text), "on %zu network link%s", whole, whole == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text),
			 "on no network link; `interfaces:` in weft.yaml and `weft doctor` say why");
	out_field(o, "failover_links", "failover", out_words(out_int((int64_t)whole), text));
	if (whole < nr)
		out_note(o, "problems",
			 "%zu network link%s lost the programs of failover; a running agent puts them "
			 "back within a minute",
			 nr - whole, nr - whole == 1 ? "" : "s");
}

/* Endpoints out of service, by why, and what holds whole services. */
static void status_outs(struct cli *cli)
{
	static const struct {
		uint32_t bit;
		const char *key, *label;
	} outs[] = {
		{ WEFT_OUT_EJECTED, "endpoints_ejected", "  ejected" },
		{ WEFT_OUT_UNHEALTHY, "endpoints_unhealthy", "  failing their check" },
		{ WEFT_OUT_DRAINED, "endpoints_drained", "  drained by hand" },
		{ WEFT_OUT_UNREADY, "endpoints_not_ready", "  not ready" },
	};
	const struct view *v = cli->view;
	size_t open = 0;

	for (size_t k = 0; k < sizeof(outs) / sizeof(outs[0]); k++) {
		size_t n = 0;

		for (size_t i = 0; i < v->nr_backends; i++)
			n += (view_out(v, v->backends[i]) & outs[k].bit) != 0;
		out_field(cli->out, outs[k].key, n ? outs[k].label : "", out_int((int64_t)n));
	}
	for (size_t i = 0; i < v->nr_services; i++)
		open += guard_breaker(v, v->services[i].id).refuses;
	out_field(cli->out, "breakers_open", "breakers open", out_int((int64_t)open));
}

static void status_events(struct cli *cli)
{
	uint64_t counts[WEFT_R_MAX];

	if (maps_counts(cli->maps, counts) < 0)
		return;
	out_field(cli->out, "events_lost", counts[WEFT_R_EVENTS_LOST] ? "events lost" : "",
		  out_int((int64_t)counts[WEFT_R_EVENTS_LOST]));
}

static void status_traffic(struct cli *cli)
{
	const struct weft_config *c = cli->maps->config;
	const struct view *v = cli->view;
	uint64_t active = 0;
	size_t endpoints = 0, ready = 0, draining = 0;
	struct out *o = cli->out;

	for (size_t i = 0; i < v->nr_backends; i++) {
		const struct weft_backend *b = &v->maps->backends[v->backends[i]];

		active += v->maps->bstate[v->backends[i]].active;
		ready += view_is_ready(v, v->backends[i]);
		draining += (b->flags & WEFT_BACKEND_F_DRAINING) != 0;
		endpoints += !(b->flags & WEFT_BACKEND_F_DRAINING);
	}
	out_field(o, "services", NULL, out_int((int64_t)v->nr_services));
	out_field(o, "endpoints", NULL, out_int((int64_t)endpoints));
	out_field(o, "endpoints_ready", "  ready", out_int((int64_t)ready));
	out_field(o, "endpoints_draining", "  draining", out_int((int64_t)draining));
	status_outs(cli);
	out_field(o, "active", "connections", out_int((int64_t)active));
	out_field(o, "changes_applied", "changes applied", out_int((int64_t)c->serial));
	out_field(o, "last_change_seconds", "last change, ago",
		  c->applied_ns ? out_seconds((double)(int64_t)(v->boot_ns - c->applied_ns) / 1e9) : out_none());
}

static void status_agent(struct cli *cli)
{
	char path[PATH_MAX];
	struct agent_status s;
	struct timespec now;
	struct out *o = cli->out;
	const char *socket = cli->value[CLI_SOCKET];
	int r;

	snprintf(path, sizeof(path), "/run/weft/%s.sock", cli->value[CLI_INSTANCE]);
	r = agent_status_get(socket ? socket : path, &s);
	if (r == -ECONNREFUSED) {
		out_field(o, "agent_running", "agent",
			  out_words(out_bool(false), "not running; traffic goes on with what was published last"));
		return;
	}
	out_field(o, "agent_running", "agent", out_words(out_bool(r == 0), r ? "does not answer" : "running"));
	if (r < 0) {
		out_note(o, "problems", "the agent at %s does not answer as one: %s", socket ? socket : path,
			 log_strerror(r));
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	out_field(o, "agent_pid", "  pid", out_int(s.pid));
	out_field(o, "agent_version", "  version", out_text(s.version));
	out_field(o, "agent_config", "  reads", out_text(s.config_file));
	out_field(o, "agent_seconds", "  runs for", out_seconds((double)now.tv_sec - s.start_unix));
	out_field(o, "health_checks", "  checks", out_int((int64_t)s.health_checks));
	out_field(o, "reloads_ok", "  reloads", out_int((int64_t)s.reloads_ok));
	out_field(o, "reloads_failed", "  reloads failed", out_int((int64_t)s.reloads_failed));
	out_field(o, "last_error", "  last error", out_text(*s.last_error ? s.last_error : NULL));
	if (*s.last_error)
		out_note(o, "problems", "the files are newer than what runs: %s", s.last_error);
}

static void status_pressure(struct cli *cli)
{
	for (int i = 0; i < PLANE_MAP_MAX; i++) {
		struct map_usage u;

		/* Affinity is a cache: being full is its normal state. */
		if (i == PLANE_MAP_AFFINITY || maps_usage(cli->maps, i, &u) < 0 || u.capacity <= 1)
			continue;
		if (u.entries * 100 > u.capacity * PRESSURE_PERCENT && i != PLANE_MAP_COUNTS)
			out_note(cli->out, "problems",
				 "%s is %.0f %% full (%llu of %llu); see `limits:` in weft.yaml(5)", plane_map_name(i),
				 100.0 * (double)u.entries / (double)u.capacity, (unsigned long long)u.entries,
				 (unsigned long long)u.capacity);
	}
}

int cmd_status(struct cli *cli, int argc, const char *const *argv)
{
	if (cli_open(cli, false))
		return CLI_FAILED;
	out_field(cli->out, "instance", NULL, out_text(cli->value[CLI_INSTANCE]));
	out_field(cli->out, "loaded", NULL, out_bool(true));
	out_field(cli->out, "abi", NULL, out_int(cli->maps->config->abi));
	status_hooks(cli, cli->maps->dir);
	status_failover(cli, cli->maps->dir);
	status_traffic(cli);
	status_events(cli);
	status_agent(cli);
	status_pressure(cli);
	return CLI_DONE;
}

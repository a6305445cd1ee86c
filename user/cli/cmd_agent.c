/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft agent, load, unload: the verbs that change the kernel, and the check of a configuration that changes nothing. */
#include <errno.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "discovery/discovery.h"
#include "discovery/file.h"
#include "plane/follow.h"
#include "plane/plane.h"

#define LOCK_DIR "/run/weft"

static void file_source_freep(struct file_source **s)
{
	file_source_free(*s);
}

static void plane_closep(struct plane **p)
{
	plane_close(*p);
}

/* Reads weft.yaml and the files it names, and sees whether all that fits into the maps. 0; else CLI_FAILED, and the
 * sentence has been said. */
static int read_files(struct cli *cli, struct file_source *s, const struct config **ret_config,
		      struct model **ret_model)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	char text[sizeof(*e)];
	int r;

	if (!e)
		return out_error(cli->out, "no memory");
	r = file_source_read(s, ret_config, ret_model, e);
	if (r == 0)
		r = config_fits(*ret_model, &(*ret_config)->limits, e);
	return r < 0 ? out_error(cli->out, "%s", config_error_format(e, text, sizeof(text))) : 0;
}

static int check_config(struct cli *cli)
{
	_cleanup_(file_source_freep) struct file_source *s = NULL;
	_cleanup_(model_freep) struct model *m = NULL;
	const struct config *c = NULL;
	size_t endpoints;

	if (file_source_new(cli->value[CLI_CONFIG], &s) < 0)
		return out_error(cli->out, "no memory");
	if (read_files(cli, s, &c, &m))
		return CLI_FAILED;
	endpoints = model_count_endpoints(m);
	if (cli->given & CLI_BIT(VERBOSE))
		config_dump(c, m, cli->out->to);
	else
		out_raw(cli->out, "%s: %zu service%s, %zu endpoint%s: ok\n", cli->value[CLI_CONFIG], m->nr,
			m->nr == 1 ? "" : "s", endpoints, endpoints == 1 ? "" : "s");
	return CLI_DONE;
}

/* What the command line says when it says something, else NULL: then the file decides. */
static const char *given(const struct cli *cli, unsigned bit, int id)
{
	return cli->given & bit ? cli->value[id] : NULL;
}

int cmd_agent(struct cli *cli, int argc, const char *const *argv)
{
	const struct agent_options o = {
		.config_file = cli->value[CLI_CONFIG],
		.verbose = cli->given & CLI_BIT(VERBOSE),
		.instance = given(cli, CLI_BIT(INSTANCE), CLI_INSTANCE),
		.bpffs = given(cli, CLI_BIT(BPFFS), CLI_BPFFS),
	};

	if (cli->given & CLI_BIT(CHECK))
		return check_config(cli);
	return agent_main(&o) ? CLI_FAILED : CLI_DONE;
}

struct refused {
	struct out *o;
	unsigned nr;
};

/* On a kernel without failover all refuse alike: one sentence is enough. */
static void link_refused(void *ctx, const char *link, const struct plane_error *e)
{
	struct refused *r = ctx;

	if (r->nr++ == 0)
		out_note(r->o, "problems", "no failover on network link %s: %s", link, e->text);
}

/* On the links that are there now; only an agent follows those that come. */
static void load_failover(struct plane *p, const struct config *c, struct out *o)
{
	struct plane_error e = { "" };
	struct refused refused = { .o = o };
	int n = plane_follow_once(p, (const char *const *)c->links_include, (const char *const *)c->links_exclude,
				  link_refused, &refused, &e);

	if (n < 0)
		out_note(o, "problems", "no failover: %s", e.text);
	out_field(o, "failover_links", "failover on links", n < 0 ? out_none() : out_int(n));
}

static int load(struct cli *cli, const struct config *c, const struct model *m)
{
	const char *instance = given(cli, CLI_BIT(INSTANCE), CLI_INSTANCE);
	const char *bpffs = given(cli, CLI_BIT(BPFFS), CLI_BPFFS);
	const struct plane_options po = {
		.bpffs = bpffs ? bpffs : c->bpffs,
		.instance = instance ? instance : c->instance,
		.cgroup = c->cgroup,
		.lock_dir = LOCK_DIR,
		.limits = { c->limits.services, c->limits.frontends, c->limits.specs, c->limits.backends,
			    c->limits.slots, c->limits.affinity, c->limits.edges, c->limits.handshakes, c->limits.nat },
		.callers = c->metrics_callers,
	};
	_cleanup_(plane_closep) struct plane *p = NULL;
	struct plane_error e = { "" };
	struct plane_change change = { 0 };
	struct out *o = cli->out;
	enum plane_opened how;

	/* Hooks without services pass everything; services with half of the hooks would show themselves. */
	if (plane_open(&po, &p, &how, &e) < 0 || plane_attach(p, &e) < 0 || plane_apply(p, m, &change, &e) < 0)
		return out_error(o, "%s", e.text);
	plane_set_callers(p, po.callers);
	out_field(o, "instance", NULL, out_text(po.instance));
	out_field(o, "adopted", "found there and adopted", out_bool(how == PLANE_ADOPTED));
	out_field(o, "services", NULL, out_int((int64_t)m->nr));
	out_field(o, "services_added", "  added", out_int(change.services_added));
	out_field(o, "services_changed", "  changed", out_int(change.services_changed));
	out_field(o, "services_removed", "  removed", out_int(change.services_removed));
	out_field(o, "endpoints", NULL, out_int((int64_t)model_count_endpoints(m)));
	out_field(o, "endpoints_added", "  added", out_int(change.endpoints_added));
	out_field(o, "endpoints_changed", "  changed", out_int(change.endpoints_changed));
	out_field(o, "endpoints_removed", "  removed", out_int(change.endpoints_removed));
	load_failover(p, c, o);
	out_field(o, "visible_us", "visible after", out_us((int64_t)(change.visible_ns / 1000)));
	return CLI_DONE;
}

int cmd_load(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(file_source_freep) struct file_source *s = NULL;
	_cleanup_(model_freep) struct model *m = NULL;
	const struct config *c = NULL;

	if (file_source_new(cli->value[CLI_CONFIG], &s) < 0)
		return out_error(cli->out, "no memory");
	if (read_files(cli, s, &c, &m))
		return CLI_FAILED;
	if (c->nr_registries)
		return out_error(cli->out, "%s names registries, which only the agent asks: run `weft agent -c %s`",
				 c->file, c->file);
	return load(cli, c, m);
}

int cmd_unload(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(freep) char *found = NULL;
	const char *instance = cli->value[CLI_INSTANCE];
	struct plane_error e = { "" };
	int r;

	r = plane_unload(cli->value[CLI_BPFFS], instance, &e);
	if (r == -ENOENT)
		return out_error(cli->out, "nothing is loaded as instance \"%s\"", instance);
	if (r < 0)
		return out_error(cli->out, "%s", *e.text ? e.text : log_strerror(r));
	if (asprintf(&found, LOCK_DIR "/%s.found", instance) > 0)
		discovery_forget(found);
	out_note(cli->out, NULL, "instance \"%s\" is unloaded; connects go their own way again", instance);
	out_field(cli->out, "unloaded", NULL, out_text(instance));
	return CLI_DONE;
}

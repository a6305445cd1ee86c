/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * weft discover -c FILE [SERVICE...]: asks the registries as the agent would, and prints what they say. No kernel, no
 * root, and nothing is kept: to try a configuration, and to see what a registry answers.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/discover.h"
#include "discovery/file.h"
#include "registry/providers.h"

#define WAIT_MS 5000

static void file_source_freep(struct file_source **s)
{
	file_source_free(*s);
}

bool discover_wants(const struct discover *x, const char *service)
{
	for (int i = 0; i < x->nr_words; i++)
		if (!strcmp(x->words[i], service))
			return true;
	return !x->nr_words;
}

/* ---- one JSON line for each source that changed ---- */

static json_t *endpoint_json(const struct found_endpoint *f)
{
	char at[ADDR_TEXT_LEN];
	json_t *j, *labels;

	if (f->host)
		snprintf(at, sizeof(at), "%.48s:%u", f->host, f->endpoint.port);
	else
		addr_port_format(&f->endpoint.addr, f->endpoint.port, at, sizeof(at));
	j = json_pack("{s:s s:i s:i s:b}", "address", at, "weight", f->endpoint.weight, "priority",
		      f->endpoint.priority, "ready", !f->endpoint.unready);
	if (f->endpoint.zone)
		json_object_set_new(j, "zone", json_string(f->endpoint.zone));
	if (f->name)
		json_object_set_new(j, "name", json_string(f->name));
	if (f->id)
		json_object_set_new(j, "id", json_string(f->id));
	if (!f->nr_labels)
		return j;
	labels = json_object();
	for (size_t i = 0; i < f->nr_labels; i++)
		json_object_set_new(labels, f->labels[i].key, json_string(f->labels[i].value));
	json_object_set_new(j, "labels", labels);
	return j;
}

char *discover_line(const struct source_view *v)
{
	json_t *list = json_array(), *j;
	char *text;

	for (size_t i = 0; i < v->found->nr; i++)
		json_array_append_new(list, endpoint_json(&v->found->at[i]));
	j = json_pack("{s:s s:i s:s s:s s:s s:o}", "service", v->service, "source", (int)v->index, "registry",
		      v->registry, "type", v->type, "state", source_state_name(v->state), "endpoints", list);
	if (*v->error)
		json_object_set_new(j, "error", json_string(v->error));
	text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	return text;
}

/* ---- the loop ---- */

static bool has_answered(const struct source_view *v)
{
	return v->state == SOURCE_OK || v->state == SOURCE_HELD;
}

static int count_unanswered(void *ctx, const struct source_view *v)
{
	struct discover *x = ctx;

	x->unanswered += discover_wants(x, v->service) && !has_answered(v);
	return 0;
}

/* Names that the files do not have may be those of whole services, which come when their registry has answered. */
static bool is_settled(struct discover *x)
{
	bool known = x->nr_words > 0;

	for (int i = 0; i < x->nr_words; i++)
		known &= model_find(x->written, x->words[i]) != NULL;
	if (!known)
		return discovery_settled(x->discovery);
	x->unanswered = 0;
	discovery_each_source(x->discovery, count_unanswered, x);
	return !x->unanswered;
}

static void on_timer(uv_timer_t *timer)
{
	struct discover *x = timer->data;

	discover_look(x);
	if (x->watch)
		return;
	if (is_settled(x) || uv_now(&x->loop) - x->since >= x->wait_ms)
		uv_stop(&x->loop);
}

static void on_changed(void *ctx)
{
	discover_look(ctx);
}

static void on_signal(uv_signal_t *handle, int number)
{
	uv_stop(handle->loop);
}

static int begin(struct discover *x, const struct config *c, const struct model *written)
{
	struct discovery_options o = {
		.loop = &x->loop, .providers = providers, .zone = c->zone, .changed = on_changed, .ctx = x
	};
	int r;

	uv_loop_init(&x->loop);
	uv_timer_init(&x->loop, &x->timer);
	x->timer.data = x;
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&x->loop, &x->signal[i]);
		uv_signal_start(&x->signal[i], on_signal, i ? SIGINT : SIGTERM);
	}
	uv_timer_start(&x->timer, on_timer, 10, 20);
	x->since = uv_now(&x->loop);
	x->written = written;
	r = discovery_new(&o, &x->discovery);
	return r ? r : discovery_configure(x->discovery, c, written);
}

static void end(struct discover *x)
{
	uv_close((uv_handle_t *)&x->timer, NULL);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&x->signal[i], NULL);
	if (x->discovery)
		discovery_close(x->discovery, NULL, NULL);
	uv_run(&x->loop, UV_RUN_DEFAULT);
	uv_loop_close(&x->loop);
}

/* ---- what is printed at the end ---- */

static int source_rows(void *ctx, const struct source_view *v)
{
	struct discover *x = ctx;

	if (!discover_wants(x, v->service))
		return 0;
	for (size_t i = 0; i < v->found->nr || i == 0; i++) {
		const struct found_endpoint *f = i < v->found->nr ? &v->found->at[i] : NULL;
		char at[ADDR_TEXT_LEN] = "";

		if (f && !f->host)
			addr_port_format(&f->endpoint.addr, f->endpoint.port, at, sizeof(at));
		else if (f)
			snprintf(at, sizeof(at), "%.48s:%u", f->host, f->endpoint.port);
		out_cell(x->out, out_text(v->service));
		out_cell(x->out, out_text(v->registry));
		out_cell(x->out, out_text(source_state_name(v->state)));
		out_cell(x->out, out_text(*at ? at : NULL));
		out_cell(x->out, f ? out_int(f->endpoint.weight) : out_none());
		out_cell(x->out, f ? out_int(f->endpoint.priority) : out_none());
		out_cell(x->out, f ? out_bool(!f->endpoint.unready) : out_none());
		out_cell(x->out, f ? out_text(f->endpoint.zone) : out_none());
		out_cell(x->out, f ? out_text(f->name) : out_none());
		out_cell(x->out, out_text(*v->error ? v->error : NULL));
	}
	return 0;
}

static void service_rows(struct discover *x)
{
	_cleanup_(model_freep) struct model *m = NULL;
	char at[ADDR_TEXT_LEN];

	if (discovery_model(x->discovery, x->written, &m))
		return;
	for (size_t i = 0; i < m->nr; i++) {
		const struct service *s = m->services[i];

		if (model_find(x->written, s->name) || !discover_wants(x, s->name))
			continue;
		for (size_t k = 0; k < s->nr_endpoints || k == 0; k++) {
			const struct endpoint *e = k < s->nr_endpoints ? &s->endpoints[k] : NULL;

			out_cell(x->out, out_text(s->name));
			out_cell(x->out, out_text(s->file));
			out_cell(x->out, out_text("ok"));
			out_cell(x->out, out_text(e ? addr_port_format(&e->addr, e->port, at, sizeof(at)) : NULL));
			out_cell(x->out, e ? out_int(e->weight) : out_none());
			out_cell(x->out, e ? out_int(e->priority) : out_none());
			out_cell(x->out, e ? out_bool(!e->unready) : out_none());
			out_cell(x->out, e ? out_text(e->zone) : out_none());
			out_cell(x->out, out_none());
			out_cell(x->out, out_none());
		}
	}
}

static const struct out_column columns[] = {
	{ "service", "SERVICE", 0 },
	{ "registry", "REGISTRY", 0 },
	{ "state", "STATE", 0 },
	{ "endpoint", "ENDPOINT", 0 },
	{ "weight", "WEIGHT", OUT_RIGHT },
	{ "priority", "PRIORITY", OUT_RIGHT },
	{ "ready", "READY", 0 },
	{ "zone", "ZONE", 0 },
	{ "name", "NAME", 0 },
	{ "error", "ERROR", 0 },
};

static int say_registry(void *ctx, const struct registry_view *v)
{
	struct discover *x = ctx;

	if (v->failing || v->heard < 0)
		out_error(x->out, "registry %s: %s", v->name, *v->error ? v->error : "has not answered");
	return 0;
}

static int say_source(void *ctx, const struct source_view *v)
{
	struct discover *x = ctx;

	if (discover_wants(x, v->service) && !has_answered(v))
		out_error(x->out, "service %s, registry %s: %s", v->service, v->registry,
			  *v->error ? v->error : "has not answered");
	return 0;
}

/* Those that are asked for and that neither a file nor a registry has. */
static unsigned say_unknown(struct discover *x)
{
	_cleanup_(model_freep) struct model *m = NULL;
	unsigned nr = 0;

	if (discovery_model(x->discovery, x->written, &m))
		return 0;
	for (int i = 0; i < x->nr_words; i++)
		if (!model_find(m, x->words[i])) {
			out_error(x->out, "there is no service \"%s\"", x->words[i]);
			nr++;
		}
	return nr;
}

static int print(struct discover *x)
{
	bool settled = is_settled(x);

	if (!x->watch) {
		out_table(x->out, NULL, NULL, columns, sizeof(columns) / sizeof(columns[0]));
		discovery_each_source(x->discovery, source_rows, x);
		service_rows(x);
		out_end(x->out);
	}
	if (settled)
		return say_unknown(x) ? CLI_FAILED : CLI_DONE;
	discovery_each_registry(x->discovery, say_registry, x);
	discovery_each_source(x->discovery, say_source, x);
	return CLI_FAILED;
}

int cmd_discover(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(file_source_freep) struct file_source *s = NULL;
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(model_freep) struct model *m = NULL;
	struct discover x = { .out = cli->out, .words = argv, .nr_words = argc, .wait_ms = WAIT_MS };
	const struct config *c = NULL;
	char text[sizeof(*e)];
	uint64_t ms;
	int r;

	x.watch = cli->given & CLI_BIT(WATCH);
	if (!e || file_source_new(cli->value[CLI_CONFIG], &s) < 0)
		return out_error(cli->out, "no memory");
	if (cli->given & CLI_BIT(TIMEOUT)) {
		if (!config_duration(cli->value[CLI_TIMEOUT], &ms))
			return out_error(cli->out, "\"%s\" is no time such as 500ms, 5s or 1m",
					 cli->value[CLI_TIMEOUT]);
		x.wait_ms = ms;
	}
	if (file_source_read(s, &c, &m, e) < 0)
		return out_error(cli->out, "%s", config_error_format(e, text, sizeof(text)));
	if (!c->nr_registries)
		return out_error(cli->out, "%s names no registries", c->file);
	r = begin(&x, c, m);
	if (r == 0) {
		uv_run(&x.loop, UV_RUN_DEFAULT);
		r = x.watch ? CLI_DONE : print(&x);
	} else {
		r = out_error(cli->out, "cannot begin: %s", log_strerror(r));
	}
	end(&x);
	discover_done(&x);
	return r;
}

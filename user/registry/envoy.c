/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A control plane for Envoy as a registry: endpoints of clusters (EDS) for services of the files, and whole services
 * from its clusters (CDS), by REST or from files. docs/ENVOY.md says what is taken over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/envoy.h"
#include "registry/providers.h"

#define TIMEOUT_MS     5000
#define REFRESH_MS     5000
#define BACKOFF_MAX_MS 30000
#define PER_SECOND     100
#define PROBE_FIRST_MS 1000
#define PROBE_MOST_MS  60000

/* ---- endpoints of a service of the files ---- */

struct envoy_lookup {
	struct lookup l;
	struct envoy_want want;
	struct envoy_reading reading;
};

static struct envoy_lookup *lookup_of(struct envoy_want *w)
{
	return (struct envoy_lookup *)((char *)w - offsetof(struct envoy_lookup, want));
}

static void on_answer(struct envoy_want *w, const json_t *assignment)
{
	struct envoy_lookup *x = lookup_of(w);
	struct envoy_odd odd = { 0 };
	struct found f = { 0 };
	char why[192];
	int r = envoy_endpoints(assignment, &x->reading, &f, &odd, why, sizeof(why));

	if (odd.nr)
		lookup_odd(&x->l, "%u things that cannot be used; the first: %s", odd.nr, odd.text);
	if (r)
		lookup_failed(&x->l, "%s", r == -ENOMEM ? "no memory" : why);
	else
		lookup_found(&x->l, &f);
}

static void on_failed(struct envoy_want *w, const char *why)
{
	lookup_failed(&lookup_of(w)->l, "%s", why);
}

static int envoy_start(struct lookup *l)
{
	struct envoy_lookup *x = (struct envoy_lookup *)l;
	struct envoy *e = (struct envoy *)l->registry;
	const char *path = options_text(l->options, "path", NULL);
	const char *port = options_text(l->options, "port", "0");

	if (!path && !e->servers.nr) {
		lookup_failed(l, "neither has registry %s \"servers\", nor the source a \"path\"", e->r.name);
		return -EINVAL;
	}
	if (strspn(port, "0123456789") != strlen(port)) {
		lookup_failed(l, "port: must be a number; endpoints of Envoy have one port");
		return -EINVAL;
	}
	x->want.answer = on_answer;
	x->want.failed = on_failed;
	x->reading.locality_weights = options_bool(l->options, "locality-weights", true);
	if (envoy_want_start(e, &x->want, options_text(l->options, "cluster", ""), path)) {
		lookup_failed(l, "no memory");
		return -ENOMEM;
	}
	return 0;
}

static void envoy_stop(struct lookup *l)
{
	envoy_want_stop((struct envoy *)l->registry, &((struct envoy_lookup *)l)->want);
	lookup_stopped(l);
}

/* ---- the registry ---- */

/* CDS is what a path of the registry is for. */
static bool yields_services(const struct registry *r)
{
	return options_bool(r->options, "clusters", options_find(r->options, "path") != NULL);
}

static int begin_clusters(struct envoy *e)
{
	const char *path = options_text(e->r.options, "path", NULL);
	struct envoy_question *q;

	if (path)
		return envoy_file_add(e, NULL, path);
	q = envoy_question_new(e);
	if (!q)
		return -ENOMEM;
	q->clusters = true;
	envoy_ask_whole(q);
	return 0;
}

static int envoy_open(struct registry *r)
{
	struct envoy *e = (struct envoy *)r;
	const struct options *o = r->options;
	int error = http_servers_read(r, http_server_parse, "\"http://host:port\" or \"https://host:port\"",
				      &e->servers);

	if (!error && yields_services(r) && !e->servers.nr && !options_find(o, "path")) {
		registry_failed(r, "\"clusters\" needs \"servers\" to ask, or a \"path\" to a file");
		error = -EINVAL;
	}
	if (error) {
		http_servers_done(&e->servers);
		return error;
	}
	http_tls_from(o, &e->tls);
	e->timeout_ms = options_ms(o, "timeout", TIMEOUT_MS);
	e->refresh_ms = options_ms(o, "refresh", REFRESH_MS);
	e->backoff_ms = options_ms(o, "backoff-max", BACKOFF_MAX_MS);
	e->node = options_text(o, "node", NULL);
	e->cluster = options_text(o, "cluster", NULL);
	e->believes_empty = !strcmp(options_text(o, "empty", "keep"), "clear");
	e->ready_end = &e->ready;
	e->reads = options_number(o, "reads-per-second", PER_SECOND);
	e->probing = (struct backoff){ .first_ms = PROBE_FIRST_MS, .most_ms = PROBE_MOST_MS };
	e->inotify_fd = -1;
	pace_init(&e->pace, e->reads, e->reads, uv_now(r->loop));
	uv_timer_init(r->loop, &e->timer);
	uv_timer_init(r->loop, &e->sync_timer);
	e->timer.data = e->sync_timer.data = e;
	e->handles = 2;
	if (yields_services(r) && begin_clusters(e))
		registry_failed(r, "no memory");
	return 0;
}

void envoy_handle_closed(struct envoy *e)
{
	if (--e->handles)
		return;
	http_servers_done(&e->servers);
	envoy_names_done(e);
	registry_closed(&e->r);
}

static void on_closed(uv_handle_t *handle)
{
	envoy_handle_closed(handle->data);
}

static void on_names_closed(void *ctx)
{
	envoy_handle_closed(ctx);
}

static void envoy_close(struct registry *r)
{
	struct envoy *e = (struct envoy *)r;

	e->closing = true;
	envoy_entries_close(e);
	envoy_files_close(e);
	envoy_inotify_close(e);
	while (e->questions)
		envoy_question_close(e->questions);
	if (e->resolver)
		names_free(MOVE(e->resolver, NULL), on_names_closed, e);
	uv_close((uv_handle_t *)&e->timer, on_closed);
	uv_close((uv_handle_t *)&e->sync_timer, on_closed);
}

const struct provider provider_envoy = {
	.type = "envoy",
	.registry_size = sizeof(struct envoy),
	.lookup_size = sizeof(struct envoy_lookup),
	.yields_services = yields_services,
	.open = envoy_open,
	.close = envoy_close,
	.start = envoy_start,
	.stop = envoy_stop,
};

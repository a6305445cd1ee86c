/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries as the config names them: opened, closed, exchanged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"

static void registry_core_free(struct registry_core *g)
{
	service_list_done(&g->services);
	options_done(&g->options);
	free(g->name);
	free(g->type);
	free(g);
}

struct registry_core *registry_named(const struct discovery *d, const char *name)
{
	for (size_t i = 0; i < d->nr_registries; i++)
		if (!d->registries[i]->closing && !strcmp(d->registries[i]->name, name))
			return d->registries[i];
	return NULL;
}

static void forget(struct registry_core *g)
{
	struct discovery *d = g->discovery;
	size_t i = 0;

	while (i < d->nr_registries && d->registries[i] != g)
		i++;
	if (i < d->nr_registries) {
		d->nr_registries--;
		memmove(&d->registries[i], &d->registries[i + 1],
			(d->nr_registries - i) * sizeof(struct registry_core *));
	}
	registry_core_free(g);
	discovery_may_end(d);
}

void registry_may_close(struct registry_core *g)
{
	if (!g->closing || g->lookups)
		return;
	if (g->registry)
		g->registry->type->close(g->registry);
	else
		forget(g);
}

void registry_closed(struct registry *r)
{
	struct registry_core *g = r->core;

	free(r);
	g->registry = NULL;
	forget(g);
}

/* Nobody asks it any more; ends when its lookups have. */
static void begin_close(struct registry_core *g)
{
	g->closing = true;
	g->lookups++; /* not before all have been told */
	if (!g->discovery->closing)
		sources_leave(g->discovery, g);
	announcements_leave(g->discovery, g);
	g->lookups--;
	registry_may_close(g);
}

static const struct provider *provider_of(const struct discovery *d, const char *type)
{
	for (const struct provider *const *p = d->o.providers; *p; p++)
		if (!strcmp((*p)->type, type))
			return *p;
	return NULL;
}

static void open_one(struct registry_core *g)
{
	struct discovery *d = g->discovery;
	const struct provider *type = provider_of(d, g->type);
	struct registry *r;

	if (!type) {
		snprintf(g->error, sizeof(g->error), "this weft was built without registries of type %s", g->type);
		log_msg(LOG_L_ERROR, "registry %s: %s", g->name, g->error);
		return;
	}
	r = calloc(1, type->registry_size);
	if (!r)
		return;
	r->type = type;
	r->name = g->name;
	r->options = &g->options;
	r->loop = d->o.loop;
	r->http = d->http;
	r->zone = d->zone;
	r->core = g;
	g->registry = r;
	if (type->open(r) == 0)
		return;
	snprintf(g->error, sizeof(g->error), "%s", *r->error ? r->error : "cannot be opened");
	g->registry = NULL;
	free(r);
}

static int add(struct discovery *d, const struct registry_config *c)
{
	struct registry_core *g = calloc(1, sizeof(*g));
	struct registry_core **more = reallocarray(d->registries, d->nr_registries + 1, sizeof(struct registry_core *));

	if (more)
		d->registries = more;
	if (!g || !more)
		goto no_memory;
	g->discovery = d;
	g->name = strdup(c->name);
	g->type = strdup(c->type);
	if (!g->name || !g->type || options_copy(&c->options, &g->options))
		goto no_memory;
	state_load_registry(d, g);
	d->registries[d->nr_registries++] = g;
	return 0;
no_memory:
	if (g)
		registry_core_free(g);
	return -ENOMEM;
}

static const struct registry_config *wanted(const struct config *c, const struct registry_core *g)
{
	for (size_t i = 0; i < c->nr_registries; i++)
		if (!strcmp(c->registries[i].name, g->name) && !strcmp(c->registries[i].type, g->type) &&
		    options_equal(&c->registries[i].options, &g->options))
			return &c->registries[i];
	return NULL;
}

/* Another server or password is another registry; the services that it yielded stay until the new one has spoken. */
static void hand_over(struct discovery *d, struct registry_core *from)
{
	struct registry_core *to = registry_named(d, from->name);

	if (!to || strcmp(to->type, from->type) || !from->services.nr)
		return;
	service_list_done(&to->services);
	to->services = from->services;
	from->services = (struct service_list){ 0 };
}

int registries_configure(struct discovery *d, const struct config *c)
{
	int r = 0;

	for (size_t i = 0; i < d->nr_registries; i++)
		if (!d->registries[i]->closing && !wanted(c, d->registries[i]))
			d->registries[i]->closing = d->registries[i]->unwanted = true;
	for (size_t i = 0; !r && i < c->nr_registries; i++)
		if (!registry_named(d, c->registries[i].name))
			r = add(d, &c->registries[i]);
	/* From the end, since those that close at once leave the list. */
	for (size_t i = d->nr_registries; i-- > 0;) {
		struct registry_core *g = d->registries[i];

		if (!g->unwanted)
			continue;
		g->unwanted = false;
		hand_over(d, g);
		begin_close(g);
		discovery_touch(d);
	}
	return r;
}

void registries_open(struct discovery *d)
{
	for (size_t i = 0; i < d->nr_registries; i++)
		if (!d->registries[i]->closing && !d->registries[i]->registry && !*d->registries[i]->error)
			open_one(d->registries[i]);
	sources_start(d);
	announcements_start(d);
}

void registries_close(struct discovery *d)
{
	for (size_t i = d->nr_registries; i-- > 0;) {
		if (i < d->nr_registries && !d->registries[i]->closing)
			begin_close(d->registries[i]);
	}
}

/* ---- whole services ---- */

void registry_put(struct registry *r, struct service *s)
{
	struct registry_core *g = r->core;
	int same;

	registry_heard(r);
	if (!s->nr_frontends) {
		registry_odd(r, "service %s has no address", s->name);
		return;
	}
	if (!s->file && asprintf(&s->file, "registry %s", r->name) < 0)
		s->file = NULL;
	service_settle(s);
	same = service_list_put(&g->services, s);
	if (same < 0) {
		registry_failed(r, "no memory for service %s", s->name);
		return;
	}
	if (!same && !g->syncing)
		discovery_touch(g->discovery);
}

bool registry_keep(struct registry *r, const char *service)
{
	struct service_list *l = &r->core->services;
	bool there;
	size_t i = service_list_find(l, service, &there);

	if (there)
		l->seen[i] = true;
	return there;
}

void registry_drop(struct registry *r, const char *service)
{
	struct registry_core *g = r->core;
	bool there;
	size_t i = service_list_find(&g->services, service, &there);

	registry_heard(r);
	if (!there)
		return;
	service_list_remove(&g->services, i);
	discovery_touch(g->discovery);
}

void registry_sync_begin(struct registry *r)
{
	struct registry_core *g = r->core;

	g->syncing = true;
	if (g->services.nr)
		memset(g->services.seen, 0, g->services.nr * sizeof(*g->services.seen));
}

/* What was not put is gone. An empty list is believed only when that is written: it is what a registry says that has
 * lost its memory. */
void registry_sync_end(struct registry *r)
{
	struct registry_core *g = r->core;
	size_t kept = 0, left = 0;

	for (size_t i = 0; i < g->services.nr; i++)
		left += g->services.seen[i];
	registry_heard(r);
	r->seen.answers++;
	g->syncing = false;
	g->synced = true;
	discovery_touch(g->discovery);
	if (!left && g->services.nr && strcmp(options_text(&g->options, "empty", "keep"), "clear")) {
		log_msg(LOG_L_WARNING,
			"registry %s has no service any more; keeping the %zu that were there "
			"(\"empty: clear\" would not)",
			g->name, g->services.nr);
		return;
	}
	for (size_t i = 0; i < g->services.nr; i++) {
		if (!g->services.seen[i]) {
			service_unref(g->services.at[i]);
			continue;
		}
		g->services.at[kept] = g->services.at[i];
		g->services.seen[kept++] = true;
	}
	g->services.nr = kept;
}

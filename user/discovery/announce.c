/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Local endpoints that registries are told of: when, and how often at most. What is written where is the providers'. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"

/* A check that goes up and down all the time must not do so in every reader of the registry. */
#define CHANGES_PER_SECOND 0.2
#define CHANGES_AT_ONCE	   3

static void core_free(struct announcement_core *c)
{
	for (char **w = c->words; w && *w; w++)
		free(*w);
	free(c->words);
	free(c->labels);
	options_done(&c->options);
	free(c->name);
	free(c->registry);
	free(c);
}

void announcement_withdrawn(struct announcement *a)
{
	struct registry_core *g = a->registry->core;
	struct announcement_core *c = a->core;

	free(a);
	c->announcement = NULL;
	if (!c->discovery)
		core_free(c);
	g->lookups--;
	registry_may_close(g);
}

static void end(struct announcement_core *c, bool leave)
{
	struct announcement *a = c->announcement;

	if (!a)
		return;
	a->leave = leave;
	a->registry->type->withdraw(a);
}

static void drop(struct announcement_core *c, bool leave)
{
	bool runs = c->announcement;

	c->discovery = NULL;
	end(c, leave);
	if (!runs)
		core_free(c);
}

static void start(struct announcement_core *c)
{
	struct registry_core *g = registry_named(c->discovery, c->registry);
	const struct provider *type;
	struct announcement *a;

	if (c->announcement || !c->known || !g || !g->registry || !g->registry->type->announce)
		return;
	type = g->registry->type;
	a = calloc(1, type->announcement_size);
	if (!a)
		return;
	*a = (struct announcement){ .registry = g->registry,
				    .options = &c->options,
				    .service = c->name,
				    .addr = c->addr,
				    .port = c->port,
				    .weight = (uint16_t)options_number(&c->options, "weight", 1),
				    .labels = c->labels,
				    .nr_labels = c->nr_labels,
				    .up = c->up,
				    .core = c };
	c->announcement = a;
	c->written = false;
	g->lookups++;
	if (type->announce(a) == 0)
		return;
	log_msg(LOG_L_WARNING, "registry %s cannot be told of %s", g->name, c->name);
	c->announcement = NULL;
	free(a);
	g->lookups--;
}

static void on_late(uv_timer_t *timer);

/* Tells the provider, or does so when it may be told again. */
static void tell(struct announcement_core *c)
{
	struct discovery *d = c->discovery;
	struct announcement *a = c->announcement;
	uint32_t wait;

	if (!a || a->up == c->up)
		return;
	wait = pace_take(&c->pace, uv_now(d->o.loop));
	if (!wait) {
		a->up = c->up;
		c->written = false;
		a->registry->type->changed(a);
	} else if (!uv_is_active((uv_handle_t *)&d->announce_timer) || wait < uv_timer_get_due_in(&d->announce_timer)) {
		uv_timer_start(&d->announce_timer, on_late, wait, 0);
	}
}

static void on_late(uv_timer_t *timer)
{
	struct discovery *d = timer->data;

	for (size_t i = 0; i < d->nr_announcements; i++)
		tell(d->announcements[i]);
}

void discovery_set_up(struct discovery *d, const char *name, const struct weft_addr *addr, uint16_t port, bool up)
{
	for (size_t i = 0; i < d->nr_announcements; i++) {
		struct announcement_core *c = d->announcements[i];

		if (strcmp(c->name, name) || c->port != port || !weft_addr_equal(&c->addr, addr))
			continue;
		c->up = up;
		if (c->known) {
			tell(c);
			continue;
		}
		c->known = true;
		start(c);
	}
}

void announcement_done(struct announcement *a)
{
	a->failing = false;
	*a->error = '\0';
	registry_heard(a->registry);
	a->core->written = true;
}

/* ---- what the config wants ---- */

static int set_labels(struct announcement_core *c)
{
	char *const *list = options_list(&c->options, "labels");
	size_t nr = 0;

	while (list[nr])
		nr++;
	c->words = calloc(nr + 1, sizeof(char *));
	c->labels = calloc(nr ? nr : 1, sizeof(*c->labels));
	if (!c->words || !c->labels)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		char *at;

		c->words[i] = strdup(list[i]);
		if (!c->words[i])
			return -ENOMEM;
		at = strchr(c->words[i], '='); /* the config made sure of it */
		if (!at)
			continue;
		*at = '\0';
		c->labels[c->nr_labels++] = (struct label){ c->words[i], at + 1 };
	}
	return 0;
}

static struct announcement_core *make(struct discovery *d, const struct register_config *r)
{
	struct announcement_core *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->discovery = d;
	c->name = strdup(r->name);
	c->registry = strdup(r->registry);
	c->addr = r->addr;
	c->port = r->port;
	pace_init(&c->pace, CHANGES_PER_SECOND, CHANGES_AT_ONCE, uv_now(d->o.loop));
	if (!c->name || !c->registry || options_copy(&r->options, &c->options) || set_labels(c)) {
		core_free(c);
		return NULL;
	}
	return c;
}

static struct announcement_core *take_alike(struct discovery *d, const struct register_config *r)
{
	for (size_t i = 0; i < d->nr_announcements; i++) {
		struct announcement_core *c = d->announcements[i];

		if (c && !strcmp(c->name, r->name) && !strcmp(c->registry, r->registry) &&
		    options_equal(&c->options, &r->options))
			return MOVE(d->announcements[i], NULL);
	}
	return NULL;
}

/* Is @old written to the same place by one of @list? Taking it back would take that back. */
static bool is_followed(const struct discovery *d, const struct announcement_core *old,
			struct announcement_core *const *list, size_t nr)
{
	static const char *const both[] = { "weight", "labels", NULL };
	const struct registry_core *g = registry_named(d, old->registry);
	const char *const *said = g && g->registry ? g->registry->type->said : NULL;
	const char *but[16];
	size_t nr_but = 0;

	for (size_t i = 0; both[i]; i++)
		but[nr_but++] = both[i];
	for (; said && *said && nr_but < sizeof(but) / sizeof(*but) - 1; said++)
		but[nr_but++] = *said;
	but[nr_but] = NULL;
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(list[i]->name, old->name) && !strcmp(list[i]->registry, old->registry) &&
		    options_equal_but(&list[i]->options, &old->options, but))
			return true;
	return false;
}

int announcements_configure(struct discovery *d, const struct config *c)
{
	struct announcement_core **list;
	size_t nr = 0;
	int r = 0;

	if (!c->nr_announcements && !d->nr_announcements)
		return 0;
	list = calloc(c->nr_announcements ? c->nr_announcements : 1, sizeof(struct announcement_core *));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < c->nr_announcements; i++) {
		struct announcement_core *a = take_alike(d, &c->announcements[i]);

		if (!a)
			a = make(d, &c->announcements[i]);
		if (a)
			list[nr++] = a;
		else
			r = -ENOMEM;
	}
	for (size_t i = 0; i < d->nr_announcements; i++)
		if (d->announcements[i])
			drop(d->announcements[i], is_followed(d, d->announcements[i], list, nr));
	free(d->announcements);
	d->announcements = list;
	d->nr_announcements = nr;
	return r;
}

void announcements_start(struct discovery *d)
{
	for (size_t i = 0; i < d->nr_announcements; i++)
		start(d->announcements[i]);
}

/* The registry is opened anew with other settings, or is no longer wanted; then its announcements are not either. What
 * was written stays: the new one finds it. */
void announcements_leave(struct discovery *d, struct registry_core *g)
{
	for (size_t i = 0; i < d->nr_announcements; i++)
		if (d->announcements[i]->announcement && d->announcements[i]->announcement->registry == g->registry)
			end(d->announcements[i], true);
}

void announcements_close(struct discovery *d)
{
	for (size_t i = 0; i < d->nr_announcements; i++)
		drop(d->announcements[i], true);
	d->nr_announcements = 0;
}

int discovery_each_announcement(const struct discovery *d, int (*fn)(void *ctx, const struct announcement_view *v),
				void *ctx)
{
	int r = 0;

	for (size_t i = 0; !r && i < d->nr_announcements; i++) {
		const struct announcement_core *c = d->announcements[i];
		const struct registry_core *g = registry_named(d, c->registry);
		struct announcement_view v = { .service = c->name,
					       .registry = c->registry,
					       .type = g ? g->type : "",
					       .addr = c->addr,
					       .port = c->port,
					       .known = c->known,
					       .up = c->up,
					       .written = c->written,
					       .error = c->announcement ? c->announcement->error : "" };

		r = fn(ctx, &v);
	}
	return r;
}

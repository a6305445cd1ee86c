/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "agent/registries.h"
#include "discovery/backends.h"

/* ---- JSON ---- */

static void set_age(json_t *j, const char *key, double age)
{
	json_object_set_new(j, key, age < 0 ? json_null() : json_real(age));
}

static int add_registry(void *list, const struct registry_view *v)
{
	json_t *j = json_pack("{s:s s:s s:b s:o s:I s:I s:I s:I s:I}", "name", v->name, "type", v->type, "up",
			      !v->failing, "error", text_json(v->error), "answers", (json_int_t)v->seen.answers,
			      "failures", (json_int_t)v->seen.failures, "odd", (json_int_t)v->seen.odd, "sources",
			      (json_int_t)v->sources, "services", (json_int_t)v->services);

	if (j)
		set_age(j, "heard_seconds", v->heard);
	return j && json_array_append_new(list, j) == 0 ? 0 : -1;
}

static int add_source(void *list, const struct source_view *v)
{
	json_t *j = json_pack("{s:s s:I s:s s:s s:s s:o s:I}", "service", v->service, "source", (json_int_t)v->index,
			      "registry", v->registry, "type", v->type, "state", source_state_name(v->state), "error",
			      text_json(v->error), "endpoints", (json_int_t)v->found->nr);

	if (j)
		set_age(j, "age_seconds", v->age);
	return j && json_array_append_new(list, j) == 0 ? 0 : -1;
}

static int add_announcement(void *list, const struct announcement_view *v)
{
	char at[ADDR_TEXT_LEN];
	json_t *j = json_pack("{s:s s:s s:s s:s s:s s:b s:o}", "service", v->service, "registry", v->registry, "type",
			      v->type, "address", addr_port_format(&v->addr, v->port, at, sizeof(at)), "state",
			      !v->known ? "unknown"
			      : v->up	? "up"
					: "down",
			      "written", v->written, "error", text_json(v->error));

	return j && json_array_append_new(list, j) == 0 ? 0 : -1;
}

json_t *registries_json(const struct agent *a)
{
	json_t *registries = json_array(), *sources = json_array(), *announcements = json_array();

	if (a->discovery && registries && sources && announcements) {
		discovery_each_registry(a->discovery, add_registry, registries);
		discovery_each_source(a->discovery, add_source, sources);
		discovery_each_announcement(a->discovery, add_announcement, announcements);
	}
	return json_pack("{s:o s:o s:o}", "registries", registries, "sources", sources, "register", announcements);
}

/* ---- metrics ---- */

struct copies {
	struct metrics_registry *registries;
	struct metrics_source *sources;
	size_t nr, nr_sources;
};

static int copy_registry(void *ctx, const struct registry_view *v)
{
	struct copies *c = ctx;
	struct metrics_registry *more = reallocarray(c->registries, c->nr + 1, sizeof(*more)), *m;

	if (!more)
		return -1;
	c->registries = more;
	m = &more[c->nr++];
	*m = (struct metrics_registry){ .up = !v->failing && v->heard >= 0,
					.heard = v->heard,
					.answers = v->seen.answers,
					.failures = v->seen.failures,
					.odd = v->seen.odd };
	snprintf(m->name, sizeof(m->name), "%s", v->name);
	snprintf(m->type, sizeof(m->type), "%s", v->type);
	return 0;
}

static int copy_source(void *ctx, const struct source_view *v)
{
	struct copies *c = ctx;
	struct metrics_source *m;

	/* Doubles: there may be thousands. */
	if (!(c->nr_sources & (c->nr_sources - 1))) {
		size_t want = c->nr_sources ? c->nr_sources * 2 : 1;
		struct metrics_source *more = reallocarray(c->sources, want, sizeof(*more));

		if (!more)
			return -1;
		c->sources = more;
	}
	m = &c->sources[c->nr_sources++];
	*m = (struct metrics_source){ .up = v->state == SOURCE_OK, .age = v->age, .endpoints = v->found->nr };
	snprintf(m->service, sizeof(m->service), "%s", v->service);
	snprintf(m->registry, sizeof(m->registry), "%s", v->registry);
	snprintf(m->source, sizeof(m->source), "%zu", v->index);
	return 0;
}

void registries_metrics(const struct agent *a, struct metrics_registry **ret, size_t *ret_nr,
			struct metrics_source **ret_sources, size_t *ret_nr_sources)
{
	struct copies c = { 0 };

	if (a->discovery) {
		discovery_each_registry(a->discovery, copy_registry, &c);
		discovery_each_source(a->discovery, copy_source, &c);
	}
	*ret = c.registries;
	*ret_nr = c.nr;
	*ret_sources = c.sources;
	*ret_nr_sources = c.nr_sources;
}

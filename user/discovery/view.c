/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is to be seen of discovery. */
#include "discovery/inside.h"

const char *source_state_name(unsigned state)
{
	static const char *const names[] = { "waiting", "ok", "failing", "held" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static double age(uint64_t then, uint64_t now)
{
	return then ? (double)(now - then) / 1e9 : -1;
}

static size_t count_sources(const struct discovery *d, const struct registry_core *g)
{
	size_t nr = 0;

	for (size_t i = 0; i < d->nr_subjects; i++)
		for (size_t k = 0; k < d->subjects[i].nr_sources; k++)
			nr += g->registry && d->subjects[i].sources[k]->lookup &&
			      d->subjects[i].sources[k]->lookup->registry == g->registry;
	return nr;
}

int discovery_each_registry(const struct discovery *d, int (*fn)(void *ctx, const struct registry_view *v), void *ctx)
{
	uint64_t now = discovery_now_ns();
	int r = 0;

	for (size_t i = 0; !r && i < d->nr_registries; i++) {
		const struct registry_core *g = d->registries[i];
		struct registry_view v = { .name = g->name, .type = g->type, .services = g->services.nr };

		if (g->closing)
			continue;
		v.failing = g->registry ? g->registry->failing : true;
		v.error = g->registry ? g->registry->error : g->error;
		if (g->registry)
			v.seen = g->registry->seen;
		v.heard = age(v.seen.heard_ns, now);
		v.sources = count_sources(d, g);
		r = fn(ctx, &v);
	}
	return r;
}

static const char *error_of(const struct discovery *d, const struct lookup_core *l)
{
	const struct registry_core *g = registry_named(d, l->registry);

	if (l->lookup && l->lookup->failing)
		return l->lookup->error;
	if (l->lookup && l->lookup->registry->failing)
		return l->lookup->registry->error;
	if (!l->lookup && *l->error)
		return l->error;
	return !l->lookup && g && *g->error ? g->error : "";
}

int discovery_each_source(const struct discovery *d, int (*fn)(void *ctx, const struct source_view *v), void *ctx)
{
	uint64_t now = discovery_now_ns();
	int r = 0;

	for (size_t i = 0; i < d->nr_subjects; i++)
		for (size_t k = 0; !r && k < d->subjects[i].nr_sources; k++) {
			const struct lookup_core *l = d->subjects[i].sources[k];
			const struct registry_core *g = registry_named(d, l->registry);
			struct source_view v = { .service = d->subjects[i].written->name,
						 .registry = l->registry,
						 .type = g ? g->type : "",
						 .index = k,
						 .error = error_of(d, l),
						 .age = age(l->answered_ns, now),
						 .found = &l->found };

			v.state = *v.error	? SOURCE_FAILING
				  : l->held	? SOURCE_HELD
				  : l->answered ? SOURCE_OK
						: SOURCE_WAITING;
			r = fn(ctx, &v);
		}
	return r;
}

bool discovery_settled(const struct discovery *d)
{
	for (size_t i = 0; i < d->nr_subjects; i++)
		for (size_t k = 0; k < d->subjects[i].nr_sources; k++)
			if (!d->subjects[i].sources[k]->answered && !d->subjects[i].sources[k]->held)
				return false;
	for (size_t i = 0; i < d->nr_registries; i++) {
		const struct registry_core *g = d->registries[i];

		if (!g->closing && g->registry && g->registry->type->yields_services &&
		    g->registry->type->yields_services(g->registry) && !g->synced)
			return false;
	}
	return true;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries, the sources of services, and what this node registers. Which keys a type knows is told by its name alone,
 * and a source's type by its registry: so all is read as it stands, and checked when everything is there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/registries.h"
#include "config/scalar.h"

#define REGISTRIES_MAX	  64
#define SOURCES_MAX	  8 /* of a service */
#define ANNOUNCEMENTS_MAX 1024
#define NAME_LEN	  63

/* ---- registries ---- */

static int read_registry(struct reader *rd, void *into)
{
	struct config *c = into;
	struct registry_config *more, *g;
	int r;

	if (c->nr_registries == REGISTRIES_MAX)
		return reader_fail(rd, "at most %d registries are read", REGISTRIES_MAX);
	more = reallocarray(c->registries, c->nr_registries + 1, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	c->registries = more;
	g = &more[c->nr_registries++];
	*g = (struct registry_config){ .line = reader_line(rd) };
	r = reader_options(rd, NULL, 0, NULL, &g->options);
	if (r)
		return r;
	g->name = strdup(options_text(&g->options, "name", ""));
	g->type = strdup(options_text(&g->options, "type", ""));
	return g->name && g->type ? 0 : reader_fail_memory(rd);
}

int settings_read_registries(struct reader *rd, void *into)
{
	return reader_list(rd, read_registry, into);
}

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len && len <= NAME_LEN && *text != '-' && *text != '.' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static int check_registry(const struct config *c, size_t i, struct config_error *e)
{
	static const char *const own[] = { "name", "type", NULL };
	const struct registry_config *g = &c->registries[i];
	char key[64], known[192] = "";
	const struct registry_type *type = registry_type(g->type);
	struct options_place at = { .file = c->file, .line = g->line, .key = key };
	struct quoted q;
	size_t len = 0;

	snprintf(key, sizeof(key), "registries[%zu]", i);
	if (!*g->name || !*g->type)
		return error_set(e, -EINVAL, c->file, g->line, key, "\"%s\" is missing", *g->name ? "type" : "name");
	if (!is_name(g->name))
		return error_set(
			e, -EINVAL, c->file, g->line, key,
			"a name is 1 to %d of a-z, 0-9, \".\" and \"-\", and begins with a letter or digit; not %s",
			NAME_LEN, quote(g->name, &q));
	for (size_t k = 0; k < i; k++)
		if (!strcmp(c->registries[k].name, g->name))
			return error_set(e, -EINVAL, c->file, g->line, key,
					 "registry \"%s\" is there twice, first on line %u", g->name,
					 c->registries[k].line);
	if (type)
		return options_check(&g->options, USE_REGISTRY, type, own, &at, e);
	for (type = registry_types; type->type && len < sizeof(known); type++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", type->type);
	return error_set(e, -EINVAL, c->file, g->line, key, "type must be one of %s; not %s", known,
			 quote(g->type, &q));
}

const char *config_registry_type(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nr_registries; i++)
		if (!strcmp(c->registries[i].name, name))
			return c->registries[i].type;
	return NULL;
}

static const struct registry_type *type_of(const struct config *c, const char *registry)
{
	const char *type = config_registry_type(c, registry);

	return type ? registry_type(type) : NULL;
}

/* ---- discover ---- */

static int read_source(struct reader *rd, void *into)
{
	struct service *s = ((struct services_reading *)into)->service;
	struct source *more, *src;
	unsigned line = reader_line(rd);
	int r;

	if (s->nr_sources == SOURCES_MAX)
		return reader_fail(rd, "a service has at most %d sources", SOURCES_MAX);
	more = reallocarray(s->sources, s->nr_sources + 1, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	s->sources = more;
	src = &more[s->nr_sources++];
	*src = (struct source){ .line = line };
	r = reader_options(rd, NULL, 0, NULL, &src->options);
	if (r)
		return r;
	src->registry = strdup(options_text(&src->options, "registry", ""));
	if (!src->registry)
		return reader_fail_memory(rd);
	return *src->registry ? 0 : reader_fail_at(rd, line, "\"registry\" is missing");
}

int service_read_discover(struct reader *rd, void *into)
{
	if (rd->event.type != YAML_MAPPING_START_EVENT)
		return reader_list(rd, read_source, into);
	return read_source(rd, into);
}

int service_read_combine(struct reader *rd, void *into)
{
	static const char *const words[] = { "union", "first", "override" };
	unsigned which = 0;
	int r;

	r = scalar_choice(rd, words, 3, &which);
	if (!r)
		((struct services_reading *)into)->service->combine = (uint8_t)which;
	return r;
}

static int check_sources(const struct config *c, const struct service *s, struct config_error *e)
{
	static const char *const own[] = { "registry", NULL };
	int r = 0;

	for (size_t i = 0; !r && i < s->nr_sources; i++) {
		const struct source *src = &s->sources[i];
		const struct registry_type *type = type_of(c, src->registry);
		char key[WEFT_NAME_LEN + 64];
		struct options_place at = { .file = s->file ? s->file : c->file, .line = src->line, .key = key };
		struct quoted q;

		snprintf(key, sizeof(key), "service %s.discover[%zu]", s->name, i);
		if (!type)
			return error_set(e, -EINVAL, at.file, at.line, key, "there is no registry %s in \"registries\"",
					 quote(src->registry, &q));
		if (!type->keys[USE_SOURCE])
			return error_set(e, -EINVAL, at.file, at.line, key,
					 "registry \"%s\" yields whole services, not endpoints", src->registry);
		r = options_check(&src->options, USE_SOURCE, type, own, &at, e);
	}
	return r;
}

/* ---- register ---- */

static int read_check(struct reader *rd, void *into)
{
	return health_check_read(rd, &((struct register_config *)into)->check);
}

static int read_announcement(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = { { "health-check", read_check } };
	struct config *c = into;
	struct register_config *more, *a;
	int r;

	if (c->nr_announcements == ANNOUNCEMENTS_MAX)
		return reader_fail(rd, "at most %d are registered", ANNOUNCEMENTS_MAX);
	more = reallocarray(c->announcements, c->nr_announcements + 1, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	c->announcements = more;
	a = &more[c->nr_announcements++];
	*a = (struct register_config){ .line = reader_line(rd) };
	health_check_init(&a->check);
	r = reader_options(rd, fields, 1, a, &a->options);
	if (r)
		return r;
	a->name = strdup(options_text(&a->options, "name", ""));
	a->registry = strdup(options_text(&a->options, "registry", ""));
	return a->name && a->registry ? 0 : reader_fail_memory(rd);
}

int settings_read_register(struct reader *rd, void *into)
{
	return reader_list(rd, read_announcement, into);
}

static int check_announcement(const struct config *c, size_t i, struct config_error *e)
{
	static const char *const own[] = { "name", "registry", "address", NULL };
	struct register_config *a = &c->announcements[i];
	const char *address = options_text(&a->options, "address", NULL);
	const struct registry_type *type = type_of(c, a->registry);
	char key[64];
	struct options_place at = { .file = c->file, .line = a->line, .key = key };
	struct quoted q;

	snprintf(key, sizeof(key), "register[%zu]", i);
	if (!*a->name || !*a->registry || !address)
		return error_set(e, -EINVAL, c->file, a->line, key, "\"%s\" is missing",
				 !*a->name	 ? "name"
				 : !*a->registry ? "registry"
						 : "address");
	if (strlen(a->name) >= WEFT_NAME_LEN || strpbrk(a->name, " \"'`\\"))
		return error_set(e, -EINVAL, c->file, a->line, key,
				 "a name is 1 to %d bytes without blanks, quotes and backslashes; not %s",
				 WEFT_NAME_LEN - 1, quote(a->name, &q));
	if (addr_port_parse(address, &a->addr, &a->port))
		return error_set(e, -EINVAL, c->file, a->line, key,
				 "address must be ADDRESS:PORT such as 10.0.0.5:8080, which others reach it by; not %s",
				 quote(address, &q));
	if (!type)
		return error_set(e, -EINVAL, c->file, a->line, key, "there is no registry %s in \"registries\"",
				 quote(a->registry, &q));
	if (!type->keys[USE_REGISTER])
		return error_set(e, -EINVAL, c->file, a->line, key, "nothing can be registered in \"%s\", of type %s",
				 a->registry, type->type);
	for (char *const *l = options_list(&a->options, "labels"); *l; l++)
		if (!strchr(*l, '=') || **l == '=')
			return error_set(e, -EINVAL, c->file, a->line, key, "a label is KEY=VALUE, not %s",
					 quote(*l, &q));
	return options_check(&a->options, USE_REGISTER, type, own, &at, e);
}

int config_check_registries(const struct config *c, const struct model *m, struct config_error *ret_error)
{
	int r = 0;

	for (size_t i = 0; !r && i < m->nr; i++)
		if (m->services[i]->nr_sources)
			r = check_sources(c, m->services[i], ret_error);
	return r;
}

int config_finish_registries(const struct config *c, struct config_error *ret_error)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->nr_registries; i++)
		r = check_registry(c, i, ret_error);
	for (size_t i = 0; !r && i < c->nr_announcements; i++)
		r = check_announcement(c, i, ret_error);
	return r;
}

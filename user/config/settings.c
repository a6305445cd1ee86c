/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft.yaml: every key that is not a service. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/input.h"
#include "config/names.h"
#include "config/registries.h"
#include "config/scalar.h"
#include "config/services.h"
#include "config/settings.h"

#define NR(a)	       (sizeof(a) / sizeof((a)[0]))
#define PATH_MAX_BYTES 4000

struct settings_reading {
	struct config *config;
	size_t nr_sources;
	bool metrics_off;
	struct services_reading services;
};

static void settings_reading_done(struct settings_reading *x)
{
	config_free(x->config);
	services_reading_done(&x->services);
}

/* Becomes the name of a folder below bpffs and of a socket. */
static bool is_instance(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= 32 && *text != '-' && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int read_instance(struct reader *rd, void *into)
{
	struct settings_reading *x = into;
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!is_instance(text))
		return reader_fail(rd, "must be 1 to 32 of a-z, 0-9 and \"-\", and not begin with \"-\"; not %s",
				   quote(text, &q));
	return scalar_copy(rd, text, &x->config->instance);
}

static int read_cgroup(struct reader *rd, void *into)
{
	return scalar_path(rd, PATH_MAX_BYTES, &((struct settings_reading *)into)->config->cgroup);
}

static int read_bpffs(struct reader *rd, void *into)
{
	return scalar_path(rd, PATH_MAX_BYTES, &((struct settings_reading *)into)->config->bpffs);
}

static int read_socket(struct reader *rd, void *into)
{
	return scalar_path(rd, sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
			   &((struct settings_reading *)into)->config->socket);
}

static int read_metrics_listen(struct reader *rd, void *into)
{
	struct settings_reading *x = into;
	struct address a;
	const char *text;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!strcmp(text, "off")) {
		x->metrics_off = true;
		return 0;
	}
	r = scalar_address(rd, true, &a);
	return r ? r : scalar_copy(rd, text, &x->config->metrics_listen);
}

static int read_metrics_callers(struct reader *rd, void *into)
{
	return scalar_bool(rd, &((struct settings_reading *)into)->config->metrics_callers);
}

static int read_metrics_endpoints(struct reader *rd, void *into)
{
	return scalar_bool(rd, &((struct settings_reading *)into)->config->metrics_endpoints);
}

static int read_metrics_max_series(struct reader *rd, void *into)
{
	return scalar_number(rd, 100, 10000000, &((struct settings_reading *)into)->config->metrics_max_series);
}

static int read_metrics(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "listen", read_metrics_listen },
		{ "callers", read_metrics_callers },
		{ "endpoints", read_metrics_endpoints },
		{ "max-series", read_metrics_max_series },
	};

	return reader_mapping(rd, fields, NR(fields), into);
}

static int read_audit(struct reader *rd, void *into)
{
	struct settings_reading *x = into;

	return scalar_duration(rd, 1000, 24u * 3600 * 1000, true, &x->config->audit_ms);
}

static const struct limit {
	const char *key;
	size_t at; /* in struct config_limits */
	uint32_t min, max;
} limits[] = {
#define X(key, field, def, min, max) { key, offsetof(struct config_limits, field), min, max },
	CONFIG_LIMITS(X)
#undef X
};

/* Which one is told by the key that is being read. */
static int read_limit(struct reader *rd, void *into)
{
	char *all = (char *)&((struct settings_reading *)into)->config->limits;
	const struct limit *l = limits;

	while (strcmp(l->key, rd->path[rd->depth - 1].key))
		l++;
	return scalar_number(rd, l->min, l->max, (uint32_t *)(void *)(all + l->at));
}

static int read_limits(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
#define X(key, field, def, min, max) { key, read_limit },
		CONFIG_LIMITS(X)
#undef X
	};

	return reader_mapping(rd, fields, NR(fields), into);
}

static int read_source_file(struct reader *rd, void *into)
{
	struct settings_reading *x = into;
	const char *text;
	char **more;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!*text || text[strlen(text) - 1] == '/')
		return reader_fail(rd, "must name a file or a pattern of files such as \"services.d/*.yaml\"");
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return reader_fail(rd, "a path with a control character");
	if (x->nr_sources == CONFIG_SOURCES_MAX)
		return reader_fail(rd, "at most %d sources are read", CONFIG_SOURCES_MAX);
	more = reallocarray(x->config->sources, x->nr_sources + 2, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	x->config->sources = more;
	more[x->nr_sources] = more[x->nr_sources + 1] = NULL;
	if (config_absolute(rd->name, text, &more[x->nr_sources]))
		return reader_fail_memory(rd);
	x->nr_sources++;
	return 0;
}

static int read_source(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = { { "file", read_source_file } };
	size_t before = ((struct settings_reading *)into)->nr_sources;
	unsigned line = reader_line(rd);
	int r;

	if (reader_at_word(rd))
		return read_source_file(rd, into);
	r = reader_mapping(rd, fields, NR(fields), into);
	if (!r && ((struct settings_reading *)into)->nr_sources == before)
		return reader_fail_at(rd, line, "\"file\" is missing");
	return r;
}

static int read_sources(struct reader *rd, void *into)
{
	return reader_list(rd, read_source, into);
}

static int read_services(struct reader *rd, void *into)
{
	return services_read(rd, &((struct settings_reading *)into)->services);
}

static int read_zone(struct reader *rd, void *into)
{
	return settings_read_zone(rd, ((struct settings_reading *)into)->config);
}

static int read_interfaces(struct reader *rd, void *into)
{
	return settings_read_interfaces(rd, ((struct settings_reading *)into)->config);
}

static int read_registries(struct reader *rd, void *into)
{
	return settings_read_registries(rd, ((struct settings_reading *)into)->config);
}

static int read_register(struct reader *rd, void *into)
{
	return settings_read_register(rd, ((struct settings_reading *)into)->config);
}

static int read_names(struct reader *rd, void *into)
{
	return settings_read_names(rd, ((struct settings_reading *)into)->config);
}

static int read_addresses(struct reader *rd, void *into)
{
	return settings_read_addresses(rd, ((struct settings_reading *)into)->config);
}

static int read_file_output(struct reader *rd, void *into)
{
	return scalar_path(rd, PATH_MAX_BYTES, &((struct settings_reading *)into)->config->file_output);
}

static const struct reader_field settings_fields[] = {
	{ "instance", read_instance },	     { "cgroup", read_cgroup },	    { "bpffs", read_bpffs },
	{ "socket", read_socket },	     { "metrics", read_metrics },   { "audit", read_audit },
	{ "limits", read_limits },	     { "zone", read_zone },	    { "interfaces", read_interfaces },
	{ "sources", read_sources },	     { "services", read_services }, { "registries", read_registries },
	{ "register", read_register },	     { "names", read_names },	    { "addresses", read_addresses },
	{ "file-output", read_file_output },
};

static int fail_memory(const char *name, struct config_error *ret_error)
{
	return error_set(ret_error, -ENOMEM, name, 0, NULL, "not enough memory to read it");
}

static int read_settings(const char *name, struct reader_input *input, struct config **ret,
			 struct config_error *ret_error)
{
	_cleanup_(settings_reading_done) struct settings_reading x = { 0 };
	struct config *c;
	int r;

	x.config = c = calloc(1, sizeof(*c));
	if (!c)
		return fail_memory(name, ret_error);
	c->file = strdup(name);
	c->model = x.services.model = model_new();
	c->sources = calloc(1, sizeof(*c->sources));
	if (!c->file || !c->model || !c->sources)
		return fail_memory(name, ret_error);
	c->metrics_callers = c->metrics_endpoints = true;
	c->metrics_max_series = 100000;
	c->audit_ms = 60000;
#define X(key, field, def, min, max) c->limits.field = def;
	CONFIG_LIMITS(X)
#undef X
	r = reader_document(name, input, settings_fields, NR(settings_fields), &x, ret_error);
	if (!r)
		r = config_finish_registries(c, ret_error);
	if (r)
		return r;
	if (config_set_defaults(c))
		return fail_memory(name, ret_error);
	if (x.metrics_off)
		free(MOVE(c->metrics_listen, NULL));
	*ret = MOVE(x.config, NULL);
	return 0;
}

int config_parse(const char *name, const char *text, size_t len, struct config **ret, struct config_error *ret_error)
{
	struct reader_input in = { .text = text ? text : "", .len = len, .fd = -1 };

	return read_settings(name, &in, ret, ret_error);
}

int config_load(const char *file, struct config **ret, struct config_error *ret_error)
{
	_cleanup_(input_close) struct reader_input in = { .fd = -1 };
	int r;

	r = input_open(file, &in, ret_error);
	return r ? r : read_settings(file, &in, ret, ret_error);
}

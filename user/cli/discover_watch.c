/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft discover --watch: a line of JSON for each source or service that changed. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/discover.h"

/* Takes @line; prints it when it is another than the last one of @key. */
static void say(struct discover *x, const char *key, char *line)
{
	struct discover_said *s = NULL, *more;

	for (size_t i = 0; i < x->nr_said && !s; i++)
		if (!strcmp(x->said[i].key, key))
			s = &x->said[i];
	if (!s) {
		more = reallocarray(x->said, x->nr_said + 1, sizeof(*more));
		if (!more || !line) {
			free(line);
			return;
		}
		x->said = more;
		s = &more[x->nr_said++];
		*s = (struct discover_said){ .key = strdup(key) };
		if (!s->key) {
			x->nr_said--;
			free(line);
			return;
		}
	}
	if (!line || (s->line && !strcmp(s->line, line))) {
		free(line);
		return;
	}
	free(s->line);
	s->line = line;
	fprintf(x->out->to, "%s\n", line);
	fflush(x->out->to);
}

static int look(void *ctx, const struct source_view *v)
{
	struct discover *x = ctx;
	char key[WEFT_NAME_LEN + 32];

	if (!discover_wants(x, v->service))
		return 0;
	snprintf(key, sizeof(key), "%s %zu", v->service, v->index);
	say(x, key, discover_line(v));
	return 0;
}

char *discover_service_line(const struct service *s)
{
	json_t *list = json_array(), *addresses = json_array(), *j;
	char at[ADDR_TEXT_LEN], *text;

	for (size_t i = 0; i < s->nr_frontends; i++)
		json_array_append_new(addresses, json_string(addr_port_format(&s->frontends[i].addr,
									      s->frontends[i].port, at, sizeof(at))));
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];
		json_t *one = json_pack("{s:s s:i s:i s:b}", "address",
					addr_port_format(&e->addr, e->port, at, sizeof(at)), "weight", e->weight,
					"priority", e->priority, "ready", !e->unready);

		if (e->zone)
			json_object_set_new(one, "zone", json_string(e->zone));
		json_array_append_new(list, one);
	}
	j = json_pack("{s:s s:s* s:o s:o}", "service", s->name, "registry",
		      s->file && !strncmp(s->file, "registry ", 9) ? s->file + 9 : s->file, "addresses", addresses,
		      "endpoints", list);
	text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	return text;
}

/* Also that a service is gone. */
static void look_at_services(struct discover *x)
{
	_cleanup_(model_freep) struct model *m = NULL;

	if (discovery_model(x->discovery, x->written, &m))
		return;
	for (size_t i = 0; i < m->nr; i++)
		if (!model_find(x->written, m->services[i]->name) && discover_wants(x, m->services[i]->name))
			say(x, m->services[i]->name, discover_service_line(m->services[i]));
	for (size_t i = 0; i < x->nr_said; i++) {
		char *gone = NULL;

		if (strchr(x->said[i].key, ' ') || model_find(m, x->said[i].key))
			continue;
		if (asprintf(&gone, "{\"service\":\"%s\",\"gone\":true}", x->said[i].key) > 0)
			say(x, x->said[i].key, gone);
	}
}

void discover_look(struct discover *x)
{
	if (!x->watch || !x->discovery)
		return;
	discovery_each_source(x->discovery, look, x);
	look_at_services(x);
}

void discover_done(struct discover *x)
{
	for (size_t i = 0; i < x->nr_said; i++) {
		free(x->said[i].key);
		free(x->said[i].line);
	}
	free(x->said);
}

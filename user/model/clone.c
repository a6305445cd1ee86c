/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A copy of a service whose endpoints are not known yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/service.h"

static int copy(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int copy_words(char *const *words, char ***ret)
{
	size_t nr = 0;

	if (!words)
		return 0;
	while (words[nr])
		nr++;
	*ret = calloc(nr + 1, sizeof(char *));
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		if (copy(words[i], &(*ret)[i]))
			return -ENOMEM;
	return 0;
}

static int copy_check(const struct health_check *from, struct health_check *to)
{
	*to = *from;
	to->path = to->host = to->expect = to->grpc_service = to->ca_file = NULL;
	to->command = NULL;
	if (copy(from->path, &to->path) || copy(from->host, &to->host) || copy(from->expect, &to->expect) ||
	    copy(from->grpc_service, &to->grpc_service) || copy(from->ca_file, &to->ca_file))
		return -ENOMEM;
	return copy_words(from->command, &to->command);
}

static int copy_sources(const struct service *from, struct service *to)
{
	if (!from->nr_sources)
		return 0;
	to->sources = calloc(from->nr_sources, sizeof(*to->sources));
	if (!to->sources)
		return -ENOMEM;
	for (size_t i = 0; i < from->nr_sources; i++) {
		to->nr_sources++;
		to->sources[i].line = from->sources[i].line;
		if (copy(from->sources[i].registry, &to->sources[i].registry) ||
		    options_copy(&from->sources[i].options, &to->sources[i].options))
			return -ENOMEM;
	}
	return 0;
}

struct service *service_clone(const struct service *s)
{
	_cleanup_(service_unrefp) struct service *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = *s;
	c->refs = 1;
	c->name = c->file = NULL;
	c->frontends = NULL;
	c->endpoints = NULL;
	c->sources = NULL;
	c->nr_frontends = c->nr_endpoints = c->nr_sources = 0;
	c->frontends_capacity = c->endpoints_capacity = 0;
	memset(&c->check, 0, sizeof(c->check));
	if (copy_check(&s->check, &c->check) || copy(s->name, &c->name) || copy(s->file, &c->file) ||
	    copy_sources(s, c))
		return NULL;
	for (size_t i = 0; i < s->nr_frontends; i++)
		if (service_add_frontend(c, &s->frontends[i]))
			return NULL;
	return MOVE(c, NULL);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/settings.h"

static void free_texts(char **texts)
{
	for (char **text = texts; text && *text; text++)
		free(*text);
	free(texts);
}

static void free_registries(struct config *c)
{
	for (size_t i = 0; i < c->nr_registries; i++) {
		free(c->registries[i].name);
		free(c->registries[i].type);
		options_done(&c->registries[i].options);
	}
	free(c->registries);
	for (size_t i = 0; i < c->nr_announcements; i++) {
		free(c->announcements[i].name);
		free(c->announcements[i].registry);
		health_check_done(&c->announcements[i].check);
		options_done(&c->announcements[i].options);
	}
	free(c->announcements);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	free_registries(c);
	free_texts(c->sources);
	free_texts(c->links_include);
	free_texts(c->links_exclude);
	free(c->zone);
	free(c->addresses);
	free(c->names.suffix);
	free(c->file_output);
	free(c->file);
	free(c->instance);
	free(c->cgroup);
	free(c->bpffs);
	free(c->socket);
	free(c->metrics_listen);
	model_free(c->model);
	free(c);
}

static int set_default(char **value, const char *text)
{
	if (!*value)
		*value = strdup(text);
	return *value ? 0 : -ENOMEM;
}

/* A list with @first, or with nothing. */
static int set_default_list(char ***list, const char *first)
{
	if (*list)
		return 0;
	*list = calloc(2, sizeof(**list));
	if (!*list || (first && !((*list)[0] = strdup(first))))
		return -ENOMEM;
	return 0;
}

int config_set_defaults(struct config *c)
{
	char socket[64];

	if (set_default(&c->instance, "default") || set_default(&c->bpffs, "/sys/fs/bpf") ||
	    set_default(&c->metrics_listen, "127.0.0.1:9464"))
		return -ENOMEM;
	if (set_default_list(&c->links_include, "*") || set_default_list(&c->links_exclude, NULL))
		return -ENOMEM;
	if (set_default(&c->names.suffix, "weft.internal"))
		return -ENOMEM;
	if (!c->names.ttl_ms)
		c->names.ttl_ms = 5000;
	snprintf(socket, sizeof(socket), "/run/weft/%s.sock", c->instance);
	return set_default(&c->socket, socket);
}

/* Takes out "//" and "/./", so that one file has one spelling. ".." stays: behind a symbolic link it is not what it
 * looks like. */
static void tidy(char *path)
{
	char *to = path;

	for (const char *from = path; *from;) {
		if (from[0] == '/' && from[1] == '/')
			from++;
		else if (from[0] == '/' && from[1] == '.' && from[2] == '/')
			from += 2;
		else
			*to++ = *from++;
	}
	*to = '\0';
}

int config_absolute(const char *file, const char *pattern, char **ret)
{
	_cleanup_(freep) char *here = NULL;
	const char *slash = strrchr(file, '/');
	char *path;
	int n;

	if (*pattern != '/' && *file != '/') {
		here = realpath(".", NULL);
		if (!here)
			return errno == ENOMEM ? -ENOMEM : -ENOENT;
	}
	if (*pattern == '/')
		n = asprintf(&path, "%s", pattern);
	else
		n = asprintf(&path, "%s/%.*s/%s", here ? here : "", slash ? (int)(slash - file) : 0, file, pattern);
	if (n < 0)
		return -ENOMEM;
	tidy(path);
	*ret = path;
	return 0;
}

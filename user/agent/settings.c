/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/settings.h"
#include "base/cleanup.h"
#include "base/log.h"

static int copy_text(char **to, const char *from)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

int settings_take(struct settings *s, const struct agent_options *o, const struct config *c)
{
	s->limits = c->limits;
	if (copy_text(&s->instance, o->instance ? o->instance : c->instance) < 0 ||
	    copy_text(&s->bpffs, o->bpffs ? o->bpffs : c->bpffs) < 0 || copy_text(&s->cgroup, c->cgroup) < 0 ||
	    copy_text(&s->metrics_listen, c->metrics_listen) < 0)
		return -ENOMEM;
	/* The default of the socket follows the instance, also the one of the command line. */
	if (o->instance) {
		_cleanup_(freep) char *usual = NULL;

		if (asprintf(&usual, "/run/weft/%s.sock", c->instance) == -1) {
			usual = NULL;
			return -ENOMEM;
		}
		if (c->socket && strcmp(usual, c->socket) == 0)
			return asprintf(&s->socket, "/run/weft/%s.sock", o->instance) == -1 ? -ENOMEM : 0;
	}
	return copy_text(&s->socket, c->socket);
}

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{ "instance", offsetof(struct settings, instance) },
	{ "bpffs", offsetof(struct settings, bpffs) },
	{ "cgroup", offsetof(struct settings, cgroup) },
	{ "socket", offsetof(struct settings, socket) },
	{ "metrics.listen", offsetof(struct settings, metrics_listen) },
};

static const char *text_at(const struct settings *s, size_t offset)
{
	return *(char *const *)(const void *)((const char *)s + offset);
}

static bool differs(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

/* A key whose value in the file is neither the one read before nor the one in force. */
static void say_restart(const char *key)
{
	log_msg(LOG_L_WARNING, "%s changed in the file; this takes effect after a restart", key);
}

void settings_compare(const struct settings *running, const struct settings *before, const struct settings *now)
{
	const size_t nr = sizeof(keys) / sizeof(keys[0]);

	for (size_t i = 0; i < nr; i++) {
		const char *value = text_at(now, keys[i].offset);

		if (differs(value, text_at(before, keys[i].offset)) && differs(value, text_at(running, keys[i].offset)))
			say_restart(keys[i].name);
	}
	if (memcmp(&before->limits, &now->limits, sizeof(now->limits)) != 0 &&
	    memcmp(&running->limits, &now->limits, sizeof(now->limits)) != 0)
		say_restart("limits");
}

void settings_done(struct settings *s)
{
	free(s->instance);
	free(s->bpffs);
	free(s->cgroup);
	free(s->socket);
	free(s->metrics_listen);
	*s = (struct settings){ 0 };
}

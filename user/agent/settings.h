/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Settings that are in force from start to end; the file may say otherwise meanwhile. Inside agent/ only. */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H

#include "agent/agent.h"
#include "config/config.h"

struct settings {
	char *instance, *bpffs, *socket;
	char *cgroup;	      /* NULL: to be found */
	char *metrics_listen; /* NULL: off */
	struct config_limits limits;
};

/* Copies them from @c; the command line goes before the file. 0 or -ENOMEM (settings_done() then, too). */
int settings_take(struct settings *s, const struct agent_options *o, const struct config *c);
/* Warns of each key of @now that is neither as in @before, the file last time, nor as in @running. */
void settings_compare(const struct settings *running, const struct settings *before, const struct settings *now);
void settings_done(struct settings *s);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft discover, and what it prints while it watches. Inside cli/ only. */
#ifndef CLI_DISCOVER_H
#define CLI_DISCOVER_H

#include <stdbool.h>
#include <uv.h>

#include "cli/out.h"
#include "discovery/discovery.h"

/* What was printed of one source or service. */
struct discover_said {
	char *key, *line;
};

struct discover {
	uv_loop_t loop;
	uv_timer_t timer;
	uv_signal_t signal[2];
	struct discovery *discovery;
	const struct model *written;
	struct out *out;
	const char *const *words; /* services that are asked for; none: all */
	int nr_words;
	bool watch;
	uint64_t since, wait_ms;
	unsigned unanswered;
	struct discover_said *said;
	size_t nr_said;
};

/* No names: all are. */
bool discover_wants(const struct discover *x, const char *service);

/* A source as one line of JSON; free() it. NULL: no memory. */
char *discover_line(const struct source_view *v);
/* A service of a registry that yields whole ones, likewise. */
char *discover_service_line(const struct service *s);

/* With --watch: prints the lines that changed. */
void discover_look(struct discover *x);
void discover_done(struct discover *x);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where endpoints of a service come from besides its file: an entry of its `discover:`. */
#ifndef MODEL_SOURCE_H
#define MODEL_SOURCE_H

#include "model/options.h"

struct source {
	char *registry; /* name of one in `registries:` */
	struct options options;
	unsigned line;
};

/* How the endpoints of several sources, and those of the file behind them, become one list. */
enum combine {
	COMBINE_UNION,	  /* all; of two alike the first one counts */
	COMBINE_FIRST,	  /* those of the first source that has one in use */
	COMBINE_OVERRIDE, /* all; of two alike the last one counts */
};

void source_done(struct source *s);
bool sources_equal(const struct source *a, size_t nr_a, const struct source *b, size_t nr_b);
const char *combine_name(unsigned combine);

#endif

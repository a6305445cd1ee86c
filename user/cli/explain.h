/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The parts of `weft explain`. Inside cli/ only. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/report.h"

struct steps {
	struct out *o;
	unsigned nr;
};

/* Numbered for people and programs alike: problems are told as "see step 3". */
#define STEP(s, fmt, ...) out_note((s)->o, "steps", "%u. " fmt, ++(s)->nr, ##__VA_ARGS__)

/* May the connect go out at all: breaker, limits, rate. NULL: yes; else why not, "since ...". */
const char *explain_admission(const struct view *v, const struct weft_spec *spec, struct steps *s);
/* Which level gets how much, and whether there is panic. */
void explain_levels(const struct view *v, const struct weft_spec *spec, struct steps *s);

/* Would the kernel take this endpoint now, but for bits @overlook of its .out? */
bool explain_usable(const struct view *v, const struct weft_spec *spec, uint32_t id, uint32_t overlook);
/* How many endpoints it would take; the one, when there is one, in *ret_last. */
size_t explain_count(const struct view *v, const struct weft_spec *spec, uint32_t overlook, uint32_t *ret_last);
/* Every endpoint with the figures that are compared, and why it is out. @panic: ejected and unhealthy ones are tried.
 */
void explain_candidates(const struct view *v, const struct weft_spec *spec, bool panic, struct out *o);

#endif

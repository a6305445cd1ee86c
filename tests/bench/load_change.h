/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One endpoint of one service changes, again and again: file in place -> service published anew. */
#ifndef BENCH_LOAD_CHANGE_H
#define BENCH_LOAD_CHANGE_H

#include "load_agent.h"
#include "report.h"

struct changes {
	struct agent *agent;
	struct yaml_text *texts; /* one with all services, or one for each */
	uint32_t nr_texts;
	const char *place; /* the one file, or the folder of the files */
	const char *aside; /* where a file is written before it is moved */
	const char *row;
	uint64_t gap_ns; /* quiet before each change, and up to a quarter more; 0: back to back */
	unsigned max;
};

static inline void changes_report(const struct changes *c, struct samples *s)
{
	samples_sort(s);
	if (!s->nr)
		return;
	report_one("change", c->row, "p50", "ms", samples_at(s, 0.5) / 1e3, "<= 5");
	report_one("change", c->row, "p99", "ms", samples_at(s, 0.99) / 1e3, "<= 5");
	report_one("change", c->row, "max", "ms", samples_at(s, 1) / 1e3, "");
	report_one("change", c->row, "changes", "", (double)s->nr, "");
}

static inline int changes(const struct changes *c)
{
	uint64_t at = 0, seen = 0, seed = 42;
	uint32_t services = c->nr_texts == 1 ? c->texts->nr : c->nr_texts;
	struct samples s;
	char path[1200];
	int r = samples_init(&s, c->max);

	for (unsigned n = 0; !r && n < c->max; n++) {
		uint32_t i = (uint32_t)(random_next(&seed) >> 33) % services;
		struct yaml_text *y = c->nr_texts == 1 ? c->texts : &c->texts[i];

		if (c->gap_ns)
			sleep_ns(c->gap_ns + random_next(&seed) % (c->gap_ns / 4));
		if (c->nr_texts == 1)
			snprintf(path, sizeof(path), "%s", c->place);
		else
			snprintf(path, sizeof(path), "%s/%06u.yaml", c->place, i);
		yaml_text_flip(y, i);
		r = yaml_text_save(y, c->aside, path, &at);
		if (!r)
			r = agent_wait_change(c->agent, i, &seen);
		if (!r)
			samples_add(&s, (seen - at) / 1000);
	}
	if (!r)
		changes_report(c, &s);
	free(s.ns);
	return r ? log_err(r, "%s", c->row) : 0;
}

#endif

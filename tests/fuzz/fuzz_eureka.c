/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fuzzes what Eureka may answer: lines, of which the first is all there is and the others are changes. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/eureka_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct eureka_table *t, const struct eureka_filter *filter)
{
	struct found f = { 0 };
	char hash[64];
	size_t odd;

	for (size_t i = 1; i < t->nr; i++) {
		int order = strcasecmp(t->at[i - 1].app, t->at[i].app);

		if (order > 0 || (!order && strcmp(t->at[i - 1].id, t->at[i].id) >= 0) || t->at[i].deleted)
			abort();
	}
	eureka_hash(t, hash, sizeof(hash));
	if (eureka_found(t, filter, &f, &odd) == 0 && f.nr + odd > t->nr)
		abort();
	for (size_t i = 0; i < f.nr; i++)
		if (!f.at[i].endpoint.port)
			abort();
	found_done(&f);
}

static void take(const char *line, bool delta, struct eureka_table *t)
{
	struct eureka_reader r = { 0 };
	size_t len = strlen(line), first = len / 3;

	eureka_reader_begin(&r);
	if (!eureka_reader_feed(&r, line, first) && !eureka_reader_feed(&r, line + first, len - first)) {
		if (delta)
			eureka_reader_delta(&r, t);
		else
			eureka_reader_all(&r, t);
	}
	eureka_reader_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1);
	struct eureka_table t = { 0 };
	bool first = true;
	char *save;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		take(line, !first, &t);
		first = false;
		look(&t, &(struct eureka_filter){ .app = "WEB" });
		look(&t, &(struct eureka_filter){ .vip = "v", .secure = true });
	}
	eureka_table_done(&t);
	return 0;
}

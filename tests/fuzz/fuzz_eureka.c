/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fuzzes what Eureka may answer: lines, of which the first is all there is and the others are changes. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/eureka_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct eureka_table *t, const struct eureka_filter *filter)
{
	struct found f = { 0 };
	char hash[64];
	size_t odd;

	for (size_t i = 1; i < t->nr; i++)
		if (strcasecmp(t->at[i - 1].app, t->at[i].app) > 0)
			abort();
	eureka_hash(t, hash, sizeof(hash));
	if (eureka_found(t, filter, &f, &odd) == 0 && f.nr + odd > t->nr)
		abort();
	for (size_t i = 0; i < f.nr; i++)
		if (!f.at[i].endpoint.port)
			abort();
	found_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1);
	struct eureka_table t = { 0 };
	struct eureka_news news;
	bool first = true;
	char *save;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (first)
			eureka_read_all(line, strlen(line), &t, &news);
		else
			eureka_read_delta(line, strlen(line), &t, &news);
		first = false;
		look(&t, &(struct eureka_filter){ .app = "WEB" });
		look(&t, &(struct eureka_filter){ .vip = "v", .secure = true });
	}
	eureka_table_done(&t);
	return 0;
}

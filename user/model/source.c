/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "model/source.h"

void source_done(struct source *s)
{
	free(s->registry);
	options_done(&s->options);
	*s = (struct source){ 0 };
}

bool sources_equal(const struct source *a, size_t nr_a, const struct source *b, size_t nr_b)
{
	if (nr_a != nr_b)
		return false;
	for (size_t i = 0; i < nr_a; i++)
		if (strcmp(a[i].registry, b[i].registry) || !options_equal(&a[i].options, &b[i].options))
			return false;
	return true;
}

const char *combine_name(unsigned combine)
{
	static const char *const names[] = { "union", "first", "override" };

	return combine < sizeof(names) / sizeof(names[0]) ? names[combine] : "unknown";
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "telemetry/metrics.h"
#include "telemetry/page.h"

int metrics_write(const struct maps *m, const struct metrics_options *o, FILE *out)
{
	_cleanup_(page_freep) struct page *p = NULL;
	int r;

	r = page_collect(m, o, &p);
	return r < 0 ? r : page_write(p, out);
}

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
					     : "text/plain; version=0.0.4; charset=utf-8";
}

/* Quality of a media range in thousandths: its q parameter, 1000 without. */
static unsigned quality(const char *range, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++) {
		if (range[i] != ';')
			continue;
		for (i++; i < len && (range[i] == ' ' || range[i] == '\t'); i++)
			;
		if (i + 2 < len && (range[i] == 'q' || range[i] == 'Q') && range[i + 1] == '=') {
			double q = strtod(range + i + 2, NULL);

			return q >= 1 ? 1000 : q > 0 ? (unsigned)(q * 1000) : 0;
		}
		i--;
	}
	return 1000;
}

static bool is_range(const char *range, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len >= n && strncasecmp(range, name, n) == 0 && (len == n || strchr("; \t", range[n]));
}

enum metrics_format metrics_negotiate(const char *accept)
{
	unsigned open = 0, plain = 0, any = 0;

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");
		const char *range = accept + strspn(accept, " \t");
		size_t n = range < accept + len ? (size_t)(accept + len - range) : 0;
		unsigned q = quality(range, n);

		if (is_range(range, n, "application/openmetrics-text"))
			open = q > open ? q : open;
		else if (is_range(range, n, "text/plain"))
			plain = q > plain ? q : plain;
		else if (is_range(range, n, "*/*") || is_range(range, n, "text/*"))
			any = q > any ? q : any;
		accept += len + (accept[len] == ',');
	}
	/* Who does not name OpenMetrics may not know it. */
	return open && open >= plain && open >= any ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* docs/METRICS.md and the dashboard against the list of families in the code. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "telemetry/prom.h"
#include "unit.h"

static char *read_text(const char *path)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;

	ck_assert_msg(f, "cannot open %s; run the tests in the top folder", path);
	ck_assert_int_ge(getdelim(&text, &len, '\0', f), 0);
	return text;
}

/* The page of the manual has a row for each family and none besides; the rows say what the code says. */
START_TEST(docs_have_every_family_and_no_other)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "info" };
	_cleanup_(freep) char *docs = read_text("docs/METRICS.md");
	unsigned rows = 0;

	for (int i = 0; i < METRICS_FAMILY_MAX; i++) {
		const struct metrics_family_row *f = &metrics_families[i];
		char row[1024];

		snprintf(row, sizeof(row), "\n| `%s%s` | %s | %s | %s |\n", f->name,
			 f->type == METRICS_COUNTER ? "_total" : "", types[f->type], *f->labels ? f->labels : "-",
			 f->help);
		ck_assert_msg(strstr(docs, row), "docs/METRICS.md lacks the row%s", row);
	}
	for (const char *at = docs; (at = strstr(at, "\n| `weft_")); at++)
		rows++;
	ck_assert_msg(rows == METRICS_FAMILY_MAX, "docs/METRICS.md has %u rows of metrics, the code has %d", rows,
		      METRICS_FAMILY_MAX);
}
END_TEST

/* Is @name, of @len bytes, a series of a family of ours? */
static bool is_series(const char *name, size_t len)
{
	static const char *const suffixes[] = { "", "_total", "_bucket", "_sum", "_count" };

	for (int i = 0; i < METRICS_FAMILY_MAX; i++) {
		size_t n = strlen(metrics_families[i].name);

		if (len < n || memcmp(name, metrics_families[i].name, n) != 0)
			continue;
		for (size_t k = 0; k < sizeof(suffixes) / sizeof(suffixes[0]); k++)
			if (len - n == strlen(suffixes[k]) && memcmp(name + n, suffixes[k], len - n) == 0)
				return true;
	}
	return false;
}

START_TEST(dashboard_asks_for_what_there_is)
{
	_cleanup_(freep) char *text = read_text("deploy/grafana-dashboard.json");
	unsigned nr = 0;

	for (const char *at = text; (at = strstr(at, "weft_")); nr++) {
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

		ck_assert_msg(is_series(at, len), "the dashboard asks for %.*s, which is no metric", (int)len, at);
		at += len;
	}
	ck_assert_uint_gt(nr, 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics_docs");
	TCase *t = tcase_create("metrics_docs");

	tcase_add_test(t, docs_have_every_family_and_no_other);
	tcase_add_test(t, dashboard_asks_for_what_there_is);
	suite_add_tcase(s, t);
	return unit_run(s);
}

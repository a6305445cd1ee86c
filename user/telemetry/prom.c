/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "telemetry/prom.h"

const struct metrics_family_row metrics_families[METRICS_FAMILY_MAX] = {
#define X(id, name, type, unit, labels, help) [METRICS_##id] = { name, METRICS_##type, unit, labels, help },
	METRICS_FAMILIES(X)
#undef X
};

/* The info type is OpenMetrics' own; there, the family is called without "_info". */
static void family_name(struct prom *p)
{
	const char *name = p->family->name;
	size_t len = strlen(name);

	if (p->family->type == METRICS_INFO && p->format == METRICS_OPENMETRICS)
		len -= strlen("_info");
	fwrite(name, 1, len, p->out);
	if (p->family->type == METRICS_COUNTER && p->format == METRICS_PROMETHEUS)
		fputs("_total", p->out);
}

void prom_family(struct prom *p, enum metrics_family id)
{
	static const char *const words[] = { "counter", "gauge", "histogram", "info" };
	const char *type;

	p->family = &metrics_families[id];
	type = p->format == METRICS_PROMETHEUS && p->family->type == METRICS_INFO ? "gauge" : words[p->family->type];
	fputs("# HELP ", p->out);
	family_name(p);
	fprintf(p->out, " %s\n# TYPE ", p->family->help);
	family_name(p);
	fprintf(p->out, " %s\n", type);
	if (*p->family->unit && p->format == METRICS_OPENMETRICS) {
		fputs("# UNIT ", p->out);
		family_name(p);
		fprintf(p->out, " %s\n", p->family->unit);
	}
}

/* A page must be UTF-8 and paths need not be: everything but printable ASCII goes out as systemd writes it, \xNN. */
static void escape(FILE *out, const char *text)
{
	for (const char *s = text; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\\')
			fputs("\\\\", out);
		else if (c == '"')
			fputs("\\\"", out);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c > 0x7e)
			fprintf(out, "\\\\x%02x", c);
		else
			putc_unlocked(c, out);
	}
}

/* Writes name, suffix and labels, @le as the last of them when it is given. */
static void sample(struct prom *p, const char *suffix, const struct prom_label *labels, const char *le)
{
	char before = '{';

	fputs(p->family->name, p->out);
	fputs(suffix, p->out);
	for (const struct prom_label *l = labels; l && l->name; l++) {
		putc_unlocked(before, p->out);
		fputs(l->name, p->out);
		fputs("=\"", p->out);
		escape(p->out, l->value);
		putc_unlocked('"', p->out);
		before = ',';
	}
	if (le) {
		fprintf(p->out, "%cle=\"%s\"", before, le);
		before = ',';
	}
	fputs(before == ',' ? "} " : " ", p->out);
}

void prom_u64(struct prom *p, const struct prom_label *labels, uint64_t value)
{
	sample(p, p->family->type == METRICS_COUNTER ? "_total" : "", labels, NULL);
	fprintf(p->out, "%" PRIu64 "\n", value);
}

void prom_seconds(struct prom *p, const struct prom_label *labels, double value)
{
	sample(p, p->family->type == METRICS_COUNTER ? "_total" : "", labels, NULL);
	fprintf(p->out, "%.6f\n", value);
}

void prom_hist(struct prom *p, const struct prom_label *labels, const __u64 *bucket, uint64_t sum_us)
{
	uint64_t count = 0, below = 0;
	char le[32];

	for (int i = 0; i < WEFT_HIST; i++)
		count += bucket[i];
	if (!count)
		return;
	for (int i = 0; i < WEFT_HIST; i++) {
		below += bucket[i];
		/* Times were cut to whole microseconds: less than 2^(i+1) of them is what le says. */
		if (i < WEFT_HIST - 1)
			snprintf(le, sizeof(le), "%.9g", (double)(2ull << i) / 1e6);
		else
			snprintf(le, sizeof(le), "+Inf");
		sample(p, "_bucket", labels, le);
		fprintf(p->out, "%" PRIu64 "\n", below);
	}
	sample(p, "_sum", labels, NULL);
	fprintf(p->out, "%" PRIu64 ".%06u\n", sum_us / 1000000, (unsigned)(sum_us % 1000000));
	sample(p, "_count", labels, NULL);
	fprintf(p->out, "%" PRIu64 "\n", count);
}

int prom_end(struct prom *p)
{
	if (p->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", p->out);
	return fflush(p->out) == 0 && !ferror(p->out) ? 0 : -EIO;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the formats share: choosing one, values as people read them, and the text that no format changes. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"

const struct out_ops *const out_formats[] = { &out_text_ops, &out_wide_ops, &out_json_ops, NULL };

struct out *out_new(const char *format, FILE *to, FILE *err)
{
	const struct out_ops *const *ops = out_formats;
	struct out *o;

	while (format && *ops && strcmp((*ops)->name, format) != 0)
		ops++;
	if (!*ops)
		return NULL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->state = calloc(1, (*ops)->state_size);
	if (!o->state) {
		free(o);
		return NULL;
	}
	o->ops = *ops;
	o->to = to;
	o->err = err;
	return o;
}

void out_free(struct out *o)
{
	if (!o)
		return;
	free(o->state);
	free(o);
}

void out_field(struct out *o, const char *key, const char *label, struct out_value v)
{
	o->ops->field(o, key, label ? label : key, v);
}

void out_table(struct out *o, const char *key, const char *title, const struct out_column *columns, size_t nr)
{
	o->ops->table(o, key, title, columns, nr);
}

void out_cell(struct out *o, struct out_value v)
{
	o->ops->cell(o, v);
}

void out_end(struct out *o)
{
	o->ops->end(o);
}

void out_note(struct out *o, const char *key, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		o->failed = -ENOMEM;
		return;
	}
	o->ops->note(o, key, text);
	free(text);
}

int out_finish(struct out *o)
{
	o->ops->finish(o);
	errno = 0;
	if ((fflush(o->to) == EOF || ferror(o->to)) && !o->failed)
		o->failed = errno ? -errno : -EIO;
	return o->failed;
}

void out_raw(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(o->to, fmt, ap);
	va_end(ap);
}

int out_error(struct out *o, const char *fmt, ...)
{
	va_list ap;

	fputs("weft: ", o->err);
	va_start(ap, fmt);
	vfprintf(o->err, fmt, ap);
	va_end(ap);
	fputc('\n', o->err);
	return 1;
}

static void human_seconds(double s, char *text, size_t len)
{
	if (s < 0)
		s = 0;
	if (s < 0.001)
		snprintf(text, len, "%.0f us", s * 1e6);
	else if (s < 0.01)
		snprintf(text, len, "%.2f ms", s * 1e3);
	else if (s < 1)
		snprintf(text, len, "%.0f ms", s * 1e3);
	else if (s < 10)
		snprintf(text, len, "%.1f s", s);
	else if (s < 120)
		snprintf(text, len, "%.0f s", s);
	else if (s < 7200)
		snprintf(text, len, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(text, len, "%.0f h", s / 3600);
	else
		snprintf(text, len, "%.0f d", s / 86400);
}

static void human_bytes(int64_t bytes, char *text, size_t len)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double b = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(text, len, "%" PRId64 " B", bytes);
		return;
	}
	while (b >= 1024 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		b /= 1024;
		i++;
	}
	snprintf(text, len, "%.1f %s", b, unit[i]);
}

static void human_list(struct out_value v, char *text, size_t len)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < v.list.nr && used < len; i++) {
		int n = snprintf(text + used, len - used, "%s%s", i ? "," : "", v.list.item[i]);

		if (n < 0)
			return;
		used += (size_t)n;
	}
}

const char *out_human(struct out_value v, char *text, size_t len)
{
	if (v.words) {
		snprintf(text, len, "%s", v.words);
		return text;
	}
	switch (v.kind) {
	case OUT_NONE:
		snprintf(text, len, "-");
		break;
	case OUT_TEXT:
		snprintf(text, len, "%s", v.text);
		break;
	case OUT_BOOL:
		snprintf(text, len, "%s", v.yes ? "yes" : "no");
		break;
	case OUT_INT:
		snprintf(text, len, "%" PRId64, v.number);
		break;
	case OUT_REAL:
		snprintf(text, len, "%.3f", v.real);
		break;
	case OUT_US:
		human_seconds((double)v.number / 1e6, text, len);
		break;
	case OUT_SECONDS:
		human_seconds(v.real, text, len);
		break;
	case OUT_BYTES:
		human_bytes(v.number, text, len);
		break;
	case OUT_PERCENT:
		snprintf(text, len, "%.1f", v.real);
		break;
	case OUT_LIST:
		if (v.list.nr)
			human_list(v, text, len);
		else
			snprintf(text, len, "-");
		break;
	}
	return text;
}

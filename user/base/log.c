/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static enum log_level max_level = LOG_L_INFO;
static bool journal;

void log_init(void)
{
	const char *want = getenv("WEFT_LOG");

	journal = getenv("JOURNAL_STREAM") != NULL;
	if (!want)
		return;
	if (strcmp(want, "debug") == 0)
		max_level = LOG_L_DEBUG;
	else if (strcmp(want, "warning") == 0)
		max_level = LOG_L_WARNING;
	else if (strcmp(want, "error") == 0)
		max_level = LOG_L_ERROR;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log_get_level(void)
{
	return max_level;
}

void log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	const char *word = level == LOG_L_ERROR ? "error: " : level == LOG_L_WARNING ? "warning: " : "";
	char line[2048];

	if (level > max_level)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (journal)
		fprintf(stderr, "<%d>%s\n", (int)level, line);
	else
		fprintf(stderr, "weft: %s%s\n", word, line);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}

const char *log_strerror(int r)
{
	if (r == -524) /* the kernel's own; it has no name in errno.h */
		return "not supported by this kernel (ENOTSUPP)";
	return strerror(r < 0 ? -r : r);
}

int log_err(int r, const char *fmt, ...)
{
	char text[1536];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_msg(LOG_L_ERROR, "%s: %s", text, log_strerror(r));
	return r;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Files and refusals, for the tests of config/. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"

/* The whole of a file, NUL terminated. */
static inline char *slurp(const char *path, size_t *ret_len)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);
	size_t len;

	ck_assert_msg(f && text, "%s: cannot be read", path);
	len = fread(text, 1, (1 << 20) - 1, f);
	if (ret_len)
		*ret_len = len;
	return text;
}

static inline void spill(const char *path, const char *text, size_t len)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "we");

	ck_assert_msg(f && fwrite(text, 1, len, f) == len, "%s: cannot be written", path);
}

/* @text with each @from as @to. */
static inline char *replace(const char *text, const char *from, const char *to)
{
	char *result = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&result, &len);
	const char *at;

	while ((at = strstr(text, from))) {
		fwrite(text, 1, (size_t)(at - text), out);
		fputs(to, out);
		text = at + strlen(from);
	}
	fputs(text, out);
	fclose(out);
	return result;
}

/* What is wrong with a file, as one line; fails when nothing is. */
static inline char *refusal(const char *path)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char line[8192], text[8193];
	struct config_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = config_load(path, &c, &e);
	if (r)
		ck_assert_ptr_null(c);
	else
		r = config_seal(c->model, &e);
	if (!r)
		r = config_check_registries(c, c->model, &e);
	ck_assert_msg(r < 0, "%s was accepted", path);
	config_error_format(&e, line, sizeof(line));
	for (const char *at = line; *at; at++)
		ck_assert_msg(*at >= ' ' && *at <= '~', "%s: byte 0x%02x in a message", path, (unsigned char)*at);
	snprintf(text, sizeof(text), "%s\n", line);
	return replace(text, path, "FILE");
}

#endif

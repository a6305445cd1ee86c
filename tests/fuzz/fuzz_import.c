/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fuzzes the import of Synapse's and Nerve's files. What is refused must say why in one printable line; what is
 * accepted must be a configuration that weft's own reader accepts, and the same again when it is done again. A line
 * "%%" splits the input into a file and one of its service_conf_dir.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool truth, const char *what, const char *text)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_import: %s: %s\n", what, text);
	abort();
}

static void check_printable(const char *text)
{
	for (const char *at = text; *at; at++)
		need(*at >= ' ' && *at <= '~', "a byte that is not printable", text);
}

static void check_remarks(const struct import *x)
{
	const struct import_remark *m;
	size_t nr;

	m = import_remarks(x, &nr);
	for (size_t i = 0; i < nr; i++) {
		need(*m[i].text, "a remark without a text", m[i].key);
		check_printable(m[i].text);
		check_printable(m[i].key);
		check_printable(m[i].file);
	}
}

static char *convert(const struct import_part *file, const struct import_part *service, size_t nr)
{
	_cleanup_(import_freep) struct import *x = import_new();
	_cleanup_(freep) char *dir = NULL;
	char *text = NULL, line[8192];
	struct config_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = import_conf_dir(file, &dir, &e);
	if (!r)
		r = import_add(x, file, service, nr, &e);
	if (!r)
		r = import_finish(x, &text, &e);
	check_remarks(x);
	need(r <= 0 && !r == (text != NULL), "a result that is neither 0 nor an errno", "");
	if (!r)
		return text;
	config_error_format(&e, line, sizeof(line));
	need(*e.text, "no sentence", line);
	check_printable(line);
	need(r != -EBADMSG, "what was made is no configuration", line);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *split = memmem(data, size, "\n%%\n", 4);
	size_t len = split ? (size_t)(split - (const char *)data) : size, rest = split ? size - len - 4 : 0;
	_cleanup_(freep) char *first = malloc(len ? len : 1), *second = malloc(rest ? rest : 1); /* exactly as long */
	_cleanup_(freep) char *one = NULL, *two = NULL;
	struct import_part file = { .name = "file", .text = first, .len = len };
	struct import_part service = { .name = "service", .text = second, .len = rest, .service = "web" };

	memcpy(first, data, len);
	if (split)
		memcpy(second, split + 4, rest);
	one = convert(&file, &service, split != NULL);
	two = convert(&file, &service, split != NULL);
	need(!one == !two && (!one || !strcmp(one, two)), "it is not the same again", one ? one : "");
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fuzzes both readers of configuration. What is refused must say why in one printable line; what is accepted must
 * survive its own normal form. Run: fuzz_config -dict=tests/fuzz/config.dict FOLDER tests/fuzz/seeds/config
 * tests/config/bad tests/config/good
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_config: %s\n", what);
	abort();
}

static void check_refusal(int r, const struct config_error *e)
{
	char line[8192];

	need(r < 0, "a result that is neither 0 nor an errno");
	need(*e->text, "no sentence");
	config_error_format(e, line, sizeof(line));
	for (const char *at = line; *at; at++)
		need(*at >= ' ' && *at <= '~', "a message with a byte that is not printable");
}

static char *normal_form(const struct config *c, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	config_dump(c, c->model, out);
	fclose(out);
	return text;
}

static void check_normal_form(const struct config *c)
{
	_cleanup_(config_freep) struct config *again = NULL;
	_cleanup_(freep) char *first = NULL, *second = NULL;
	size_t len = 0, len_again = 0;
	struct config_error e;

	first = normal_form(c, &len);
	need(!config_parse("/normal/form", first, len, &again, &e), "the normal form was refused");
	need(!config_seal(again->model, &e), "the normal form collides");
	second = normal_form(again, &len_again);
	need(len == len_again && !memcmp(first, second, len), "the normal form is not stable");
	need(c->model->nr == again->model->nr, "services were lost");
	for (size_t i = 0; i < c->model->nr; i++)
		need(service_equal(c->model->services[i], again->model->services[i]), "a service changed");
}

static void try_settings(const char *text, size_t size)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = config_parse("/fuzz", text, size, &c, &e);
	if (!r)
		r = config_seal(c->model, &e);
	if (!r)
		r = config_check_registries(c, c->model, &e);
	if (!r)
		r = config_check_addresses(c, c->model, &e);
	if (r)
		check_refusal(r, &e);
	else
		check_normal_form(c);
}

static void try_services(const char *text, size_t size)
{
	_cleanup_(model_freep) struct model *m = model_new();
	struct config_limits limits = { 10, 10, 10, 10, 100000, 10, 10, 10, 10 };
	struct config_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = config_parse_services("/fuzz", text, size, m, &e);
	need(!r || !m->nr, "services of a text that was refused");
	if (!r)
		r = config_seal(m, &e);
	if (!r)
		r = config_fits(m, &limits, &e);
	if (r)
		check_refusal(r, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size ? size : 1); /* exactly as long: an overrun is seen */

	memcpy(text, data, size);
	try_settings(text, size);
	try_services(text, size);
	return 0;
}

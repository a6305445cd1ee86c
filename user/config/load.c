/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Service files: documents with the one key "services". */
#include <errno.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/input.h"
#include "config/services.h"

static int read_services(struct reader *rd, void *into)
{
	return services_read(rd, into);
}

/* Adds all of @from to @to, or none. */
static int move_services(struct model *to, const struct model *from)
{
	size_t before = to->nr;

	for (size_t i = 0; i < from->nr; i++) {
		if (!model_add(to, from->services[i]))
			continue;
		while (to->nr > before)
			service_unref(to->services[--to->nr]);
		return -ENOMEM;
	}
	return 0;
}

static int read_file(const char *name, struct reader_input *input, struct model *m, struct config_error *ret_error)
{
	static const struct reader_field fields[] = { { "services", read_services } };
	_cleanup_(services_reading_done) struct services_reading x = { 0 };
	_cleanup_(model_freep) struct model *fresh = model_new();
	int r;

	if (!fresh)
		return error_set(ret_error, -ENOMEM, name, 0, NULL, "not enough memory to read it");
	x.model = fresh;
	r = reader_document(name, input, fields, 1, &x, ret_error);
	if (r)
		return r;
	if (move_services(m, fresh))
		return error_set(ret_error, -ENOMEM, name, 0, NULL, "not enough memory to read it");
	return 0;
}

int config_parse_services(const char *name, const char *text, size_t len, struct model *m,
			  struct config_error *ret_error)
{
	struct reader_input in = { .text = text ? text : "", .len = len, .fd = -1 };

	return read_file(name, &in, m, ret_error);
}

int config_load_services(const char *file, struct model *m, struct config_error *ret_error)
{
	_cleanup_(input_close) struct reader_input in = { .fd = -1 };
	int r;

	r = input_open(file, &in, ret_error);
	return r ? r : read_file(file, &in, m, ret_error);
}

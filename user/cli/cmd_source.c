/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft source list: what the agent asks of registries, and what became of it. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/agent_get.h"
#include "cli/cmd.h"
#include "cli/report.h"

static const struct out_column registry_columns[] = {
	{ "name", "REGISTRY", 0 },
	{ "type", "TYPE", 0 },
	{ "up", "UP", 0 },
	{ "heard_seconds", "HEARD", OUT_RIGHT },
	{ "answers", "ANSWERS", OUT_RIGHT },
	{ "failures", "FAILURES", OUT_RIGHT },
	{ "odd", "ODD", OUT_RIGHT },
	{ "sources", "SOURCES", OUT_RIGHT },
	{ "services", "SERVICES", OUT_RIGHT },
	{ "error", "ERROR", 0 },
};
static const struct out_column source_columns[] = {
	{ "service", "SERVICE", 0 },	{ "source", "SOURCE", OUT_RIGHT },	 { "registry", "REGISTRY", 0 },
	{ "state", "STATE", 0 },	{ "endpoints", "ENDPOINTS", OUT_RIGHT }, { "age_seconds", "AGE", OUT_RIGHT },
	{ "error", "ERROR", OUT_WIDE },
};
static const struct out_column register_columns[] = {
	{ "service", "REGISTERED", 0 }, { "registry", "REGISTRY", 0 }, { "address", "ADDRESS", 0 },
	{ "state", "STATE", 0 },	{ "written", "WRITTEN", 0 },   { "error", "ERROR", 0 },
};

static struct out_value value(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);
	size_t len = strlen(key);

	if (json_is_boolean(v))
		return out_bool(json_is_true(v));
	if (json_is_string(v))
		return out_text(*json_string_value(v) ? json_string_value(v) : NULL);
	if (json_is_number(v) && len > 8 && !strcmp(key + len - 8, "_seconds"))
		return out_seconds(json_number_value(v));
	return json_is_integer(v) ? out_int(json_integer_value(v)) : out_none();
}

static int table(struct out *o, const json_t *root, const char *key, const struct out_column *columns, size_t nr)
{
	const json_t *list = json_object_get(root, key), *j;
	size_t i;

	if (!json_is_array(list))
		return -EPROTO;
	out_table(o, key, NULL, columns, nr);
	json_array_foreach(list, i, j)
	{
		for (size_t c = 0; c < nr; c++)
			out_cell(o, value(j, columns[c].key));
	}
	out_end(o);
	return 0;
}

int report_sources(const char *reply, size_t len, struct out *o)
{
	_cleanup_(json_decrefp) json_t *root = json_loadb(reply, len, 0, NULL);
	int r;

	r = table(o, root, "registries", registry_columns, sizeof(registry_columns) / sizeof(registry_columns[0]));
	if (!r)
		r = table(o, root, "sources", source_columns, sizeof(source_columns) / sizeof(source_columns[0]));
	if (!r && json_array_size(json_object_get(root, "register")))
		r = table(o, root, "register", register_columns,
			  sizeof(register_columns) / sizeof(register_columns[0]));
	return r;
}

int cmd_source_list(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(freep) char *reply = NULL;
	char socket[PATH_MAX];
	size_t len = 0;
	int r;

	if (cli->given & CLI_BIT(SOCKET))
		snprintf(socket, sizeof(socket), "%s", cli->value[CLI_SOCKET]);
	else
		snprintf(socket, sizeof(socket), "/run/weft/%s.sock", cli->value[CLI_INSTANCE]);
	r = agent_get(socket, "/registries", &reply, &len);
	if (r == -ECONNREFUSED)
		return out_error(cli->out, "no agent answers at %s; it is the agent that asks registries", socket);
	if (r == 0)
		r = report_sources(reply, len, cli->out);
	if (r < 0)
		return out_error(cli->out, "the agent at %s does not answer as one: %s", socket, log_strerror(r));
	return CLI_DONE;
}

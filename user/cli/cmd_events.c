/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft events [-f]: what the agent heard from the kernel, the newest last. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/agent_get.h"
#include "cli/cmd.h"
#include "cli/report.h"

#define FOLLOW_PAUSE_US 500000

static const struct out_column columns[] = {
	{ "time", "TIME", 0 },
	{ "time_unix", "", OUT_NEVER },
	{ "type", "EVENT", 0 },
	{ "service", "SERVICE", 0 },
	{ "endpoint", "ENDPOINT", 0 },
	{ "cause", "CAUSE", 0 },
	{ "ejections", "EJECTIONS", OUT_RIGHT },
	{ "error_percent", "ERROR%", OUT_RIGHT | OUT_WIDE },
	{ "until", "UNTIL", 0 },
	{ "until_unix", "", OUT_NEVER },
	{ "id", "ID", OUT_RIGHT | OUT_WIDE },
	{ "text", "TEXT", OUT_WIDE },
};

static const char *word(const json_t *e, const char *key)
{
	return json_string_value(json_object_get(e, key));
}

static struct out_value number(const json_t *e, const char *key)
{
	const json_t *j = json_object_get(e, key);

	return json_is_integer(j) ? out_int(json_integer_value(j)) : out_none();
}

/* UTC, as RFC 3339 has it; NULL when there is none. */
static const char *moment(const json_t *e, const char *key, char *text, size_t len)
{
	double unix_time = json_number_value(json_object_get(e, key));
	time_t seconds = (time_t)unix_time;
	struct tm tm;
	size_t n;

	if (unix_time <= 0 || !gmtime_r(&seconds, &tm))
		return NULL;
	n = strftime(text, len, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, len - n, ".%03dZ", (int)((unix_time - (double)seconds) * 1000));
	return text;
}

static struct out_value unix_value(const json_t *e, const char *key)
{
	const json_t *j = json_object_get(e, key);

	return json_is_number(j) ? out_real(json_number_value(j)) : out_none();
}

static void row(const json_t *e, struct out *o)
{
	char time[40], until[40];

	out_cell(o, out_text(moment(e, "time_unix", time, sizeof(time))));
	out_cell(o, unix_value(e, "time_unix"));
	out_cell(o, out_text(word(e, "type")));
	out_cell(o, out_text(word(e, "service")));
	out_cell(o, out_text(word(e, "endpoint")));
	out_cell(o, out_text(word(e, "cause")));
	out_cell(o, number(e, "ejections"));
	out_cell(o, number(e, "error_percent"));
	out_cell(o, out_text(moment(e, "until_unix", until, sizeof(until))));
	out_cell(o, unix_value(e, "until_unix"));
	out_cell(o, number(e, "id"));
	out_cell(o, out_text(word(e, "text")));
}

int report_events(const char *reply, size_t len, struct out *o)
{
	_cleanup_(json_decrefp) json_t *root = json_loadb(reply, len, 0, NULL);
	const json_t *list = json_object_get(root, "events"), *e;
	size_t i;

	if (!json_is_array(list))
		return -EPROTO;
	out_table(o, NULL, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(list, i, e) row(e, o);
	out_end(o);
	return 0;
}

/* One line for each: a sentence, or the object. */
static int follow_lines(const json_t *list, bool json, struct out *o)
{
	char time[40];
	const json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
	{
		_cleanup_(freep) char *text = json ? json_dumps(e, JSON_COMPACT | JSON_REAL_PRECISION(14)) : NULL;

		if (json)
			out_raw(o, "%s\n", text ? text : "{}");
		else
			out_raw(o, "%s  %s\n", moment(e, "time_unix", time, sizeof(time)),
				word(e, "text") ? word(e, "text") : "?");
	}
	return fflush(o->to) == EOF ? -errno : 0;
}

static int no_agent(struct cli *cli, const char *socket, int r)
{
	if (r == -ECONNREFUSED)
		return out_error(cli->out,
				 "no agent answers at %s; events are read by the agent, and wait in the kernel while "
				 "none runs",
				 socket);
	return out_error(cli->out, "the agent at %s does not answer as one: %s", socket, log_strerror(r));
}

static int follow(struct cli *cli, const char *socket)
{
	bool json = cli->value[CLI_OUTPUT] && strcmp(cli->value[CLI_OUTPUT], "json") == 0;
	long long since = 0;

	for (;;) {
		_cleanup_(json_decrefp) json_t *root = NULL;
		_cleanup_(freep) char *reply = NULL;
		long long last;
		size_t len = 0;
		char path[64];
		int r;

		snprintf(path, sizeof(path), "/events?since=%lld", since);
		r = agent_get(socket, path, &reply, &len);
		if (r < 0)
			return no_agent(cli, socket, r);
		root = json_loadb(reply, len, 0, NULL);
		if (!json_is_array(json_object_get(root, "events")))
			return no_agent(cli, socket, -EPROTO);
		last = json_integer_value(json_object_get(root, "last"));
		/* Another agent counts from 1 again. */
		if (last < since) {
			since = 0;
			continue;
		}
		r = follow_lines(json_object_get(root, "events"), json, cli->out);
		if (r < 0)
			return CLI_DONE; /* the reader went away */
		since = last;
		usleep(FOLLOW_PAUSE_US);
	}
}

int cmd_events(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(freep) char *reply = NULL;
	char path[PATH_MAX];
	const char *socket = cli->value[CLI_SOCKET];
	size_t len = 0;
	int r;

	snprintf(path, sizeof(path), "/run/weft/%s.sock", cli->value[CLI_INSTANCE]);
	socket = socket ? socket : path;
	if (cli->given & CLI_BIT(FOLLOW))
		return follow(cli, socket);
	r = agent_get(socket, "/events", &reply, &len);
	if (r == 0)
		r = report_events(reply, len, cli->out);
	return r < 0 ? no_agent(cli, socket, r) : CLI_DONE;
}

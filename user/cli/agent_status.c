/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/agent_get.h"
#include "cli/agent_status.h"

static double number(const json_t *root, const char *key)
{
	return json_number_value(json_object_get(root, key));
}

static void text(const json_t *root, const char *key, char *ret, size_t len)
{
	const char *s = json_string_value(json_object_get(root, key));

	snprintf(ret, len, "%s", s ? s : "");
}

int agent_status_parse(const char *reply, size_t len, struct agent_status *ret)
{
	_cleanup_(json_decrefp) json_t *root = json_loadb(reply, len, 0, NULL);
	struct agent_status s = { 0 };

	if (!json_is_object(root) || !json_is_integer(json_object_get(root, "pid")))
		return -EPROTO;
	s.pid = json_integer_value(json_object_get(root, "pid"));
	text(root, "version", s.version, sizeof(s.version));
	text(root, "config_file", s.config_file, sizeof(s.config_file));
	text(root, "last_error", s.last_error, sizeof(s.last_error));
	s.start_unix = number(root, "start_unix");
	s.last_ok_unix = number(root, "last_ok_unix");
	s.reloads_ok = (uint64_t)number(root, "reloads_ok");
	s.reloads_failed = (uint64_t)number(root, "reloads_failed");
	s.services = (uint64_t)number(root, "services");
	s.endpoints = (uint64_t)number(root, "endpoints");
	s.failover_links = (uint64_t)number(root, "failover_links");
	s.health_checks = (uint64_t)number(root, "health_checks");
	*ret = s;
	return 0;
}

int agent_status_get(const char *socket, struct agent_status *ret)
{
	_cleanup_(freep) char *reply = NULL;
	size_t len = 0;
	int r = agent_get(socket, "/status", &reply, &len);

	return r < 0 ? r : agent_status_parse(reply, len, ret);
}

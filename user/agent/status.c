/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <jansson.h>
#include <unistd.h>

#include "agent/links.h"
#include "agent/state.h"
#include "commit.h"
#include "health/health.h"

/* Texts may hold bytes of file names that are no UTF-8; JSON has none of those. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s ? s : "");
	char plain[1024];
	size_t i;

	if (j)
		return j;
	for (i = 0; s[i] && i < sizeof(plain) - 1; i++)
		plain[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
	plain[i] = '\0';
	return json_string(plain);
}

char *status_json(const struct agent *a)
{
	const struct metrics_agent *m = &a->seen;
	struct health_totals checks = { 0 };
	json_t *j = json_object();
	char *reply;

	if (!j)
		return NULL;
	json_object_set_new(j, "pid", json_integer(getpid()));
	json_object_set_new(j, "version", text(WEFT_VERSION));
	json_object_set_new(j, "commit", text(WEFT_COMMIT));
	json_object_set_new(j, "instance", text(a->settings.instance));
	json_object_set_new(j, "config_file", text(a->options->config_file));
	json_object_set_new(j, "start_unix", json_real(m->start_unix));
	json_object_set_new(j, "reloads_ok", json_integer((json_int_t)m->reloads_ok));
	json_object_set_new(j, "reloads_failed", json_integer((json_int_t)m->reloads_failed));
	json_object_set_new(j, "last_error", text(a->last_error));
	json_object_set_new(j, "last_ok_unix", json_real(m->last_ok_unix));
	json_object_set_new(j, "last_failed_unix", json_real(m->last_failed_unix));
	json_object_set_new(j, "apply_seconds", json_real(m->apply_seconds));
	json_object_set_new(j, "services", json_integer((json_int_t)m->services));
	json_object_set_new(j, "endpoints", json_integer((json_int_t)m->endpoints));
	json_object_set_new(j, "resting", json_integer(a->resting));
	json_object_set_new(j, "audit_runs", json_integer((json_int_t)m->audit_runs));
	json_object_set_new(j, "audit_drift", json_integer((json_int_t)m->audit_drift));
	json_object_set_new(j, "failover_links", json_integer((json_int_t)links_count(a)));
	health_totals(a->health, &checks);
	json_object_set_new(j, "health_checks", json_integer(checks.targets));
	json_object_set_new(j, "health_checks_waiting", json_integer(checks.waiting));
	json_object_set_new(j, "health_checks_late", json_integer((json_int_t)checks.late));
	reply = json_dumps(j, JSON_INDENT(2));
	json_decref(j);
	return reply;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Lines without a counterpart, and what to say of them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/import_line.h"

/* Lines without a counterpart, by their first words; the longest that fits counts. */
static const struct {
	const char *words;
	enum import_weight weight;
	const char *why; /* NULL: nothing to say */
} known[] = {
#define NO_PROXY   IMPORT_NOTE, "not needed: connections go straight to the endpoint, there is no proxy to tune"
#define LOGS	   IMPORT_NOTE, "not needed: weft metrics, weft events and weft connections tell what happens"
#define TIMEOUTS   IMPORT_NOTE, "not needed: nothing stands between application and endpoint that could time out"
#define REDISPATCH IMPORT_NOTE, "not needed: failover to another endpoint is on"
#define REQUESTS   IMPORT_CHANGE, "no counterpart: weft does not look into connections"
	{ "mode tcp", IMPORT_NOTE, NULL },
	{ "mode http", IMPORT_CHANGE, "connections are balanced, not the requests in them" },
	{ "option", NO_PROXY },
	{ "no option", NO_PROXY },
	{ "option redispatch", REDISPATCH },
	{ "retries", REDISPATCH },
	{ "option tcplog", LOGS },
	{ "option httplog", LOGS },
	{ "option dontlognull", LOGS },
	{ "option dontlog-normal", LOGS },
	{ "option log-health-checks", LOGS },
	{ "option log-separate-errors", LOGS },
	{ "log", LOGS },
	{ "no log", LOGS },
	{ "log-format", LOGS },
	{ "log-tag", LOGS },
	{ "stats", LOGS },
	{ "monitor-uri", LOGS },
	{ "monitor", LOGS },
	{ "timeout", TIMEOUTS },
	{ "clitimeout", TIMEOUTS },
	{ "srvtimeout", TIMEOUTS },
	{ "errorfile", NO_PROXY },
	{ "errorloc", NO_PROXY },
	{ "backlog", NO_PROXY },
	{ "fullconn", NO_PROXY },
	{ "bind-process", NO_PROXY },
	{ "description", IMPORT_NOTE, NULL },
	{ "option forwardfor", REQUESTS },
	{ "option originalto", REQUESTS },
	{ "option http_proxy", REQUESTS },
	{ "option transparent", IMPORT_CHANGE, "no counterpart" },
	{ "option allbackups", IMPORT_CHANGE, "no counterpart; give the backups a priority" },
	{ "option tcp-check", IMPORT_NOTE, NULL },
	{ "option ssl-hello-chk", IMPORT_CHANGE, "no counterpart: it is checked whether a connection comes to stand" },
	{ "option mysql-check", IMPORT_CHANGE, "no counterpart: it is checked whether a connection comes to stand" },
	{ "option pgsql-check", IMPORT_CHANGE, "no counterpart: it is checked whether a connection comes to stand" },
	{ "option redis-check", IMPORT_CHANGE, "no counterpart: it is checked whether a connection comes to stand" },
	{ "option smtpchk", IMPORT_CHANGE, "no counterpart: it is checked whether a connection comes to stand" },
	{ "option ldap-check", IMPORT_CHANGE, "no counterpart: it is checked whether a connection comes to stand" },
	{ "acl", REQUESTS },
	{ "use_backend", REQUESTS },
	{ "http-request", REQUESTS },
	{ "http-response", REQUESTS },
	{ "reqadd", REQUESTS },
	{ "reqrep", REQUESTS },
	{ "rspadd", REQUESTS },
	{ "redirect", REQUESTS },
	{ "compression", REQUESTS },
	{ "cookie", IMPORT_CHANGE, "no counterpart: affinity goes by the caller, see affinity" },
	{ "stick", IMPORT_CHANGE, "no counterpart as it is; see affinity" },
	{ "stick-table", IMPORT_CHANGE, "no counterpart as it is; see affinity" },
	{ "rate-limit", IMPORT_CHANGE, "no counterpart as it is; see limits.connects-per-second" },
};

/* How many bytes of @text the words of @row are; 0: it does not begin with them. */
size_t line_begins(const struct line *l, const char *row)
{
	const char *at = row;

	for (size_t i = 0; *at; i++) {
		size_t len = strcspn(at, " ");

		if (i == l->nr || strlen(l->word[i]) != len || strncmp(l->word[i], at, len))
			return 0;
		at += len;
		at += *at == ' ';
	}
	return (size_t)(at - row);
}

/* Lines that may hold a password are shown by their first word. */
const char *line_shown(const struct line *l, struct quoted *q)
{
	static const char *const secrets[] = { "auth",	 "pass", "secret", "token", "key",
					       "cookie", "user", "header", "req",   "rsp" };
	char text[80];

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (!strcasestr(l->text, secrets[i]))
			continue;
		snprintf(text, sizeof(text), "%.60s ...", l->word[0]);
		return quote(text, q);
	}
	return quote(l->text, q);
}

void line_remark(struct import *x, const struct line *l)
{
	size_t best = 0, row = 0, len;
	struct quoted q;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		len = line_begins(l, known[i].words);
		if (len > best) {
			best = len;
			row = i;
		}
	}
	if (!best)
		import_remark(x, IMPORT_CHANGE, l->at, l->key, "%s: no counterpart", line_shown(l, &q));
	else if (known[row].why)
		import_remark(x, known[row].weight, l->at, l->key, "%s: %s", line_shown(l, &q), known[row].why);
}

void line_odd(struct import *x, const struct line *l, const char *why)
{
	struct quoted q;

	import_remark(x, IMPORT_CHANGE, l->at, l->key, "%s: %s", line_shown(l, &q), why);
}

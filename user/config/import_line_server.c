/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Options of HAProxy's servers, the same for all of a service. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/import_line.h"

/* Options of a server line that take a value. */
static bool takes_value(const char *word)
{
	static const char *const words[] = {
		"inter",	"fastinter",   "downinter",	"rise",
		"fall",		"port",	       "maxconn",	"minconn",
		"maxqueue",	"weight",      "cookie",	"slowstart",
		"observe",	"error-limit", "on-error",	"on-marked-down",
		"on-marked-up", "verify",      "verifyhost",	"ca-file",
		"crt",		"ciphers",     "ciphersuites",	"crl-file",
		"sni",		"check-sni",   "alpn",		"source",
		"addr",		"agent-port",  "agent-inter",	"id",
		"redir",	"track",       "resolvers",	"resolve-prefer",
		"init-addr",	"namespace",   "pool-max-conn", "pool-purge-delay",
		"proto",	"check-proto",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i], word))
			return true;
	return false;
}

static void take_server_value(struct import *x, const struct line *l, size_t i, struct haproxy *h)
{
	const char *word = l->word[i], *value = i + 1 < l->nr ? l->word[i + 1] : "";
	struct haproxy_check *c = &h->check;

	if (!strcmp(word, "inter"))
		line_time(x, l, i + 1, &c->inter_ms);
	else if (!strcmp(word, "rise"))
		line_count(x, l, i + 1, 1000, &c->rise);
	else if (!strcmp(word, "fall"))
		line_count(x, l, i + 1, 1000, &c->fall);
	else if (!strcmp(word, "port"))
		line_count(x, l, i + 1, 65535, &c->port);
	else if (!strcmp(word, "maxconn"))
		line_count(x, l, i + 1, 100000000, &h->endpoint_connections);
	else if (!strcmp(word, "slowstart"))
		line_time(x, l, i + 1, &h->slow_start_ms);
	else if (!strcmp(word, "error-limit"))
		line_count(x, l, i + 1, 1000000, &h->error_limit);
	else if (!strcmp(word, "observe"))
		h->observe = true;
	else if (!strcmp(word, "weight"))
		import_remark(x, IMPORT_NOTE, l->at, l->key, "weight: the same for all, which changes nothing");
	else if (!strcmp(word, "fastinter") || !strcmp(word, "downinter"))
		import_remark(x, IMPORT_CHANGE, l->at, l->key, "%s: no counterpart: checks come at one interval", word);
	else if (!strcmp(word, "on-error") || (!strcmp(word, "on-marked-down") && strcmp(value, "shutdown-sessions")))
		import_remark(x, IMPORT_NOTE, l->at, l->key, "%s: not needed: ejection does it", word);
	else
		import_remark(x, IMPORT_CHANGE, l->at, l->key, "server option %s: no counterpart", word);
}

/* Options of a server from word @from on. */
void line_server(struct import *x, const struct line *l, size_t from, struct haproxy *h)
{
	struct quoted q;

	for (size_t i = from; i < l->nr; i++) {
		const char *word = l->word[i];

		if (takes_value(word)) {
			take_server_value(x, l, i++, h);
		} else if (!strcmp(word, "check")) {
			h->check.on = true;
		} else if (!strcmp(word, "check-ssl")) {
			h->check.tls = true;
		} else if (!strcmp(word, "ssl")) {
			h->check.tls = true;
			import_remark(x, IMPORT_CHANGE, l->at, l->key,
				      "ssl: no counterpart: what applications send is passed on as it is");
		} else if (!strcmp(word, "backup")) {
			import_remark(x, IMPORT_CHANGE, l->at, l->key,
				      "backup: of all servers alike it says nothing; left out");
		} else {
			import_remark(x, IMPORT_CHANGE, l->at, l->key, "server option %s: no counterpart",
				      quote(word, &q));
		}
	}
}

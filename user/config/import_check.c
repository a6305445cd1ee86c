/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Nerve wants all checks of a service to succeed; weft has one of a service, so that the one that says most is taken.
 */
#include <string.h>
#include <strings.h>

#include "config/import_check.h"

#define CHECKS_MAX  64
#define DAY_MS	    86400000.0
#define INTERVAL_MS 500.0 /* Nerve's own */
#define TIMEOUT_MS  100.0

static const struct import_known check_keys[] = {
	{ "type", 0, NULL },
	{ "name", 0, NULL },
	{ "module", 0, NULL },
	{ "host", 0, NULL },
	{ "port", 0, NULL },
	{ "timeout", 0, NULL },
	{ "rise", 0, NULL },
	{ "fall", 0, NULL },
	{ "uri", 0, NULL },
	{ "ssl", 0, NULL },
	{ "expect", 0, NULL },
	{ "headers", 0, NULL },
	{ "read_timeout", IMPORT_NOTE, "not needed: timeout is that of the whole check" },
	{ "open_timeout", IMPORT_NOTE, "not needed: timeout is that of the whole check" },
	{ "ssl_timeout", IMPORT_NOTE, "not needed: timeout is that of the whole check" },
	{ "username", IMPORT_NOTE, "not needed: nothing logs in" },
	{ "password", IMPORT_NOTE, "not needed: nothing logs in" },
	{ NULL, 0, NULL },
};

static bool is_http(const struct node *check)
{
	return !strcmp(node_text(node_get(check, "type"), ""), "http");
}

/* The first one that asks by HTTP, else the first; NULL: none but "noop". */
static const struct node *choose(const struct node *checks)
{
	const struct node *chosen = NULL;

	for (size_t i = 0; i < checks->nr; i++) {
		if (!strcmp(node_text(node_get(checks->items[i], "type"), ""), "noop"))
			continue;
		if (!chosen || (is_http(checks->items[i]) && !is_http(chosen)))
			chosen = checks->items[i];
	}
	return chosen;
}

static int put_count(struct import *x, const struct node *n, const char *key, const char *word, FILE *out)
{
	double count = 1;

	if (n && (!node_number(n, &count) || count < 1 || count > 1000 || count != (unsigned)count))
		return import_fail(x, n, key, "must be a whole number from 1 to 1000");
	fprintf(out, ", %s: %.0f", word, count);
	return 0;
}

static int put_times(struct import *x, const struct node *service, const struct node *check, const char *key, FILE *out)
{
	const struct node *n = node_get(service, "check_interval"), *t = node_get(check, "timeout");
	double interval = INTERVAL_MS / 1000, timeout = TIMEOUT_MS / 1000;
	char text[32];

	if (n && (!node_number(n, &interval) || interval > 86400))
		return import_fail(x, n, "check_interval", "must be a number of seconds");
	if (t && (!node_number(t, &timeout) || timeout > 86400))
		return import_fail(x, t, key, "timeout must be a number of seconds");
	interval = interval * 1000 < 10 ? 10 : interval * 1000;
	timeout = timeout * 1000 < 1 ? 1 : timeout * 1000;
	if (timeout > interval) {
		import_remark(x, IMPORT_CHANGE, t, key,
			      "checks do not overlap: the interval becomes the timeout, which is longer");
		interval = timeout;
	}
	fprintf(out, ", interval: %s", import_ms(interval, 10, DAY_MS, text, sizeof(text)));
	fprintf(out, ", timeout: %s", import_ms(timeout, 1, DAY_MS, text, sizeof(text)));
	return 0;
}

static void put_headers(struct import *x, const struct node *headers, const char *key, FILE *out)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	for (size_t i = 0; node_is(headers, NODE_MAP) && i < headers->nr && i < CHECKS_MAX; i++) {
		const char *value = node_text(headers->items[i], "");
		size_t len = strlen(value);
		struct quoted q;

		if (!strcasecmp(headers->keys[i], "host") && len && len <= 253 && strspn(value, good) == len) {
			fputs(", host: ", out);
			import_put(out, value);
			continue;
		}
		import_remark(x, IMPORT_CHANGE, headers->items[i], key, "header %s: no counterpart",
			      quote(headers->keys[i], &q));
	}
}

static int put_http(struct import *x, const struct node *check, const char *key, FILE *out)
{
	const struct node *expect = node_get(check, "expect");
	const char *uri = NULL, *text = NULL;
	int r;

	if (!node_get(check, "uri"))
		return import_fail(x, check, key, "an http check wants \"uri\"");
	r = import_text(x, node_get(check, "uri"), key, &uri);
	if (!r && expect)
		r = import_text(x, expect, key, &text);
	if (r)
		return r;
	for (const char *at = uri; *at; at++)
		if (*uri != '/' || strlen(uri) > 1024 || *at == ' ' || *at > '~' || strchr("\"'`\\", *at))
			return import_fail(x, node_get(check, "uri"), key,
					   "uri must begin with a slash and hold no blanks and quotes");
	if (text && strlen(text) > 1024)
		return import_fail(x, expect, key, "expect has more than 1024 bytes");
	fputs(", path: ", out);
	import_put(out, uri);
	if (text) {
		fputs(", expect: ", out);
		import_put(out, text);
	}
	if (node_bool(node_get(check, "ssl"), false))
		fputs(", verify: false", out);
	put_headers(x, node_get(check, "headers"), key, out);
	return 0;
}

static void remark_host(struct import *x, const struct node *service, const struct node *check, const char *key)
{
	const char *host = node_text(node_get(check, "host"), NULL);

	if (host && strcmp(host, node_text(node_get(service, "host"), "")))
		import_remark(x, IMPORT_CHANGE, check, key, "host: no counterpart: the registered address is checked");
}

static int put_check(struct import *x, const struct node *service, const struct node *check, const char *key,
		     unsigned own_port, FILE *out)
{
	const char *type = node_text(node_get(check, "type"), "");
	bool http = is_http(check), tls = http && node_bool(node_get(check, "ssl"), false);
	unsigned port = 0;
	struct quoted q;
	int r;

	if (!http && strcmp(type, "tcp"))
		import_remark(x, IMPORT_CHANGE, check, key,
			      "no counterpart for checks of type %s: it is checked whether a connection comes to stand",
			      quote(type, &q));
	import_unknown(x, check, key, check_keys);
	remark_host(x, service, check, key);
	fprintf(out, "    health-check: {type: %s", !http ? "tcp" : tls ? "https" : "http");
	r = http ? put_http(x, check, key, out) : 0;
	if (!r)
		r = put_times(x, service, check, key, out);
	if (!r)
		r = put_count(x, node_get(check, "rise"), key, "rise", out);
	if (!r)
		r = put_count(x, node_get(check, "fall"), key, "fall", out);
	if (!r)
		r = import_port(x, node_get(check, "port"), key, &port);
	if (port && port != own_port)
		fprintf(out, ", port: %u", port);
	fputs("}\n", out);
	return r;
}

int import_checks(struct import *x, const struct node *service, unsigned port, FILE *out)
{
	const struct node *checks = node_get(service, "checks"), *chosen;
	char key[32];
	int r = 0;

	if (!checks)
		return 0;
	if (checks->kind != NODE_LIST || checks->nr > CHECKS_MAX)
		return import_fail(x, checks, "checks", "must be a list of at most %d checks", CHECKS_MAX);
	for (size_t i = 0; i < checks->nr; i++)
		if (!node_is(checks->items[i], NODE_MAP) || !node_get(checks->items[i], "type"))
			return import_fail(x, checks->items[i], "checks", "a check is a mapping with a \"type\"");
	chosen = choose(checks);
	for (size_t i = 0; !r && i < checks->nr; i++) {
		const struct node *check = checks->items[i];
		const char *type = node_text(node_get(check, "type"), "");
		struct quoted q;

		snprintf(key, sizeof(key), "checks[%zu]", i);
		if (check == chosen)
			r = put_check(x, service, check, key, port, out);
		else if (strcmp(type, "noop"))
			import_remark(x, IMPORT_CHANGE, check, key,
				      "left out: an endpoint has one health check, and %s says less", quote(type, &q));
		if (check == chosen)
			chosen = NULL; /* an alias may stand for it once more */
	}
	return r;
}

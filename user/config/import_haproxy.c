/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Lines of HAProxy's configuration: what has a counterpart is kept, all else becomes a remark. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "config/import_haproxy.h"

#define WORDS_MAX 64

/* A line taken apart. */
struct line {
	const struct node *at;
	const char *key;
	const char *text;	   /* the whole */
	char *word[WORDS_MAX + 1]; /* NULL terminated */
	size_t nr;
	bool defaults; /* of all services */
};

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
static size_t begins(const struct line *l, const char *row)
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
static const char *shown(const struct line *l, struct quoted *q)
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

static void remark_line(struct import *x, const struct line *l)
{
	size_t best = 0, row = 0, len;
	struct quoted q;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		len = begins(l, known[i].words);
		if (len > best) {
			best = len;
			row = i;
		}
	}
	if (!best)
		import_remark(x, IMPORT_CHANGE, l->at, l->key, "%s: no counterpart", shown(l, &q));
	else if (known[row].why)
		import_remark(x, known[row].weight, l->at, l->key, "%s: %s", shown(l, &q), known[row].why);
}

static void remark_value(struct import *x, const struct line *l, const char *why)
{
	struct quoted q;

	import_remark(x, IMPORT_CHANGE, l->at, l->key, "%s: %s", shown(l, &q), why);
}

/* "5000", "5s", "1m" in ms; HAProxy's unit is the ms. */
static bool parse_time(const char *text, double *ret_ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "", 1 },    { "us", 0.001 }, { "ms", 1 },    { "s", 1e3 },
		      { "m", 6e4 }, { "h", 3.6e6 },  { "d", 8.64e7 } };
	size_t digits = text ? strspn(text, "0123456789") : 0;

	for (size_t i = 0; digits && digits < 10 && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text + digits, units[i].name)) {
			*ret_ms = strtod(text, NULL) * units[i].ms;
			return true;
		}
	return false;
}

static bool parse_count(const char *text, unsigned most, unsigned *ret)
{
	unsigned long n;

	if (!text || !*text || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return false;
	n = strtoul(text, NULL, 10);
	if (!n || n > most)
		return false;
	*ret = (unsigned)n;
	return true;
}

static void take_time(struct import *x, const struct line *l, size_t i, double *ret)
{
	if (!parse_time(i < l->nr ? l->word[i] : NULL, ret))
		remark_value(x, l, "not understood: a time is wanted");
}

static void take_count(struct import *x, const struct line *l, size_t i, unsigned most, unsigned *ret)
{
	if (!parse_count(i < l->nr ? l->word[i] : NULL, most, ret))
		remark_value(x, l, "not understood, or out of range: a number is wanted");
}

static void take_balance(struct import *x, const struct line *l, struct haproxy *h)
{
	static const char *const words[][2] = {
		{ "roundrobin", "round-robin" }, { "static-rr", "round-robin" }, { "leastconn", "least-request" },
		{ "random", "random" },		 { "source", "source-hash" },
	};

	for (size_t i = 0; l->nr > 1 && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(l->word[1], words[i][0], strlen(words[i][0]))) {
			h->balance = words[i][1];
			return;
		}
	remark_value(x, l, "no counterpart; weft's own balance, p2c-ewma, is used");
}

/* A word that fits and that weft.yaml can hold as a path or a host name. */
static bool take_word(const char *word, const char *bad, char *ret, size_t len)
{
	if (!*word || strlen(word) >= len)
		return false;
	for (const char *at = word; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr(bad, *at))
			return false;
	snprintf(ret, len, "%s", word);
	return true;
}

#define PATH_BAD "\"'`\\"
#define HOST_BAD "\"'`\\:/,[]{}@!$%&*()=+?<>|;#~^"

/* option httpchk [METHOD] [URI] [VERSION[\r\nHost: NAME]] */
static void take_httpchk(struct import *x, const struct line *l, struct haproxy *h)
{
	const char *method = l->nr > 3 ? l->word[2] : NULL, *host;
	size_t at = 2;
	char name[256];

	h->check.http = true;
	*h->check.path = *h->check.host = '\0';
	if (l->nr == 2)
		return;
	if (*l->word[2] != '/' && l->nr > 3)
		at = 3;
	if (!take_word(l->word[at], PATH_BAD, h->check.path, sizeof(h->check.path)) || *h->check.path != '/') {
		*h->check.path = '\0';
		remark_value(x, l, "not understood; / is asked for");
	}
	if (at == 3 && method && strcmp(method, "GET") && strcmp(method, "HEAD") && strcmp(method, "OPTIONS"))
		remark_value(x, l, "no counterpart for the method; it is asked by GET");
	host = strcasestr(l->text, "Host:");
	if (!host)
		return;
	host += 5;
	host += strspn(host, "\\ ");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, "\\ :\""), host);
	if (!take_word(name, HOST_BAD, h->check.host, sizeof(h->check.host)))
		remark_value(x, l, "the host name is not understood");
}

/* False: it is empty, or does not fit. */
static bool join(const struct line *l, size_t from, char *ret, size_t len)
{
	size_t at = 0;

	*ret = '\0';
	for (size_t i = from; i < l->nr && at < len; i++)
		at += (size_t)snprintf(ret + at, len - at, "%s%s", i > from ? " " : "", l->word[i]);
	return at && at < len;
}

/* http-check expect [!] string|status ..., http-check send uri ... */
static void take_http_check(struct import *x, const struct line *l, struct haproxy *h)
{
	const char *what = l->nr > 3 ? l->word[2] : "";
	unsigned status = 0;
	char text[256];

	if (l->nr > 2 && !strcmp(l->word[1], "send")) {
		for (size_t i = 2; i + 1 < l->nr; i++) {
			if (!strcmp(l->word[i], "uri"))
				take_word(l->word[i + 1], PATH_BAD, h->check.path, sizeof(h->check.path));
			if (!strcmp(l->word[i], "hdr") && i + 2 < l->nr && !strcasecmp(l->word[i + 1], "host"))
				take_word(l->word[i + 2], HOST_BAD, h->check.host, sizeof(h->check.host));
		}
		if (*h->check.path != '/')
			*h->check.path = '\0';
		return;
	}
	if (!strcmp(what, "string") && !strcmp(l->word[1], "expect") && join(l, 3, text, sizeof(text)))
		snprintf(h->check.expect, sizeof(h->check.expect), "%s", text);
	else if (l->nr == 4 && !strcmp(l->word[1], "expect") && !strcmp(what, "status") &&
		 parse_count(l->word[3], 599, &status) && status >= 100)
		snprintf(h->check.status, sizeof(h->check.status), "%u", status);
	else
		remark_value(x, l, "no counterpart");
}

static void take_server_words(struct import *x, struct line *l, size_t from, struct haproxy *h);

/* True: the line was one that says something to weft. */
static bool take_line(struct import *x, struct line *l, struct haproxy *h)
{
	if (begins(l, "balance"))
		take_balance(x, l, h);
	else if (begins(l, "hash-type"))
		h->consistent = l->nr > 1 && !strcmp(l->word[1], "consistent");
	else if (begins(l, "option httpchk"))
		take_httpchk(x, l, h);
	else if (begins(l, "http-check"))
		take_http_check(x, l, h);
	else if (begins(l, "timeout connect"))
		take_time(x, l, 2, &h->connect_ms);
	else if (begins(l, "contimeout"))
		take_time(x, l, 1, &h->connect_ms);
	else if (begins(l, "timeout check"))
		take_time(x, l, 2, &h->check.timeout_ms);
	else if (begins(l, "default-server"))
		take_server_words(x, l, 1, h);
	else if (begins(l, "maxconn") && l->defaults)
		import_remark(x, IMPORT_NOTE, l->at, l->key, "maxconn: not needed: there is no proxy to protect");
	else if (begins(l, "maxconn"))
		take_count(x, l, 1, 100000000, &h->connections);
	else
		return false;
	return true;
}

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
		take_time(x, l, i + 1, &c->inter_ms);
	else if (!strcmp(word, "rise"))
		take_count(x, l, i + 1, 1000, &c->rise);
	else if (!strcmp(word, "fall"))
		take_count(x, l, i + 1, 1000, &c->fall);
	else if (!strcmp(word, "port"))
		take_count(x, l, i + 1, 65535, &c->port);
	else if (!strcmp(word, "maxconn"))
		take_count(x, l, i + 1, 100000000, &h->endpoint_connections);
	else if (!strcmp(word, "slowstart"))
		take_time(x, l, i + 1, &h->slow_start_ms);
	else if (!strcmp(word, "error-limit"))
		take_count(x, l, i + 1, 1000000, &h->error_limit);
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
static void take_server_words(struct import *x, struct line *l, size_t from, struct haproxy *h)
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

/* Words of @text, with a backslash before blanks that belong to one. Cuts @text. */
static void split(char *text, struct line *l)
{
	char *to = text;

	l->nr = 0;
	while (*text && l->nr < WORDS_MAX) {
		text += strspn(text, " \t\r");
		if (!*text)
			break;
		l->word[l->nr++] = to;
		while (*text && !strchr(" \t\r", *text)) {
			if (*text == '\\' && text[1] == ' ')
				text++;
			*to++ = *text++;
		}
		text += *text != '\0';
		*to++ = '\0';
	}
	l->word[l->nr] = NULL;
}

static int one_line(struct import *x, struct line *l, const char *text, size_t len, bool server, struct haproxy *h)
{
	_cleanup_(freep) char *whole = strndup(text, len), *copy = strndup(text, len);

	if (!whole || !copy)
		return import_fail_memory(x);
	split(copy, l);
	l->text = whole;
	for (const char *at = whole; *at; at++)
		if ((unsigned char)*at < ' ' && *at != '\t' && *at != '\r')
			return import_fail(x, l->at, l->key, "holds a control character");
	if (!l->nr || *l->word[0] == '#')
		return 0;
	if (server)
		take_server_words(x, l, 0, h);
	else if (!take_line(x, l, h))
		remark_line(x, l);
	return 0;
}

static int word_lines(struct import *x, const struct node *n, const char *key, bool defaults, bool server,
		      struct haproxy *h)
{
	int r = 0;

	for (const char *at = n->text, *end; !r && *at; at = end + (*end == '\n')) {
		struct line l = { .at = n, .key = key, .defaults = defaults };

		end = at + strcspn(at, "\n");
		r = one_line(x, &l, at, (size_t)(end - at), server, h);
	}
	return r;
}

static int lines(struct import *x, const struct node *n, const char *key, bool defaults, bool server, struct haproxy *h)
{
	const struct node *const *items = NULL;
	size_t nr = 0;
	int r;

	if (node_is(n, NODE_TEXT))
		return word_lines(x, n, key, defaults, server, h);
	r = import_words(x, n, key, &items, &nr);
	for (size_t i = 0; !r && i < nr; i++)
		r = word_lines(x, items[i], key, defaults, server, h);
	return r;
}

int haproxy_lines(struct import *x, const struct node *n, const char *key, bool defaults, struct haproxy *h)
{
	return lines(x, n, key, defaults, false, h);
}

int haproxy_server(struct import *x, const struct node *n, const char *key, struct haproxy *h)
{
	return lines(x, n, key, false, true, h);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Lines of HAProxy's configuration: what has a counterpart is kept, all else becomes a remark. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "config/import_line.h"

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
	line_odd(x, l, "no counterpart; weft's own balance, p2c-ewma, is used");
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
		line_odd(x, l, "not understood; / is asked for");
	}
	if (at == 3 && method && strcmp(method, "GET") && strcmp(method, "HEAD") && strcmp(method, "OPTIONS"))
		line_odd(x, l, "no counterpart for the method; it is asked by GET");
	host = strcasestr(l->text, "Host:");
	if (!host)
		return;
	host += 5;
	host += strspn(host, "\\ ");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, "\\ :\""), host);
	if (!take_word(name, HOST_BAD, h->check.host, sizeof(h->check.host)))
		line_odd(x, l, "the host name is not understood");
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
		 line_is_count(l->word[3], 599, &status) && status >= 100)
		snprintf(h->check.status, sizeof(h->check.status), "%u", status);
	else
		line_odd(x, l, "no counterpart");
}

/* True: the line was one that says something to weft. */
static bool take_line(struct import *x, struct line *l, struct haproxy *h)
{
	if (line_begins(l, "balance"))
		take_balance(x, l, h);
	else if (line_begins(l, "hash-type"))
		h->consistent = l->nr > 1 && !strcmp(l->word[1], "consistent");
	else if (line_begins(l, "option httpchk"))
		take_httpchk(x, l, h);
	else if (line_begins(l, "http-check"))
		take_http_check(x, l, h);
	else if (line_begins(l, "timeout connect"))
		line_time(x, l, 2, &h->connect_ms);
	else if (line_begins(l, "contimeout"))
		line_time(x, l, 1, &h->connect_ms);
	else if (line_begins(l, "timeout check"))
		line_time(x, l, 2, &h->check.timeout_ms);
	else if (line_begins(l, "default-server"))
		line_server(x, l, 1, h);
	else if (line_begins(l, "maxconn") && l->defaults)
		import_remark(x, IMPORT_NOTE, l->at, l->key, "maxconn: not needed: there is no proxy to protect");
	else if (line_begins(l, "maxconn"))
		line_count(x, l, 1, 100000000, &h->connections);
	else
		return false;
	return true;
}

static int one_line(struct import *x, struct line *l, const char *text, size_t len, bool server, struct haproxy *h)
{
	_cleanup_(freep) char *whole = strndup(text, len), *copy = strndup(text, len);

	if (!whole || !copy)
		return import_fail_memory(x);
	line_split(copy, l);
	l->text = whole;
	for (const char *at = whole; *at; at++)
		if ((unsigned char)*at < ' ' && *at != '\t' && *at != '\r')
			return import_fail(x, l->at, l->key, "holds a control character");
	if (!l->nr || *l->word[0] == '#')
		return 0;
	if (server)
		line_server(x, l, 0, h);
	else if (!take_line(x, l, h))
		line_remark(x, l);
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

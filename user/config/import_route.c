/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sources and endpoints of a service, and how they are put together. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_route.h"

int route_open(struct import *x, struct import_route *r)
{
	r->sources = open_memstream(&r->sources_text, &r->sources_len);
	r->endpoints = open_memstream(&r->endpoints_text, &r->endpoints_len);
	return r->sources && r->endpoints ? 0 : import_fail_memory(x);
}

void route_done(struct import_route *r)
{
	if (r->sources)
		fclose(r->sources);
	if (r->endpoints)
		fclose(r->endpoints);
	free(r->sources_text);
	free(r->endpoints_text);
}

FILE *route_begin(struct import *x, struct import_route *r, const struct node *n, const char *key, const char *registry)
{
	if (r->nr_sources == IMPORT_SOURCES_MAX) {
		import_remark(x, IMPORT_CHANGE, n, key, "left out: a service has at most %d sources",
			      IMPORT_SOURCES_MAX);
		return NULL;
	}
	r->nr_sources++;
	fprintf(r->sources, "      - {registry: %s", registry);
	return r->sources;
}

/* "label=value"; a key that has signs of filters cannot be one. */
static int put_filter(struct import *x, FILE *out, const struct node *n, const char *key, unsigned *nr)
{
	const char *label = node_text(node_get(n, "label"), ""), *value = node_text(node_get(n, "value"), "");
	const char *condition = node_text(node_get(n, "condition"), "");
	_cleanup_(freep) char *text = NULL;
	bool equals = !strcmp(condition, "equals");

	if (!equals && strcmp(condition, "not-equals"))
		return import_fail(x, n, key, "condition must be equals or not-equals");
	if (!*label || *label == '!' || strchr(label, '='))
		return import_fail(x, n, key, "label is missing, or not one that weft knows");
	if (asprintf(&text, "%s%s%s", label, equals ? "=" : "!=", value) < 0)
		return import_fail_memory(x);
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ')
			return import_fail(x, n, key, "holds a control character");
	fputs((*nr)++ ? ", " : ", filter: [", out);
	import_put(out, text);
	return 0;
}

static int put_filters(struct import *x, FILE *out, const struct node *discovery, const char *key)
{
	const struct node *single = node_get(discovery, "label_filter"), *list = node_get(discovery, "label_filters");
	char at[96];
	unsigned nr = 0;
	int r = 0;

	snprintf(at, sizeof(at), "%s.label_filters", key);
	if (list && list->kind != NODE_LIST)
		return import_fail(x, list, at, "must be a list, not %s", node_kind_name(list));
	if (list && list->nr > IMPORT_LIST_MAX)
		return import_fail(x, list, at, "a list of more than %d", IMPORT_LIST_MAX);
	if (single)
		r = put_filter(x, out, single, at, &nr);
	for (size_t i = 0; !r && list && i < list->nr; i++)
		r = put_filter(x, out, list->items[i], at, &nr);
	if (nr)
		fputc(']', out);
	return r;
}

int route_end(struct import *x, struct import_route *r, const struct node *discovery, const char *key)
{
	int e = put_filters(x, r->sources, discovery, key);

	if (r->clear)
		fputs(", empty: clear", r->sources);
	fputs("}\n", r->sources);
	return e;
}

/* ---- servers of the file ---- */

/* Would Synapse's filters let a server of the file through? */
static bool filter_passes(const struct node *filter, const struct node *server)
{
	const char *label = node_text(node_get(filter, "label"), "");
	const char *has = node_text(node_get(node_get(server, "labels"), label), NULL);
	bool same = has && !strcmp(has, node_text(node_get(filter, "value"), ""));

	return !strcmp(node_text(node_get(filter, "condition"), ""), "equals") ? same : !same;
}

static bool passes(const struct node *discovery, const struct node *server)
{
	const struct node *single = node_get(discovery, "label_filter"), *list = node_get(discovery, "label_filters");

	if (single && !filter_passes(single, server))
		return false;
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->nr && i < IMPORT_LIST_MAX; i++)
		if (!filter_passes(list->items[i], server))
			return false;
	return true;
}

/* 1: not written. */
static unsigned weight_of(struct import *x, const struct node *server, const char *key)
{
	const struct node *n = node_get(server, "weight");
	double weight = 1;

	if (!n)
		return 1;
	if (!node_number(n, &weight) || weight > WEFT_WEIGHT_MAX) {
		import_remark(x, IMPORT_CHANGE, n, key, "a weight is a number from 0 to %d; left out", WEFT_WEIGHT_MAX);
		return 1;
	}
	return (unsigned)(weight + 0.5);
}

/* The only special option of single servers that weft has. */
static unsigned priority_of(struct import *x, const struct node *server, const char *key, unsigned priority)
{
	const struct node *n = node_get(server, "haproxy_server_options");
	const char *text = node_text(n, "");

	if (!*text)
		return priority;
	if (!strcmp(text, "backup"))
		return priority + 1;
	import_remark(x, IMPORT_CHANGE, n, key, "haproxy_server_options: no counterpart");
	return priority;
}

static bool has_endpoint(const struct import_route *r, const char *address)
{
	char line[ADDR_TEXT_LEN + 16];

	fflush(r->endpoints);
	snprintf(line, sizeof(line), "address: %s", address);
	for (const char *at = r->endpoints_text; at && (at = strstr(at, line)); at++)
		if (strchr("}, \"", at[strlen(line)]))
			return true;
	return false;
}

static void put_endpoint(struct import *x, struct import_route *r, const struct node *server, const char *key,
			 const struct weft_addr *addr, unsigned port, unsigned priority)
{
	unsigned weight = weight_of(x, server, key);
	char text[ADDR_TEXT_LEN], quoted[ADDR_TEXT_LEN + 2];

	if (weft_addr_is_v4(addr) != r->v4) {
		import_remark(x, IMPORT_CHANGE, server, key,
			      "left out: the service's address is of the other family (IPv4, IPv6)");
		return;
	}
	addr_port_format(addr, (uint16_t)port, text, sizeof(text));
	snprintf(quoted, sizeof(quoted), *text == '[' ? "\"%s\"" : "%s", text);
	if (r->nr_endpoints >= IMPORT_ENDPOINTS_MAX || has_endpoint(r, quoted)) {
		import_remark(x, IMPORT_CHANGE, server, key, "left out: %s is there twice, or one too many", text);
		return;
	}
	priority = priority_of(x, server, key, priority);
	fprintf(r->endpoints, "      - {address: %s", quoted);
	if (weight != 1)
		fprintf(r->endpoints, ", weight: %u", weight);
	if (priority)
		fprintf(r->endpoints, ", priority: %u", priority);
	fputs("}\n", r->endpoints);
	r->nr_endpoints++;
}

/* A host name is followed by the DNS, as HAProxy's own look-up at its start was not. */
static int put_name(struct import *x, struct import_route *r, const struct node *server, const char *key,
		    const struct node *nameserver, const char *host, unsigned port, unsigned priority)
{
	const char *registry = NULL;
	FILE *out;
	int e;

	e = import_dns(x, nameserver, key, &registry);
	if (e)
		return e;
	out = route_begin(x, r, server, key, registry);
	if (!out)
		return 0;
	fputs(", name: ", out);
	import_put(out, host);
	fprintf(out, ", port: %u", port);
	if (priority)
		fprintf(out, ", priority: %u", priority);
	weight_of(x, server, key);
	return route_end(x, r, NULL, key); /* the filters were asked before */
}

static int one_server(struct import *x, struct import_route *r, const struct node *server, const char *key,
		      const struct node *nameserver, unsigned priority, bool override)
{
	const char *host = NULL;
	struct weft_addr addr;
	unsigned port = 0;
	int e;

	if (!node_is(server, NODE_MAP))
		return import_fail(x, server, key, "must be a mapping with host and port, not %s",
				   node_kind_name(server));
	if (!node_get(server, "host"))
		return import_fail(x, server, key, "\"host\" is missing");
	e = import_text(x, node_get(server, "host"), key, &host);
	if (!e)
		e = import_port(x, node_get(server, "port"), key, &port);
	if (e)
		return e;
	if (r->port && (override || !port))
		port = r->port;
	if (!port)
		return import_fail(x, server, key, "\"port\" is missing");
	if (!import_address(host, &addr))
		return put_name(x, r, server, key, nameserver, host, port, priority);
	put_endpoint(x, r, server, key, &addr, port, priority);
	return 0;
}

int route_servers(struct import *x, struct import_route *r, const struct node *servers, const char *key,
		  const struct node *nameserver, const struct node *discovery, unsigned priority, bool override)
{
	char at[96];
	int e = 0;

	if (servers && servers->kind != NODE_LIST)
		return import_fail(x, servers, key, "must be a list, not %s", node_kind_name(servers));
	for (size_t i = 0; !e && servers && i < servers->nr; i++) {
		snprintf(at, sizeof(at), "%.64s[%zu]", key, i);
		if (passes(discovery, servers->items[i]))
			e = one_server(x, r, servers->items[i], at, nameserver, priority, override);
		else
			import_remark(x, IMPORT_CHANGE, servers->items[i], at,
				      "left out: label_filters do not let it through");
	}
	return e;
}

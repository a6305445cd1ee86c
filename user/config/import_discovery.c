/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Synapse's watchers as sources. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_route.h"

#define JITTER_MAX_S 120

static int put_decode(struct import *x, const struct node *decode, const char *key, FILE *out)
{
	const char *method = node_text(node_get(decode, "method"), "nerve"), *name = NULL;
	const struct node *endpoint = node_get(decode, "endpoint_name");
	char at[112];
	int r = 0;

	snprintf(at, sizeof(at), "%.64s.decode", key);
	if (!decode)
		return 0;
	if (strcmp(method, "nerve") && strcmp(method, "serverset"))
		return import_fail(x, decode, at, "method must be nerve or serverset");
	if (!strcmp(method, "nerve"))
		return 0;
	fputs(", decode: serverset", out);
	if (endpoint)
		r = import_text(x, endpoint, at, &name);
	if (!r && endpoint) {
		fputs(", endpoint-name: ", out);
		import_put(out, name);
	}
	return r;
}

static int put_generator(struct import *x, const struct node *n, const char *key, FILE *out)
{
	_cleanup_(freep) char *path = NULL;
	char at[112];
	int r;

	if (!n)
		return 0;
	snprintf(at, sizeof(at), "%.64s.generator_config_path", key);
	if (!strcmp(node_text(n, ""), "disabled")) {
		fputs(", generator-config: disabled", out);
		return 0;
	}
	r = import_path(x, n, at, &path);
	if (r)
		return r;
	fputs(", generator-config: ", out);
	import_put(out, path);
	return 0;
}

static void put_jitter(struct import *x, const struct node *n, const char *key, FILE *out)
{
	double seconds = 0;
	char at[112], text[32];

	if (!n)
		return;
	snprintf(at, sizeof(at), "%.64s.discovery_jitter", key);
	if (!node_number(n, &seconds) || seconds > JITTER_MAX_S)
		import_remark(x, IMPORT_CHANGE, n, at, "must be from 0 to %d seconds; left out", JITTER_MAX_S);
	else if (seconds * 1000 >= 1)
		fprintf(out, ", jitter: %s", import_ms(seconds * 1000, 1, JITTER_MAX_S * 1e3, text, sizeof(text)));
}

#define POLLS "not needed: changes are watched"
#define KNOWN_ZK                                                                                                       \
	{ "method", 0, NULL }, { "hosts", 0, NULL }, { "path", 0, NULL }, { "decode", 0, NULL },                       \
		{ "label_filters", 0, NULL }, { "label_filter", 0, NULL }, { "generator_config_path", 0, NULL },       \
		{ "discovery_jitter", 0, NULL },                                                                       \
	{                                                                                                              \
		"retry_policy", IMPORT_NOTE,                                                                           \
			"not needed: tries come at growing, random distances, see timeout and backoff-max"             \
	}

static int zookeeper(struct import *x, struct import_route *r, const struct node *d, const char *key)
{
	static const struct import_known known[] = {
		KNOWN_ZK,
		{ "polling_interval_sec", IMPORT_NOTE, POLLS },
		{ "polling_interval", IMPORT_NOTE, POLLS },
		{ "check_interval", IMPORT_NOTE, "not needed: names are looked up again when their TTL is over" },
		{ "nameserver", IMPORT_CHANGE,
		  "no counterpart: names that registries give are looked up by /etc/resolv.conf" },
		{ NULL, 0, NULL },
	};
	_cleanup_(freep) char *path = NULL;
	const char *registry = NULL;
	char at[112];
	FILE *out;
	int e;

	snprintf(at, sizeof(at), "%.64s.hosts", key);
	e = import_zookeeper(x, node_get(d, "hosts"), at, &registry);
	snprintf(at, sizeof(at), "%.64s.path", key);
	if (!e)
		e = import_path(x, node_get(d, "path"), at, &path);
	if (e)
		return e;
	out = route_begin(x, r, d, key, registry);
	if (!out)
		return 0;
	fputs(", path: ", out);
	import_put(out, path);
	e = put_decode(x, node_get(d, "decode"), key, out);
	if (!e)
		e = put_generator(x, node_get(d, "generator_config_path"), key, out);
	if (e)
		return e;
	if (r->leader)
		fputs(", leader-election: true", out);
	if (r->port)
		fprintf(out, ", port: %u", r->port);
	put_jitter(x, node_get(d, "discovery_jitter"), key, out);
	import_unknown(x, d, key, known);
	return route_end(x, r, d, key);
}

/* The names are discovery.servers; very old versions took default_servers. */
static int dns(struct import *x, struct import_route *r, const struct node *d, const char *key)
{
	static const struct import_known known[] = {
		{ "method", 0, NULL },
		{ "servers", 0, NULL },
		{ "nameserver", 0, NULL },
		{ "label_filters", 0, NULL },
		{ "label_filter", 0, NULL },
		{ "check_interval", IMPORT_NOTE, "not needed: names are looked up again when their TTL is over" },
		{ NULL, 0, NULL },
	};
	const struct node *servers = node_get(d, "servers");
	char at[112];

	import_unknown(x, d, key, known);
	if (r->leader)
		import_remark(x, IMPORT_CHANGE, d, key, "leader_election: no counterpart with the method dns");
	snprintf(at, sizeof(at), "%.64s.servers", key);
	if (!servers || (servers->kind == NODE_LIST && !servers->nr)) {
		servers = node_get(r->service, "default_servers");
		snprintf(at, sizeof(at), "default_servers");
	}
	if (!servers || (servers->kind == NODE_LIST && !servers->nr))
		return import_fail(x, d, key, "the method dns wants \"servers\"");
	return route_servers(x, r, servers, at, node_get(d, "nameserver"), d, 0, true);
}

static int watcher(struct import *x, struct import_route *r, const struct node *d, const char *key);

/* The children in the order in which they count. */
static int children(struct import *x, struct import_route *r, const struct node *watchers, const struct node *order,
		    const char *key)
{
	int e = 0;

	for (size_t i = 0; !e && i < (order ? order->nr : watchers->nr); i++) {
		const char *name = order ? node_text(order->items[i], "") : watchers->keys[i];
		const struct node *child = order ? node_get(watchers, name) : watchers->items[i];
		char at[96];

		snprintf(at, sizeof(at), "%.40s.watchers.%.40s", key, name);
		if (!node_is(child, NODE_MAP))
			return import_fail(x, child ? child : order, at, "%s",
					   child ? "must be a mapping" : "there is no such watcher");
		e = watcher(x, r, child, at);
	}
	return e;
}

static int multi(struct import *x, struct import_route *r, const struct node *d, const char *key)
{
	static const struct import_known known[] = {
		{ "method", 0, NULL },
		{ "watchers", 0, NULL },
		{ "resolver", 0, NULL },
		{ "label_filters", IMPORT_CHANGE, "of all watchers together: write them at each watcher; left out" },
		{ NULL, 0, NULL },
	};
	const struct node *watchers = node_get(d, "watchers"), *resolver = node_get(d, "resolver"), *order = NULL;
	const char *method = node_text(node_get(resolver, "method"), "");
	char at[96];

	snprintf(at, sizeof(at), "%.64s.resolver", key);
	if (r->inside_multi) {
		import_remark(x, IMPORT_CHANGE, d, key, "multi within multi: no counterpart; left out");
		return 0;
	}
	r->inside_multi = true;
	import_unknown(x, d, key, known);
	if (!node_is(watchers, NODE_MAP) || !watchers->nr)
		return import_fail(x, d, key, "the method multi wants \"watchers\"");
	if (!strcmp(method, "sequential")) {
		order = node_get(resolver, "sequential_order");
		if (!node_is(order, NODE_LIST) || !order->nr || order->nr > IMPORT_LIST_MAX)
			return import_fail(x, resolver, at, "the method sequential wants \"sequential_order\"");
		r->in_order = true;
	} else if (!strcmp(method, "fallback")) {
		r->in_order = true;
	} else if (!strcmp(method, "s3_toggle")) {
		import_remark(x, IMPORT_CHANGE, resolver, at,
			      "no counterpart for the method s3_toggle: none of the watchers is taken");
		return 0;
	} else if (strcmp(method, "union")) {
		import_remark(x, IMPORT_CHANGE, resolver, at, "no counterpart for this method: taken as union");
	}
	return children(x, r, watchers, order, key);
}

static int watcher(struct import *x, struct import_route *r, const struct node *d, const char *key)
{
	static const char *const zookeepers[] = { "zookeeper", "zookeeper_poll", "zookeeper_dns",
						  "zookeeper_dns_poll" };
	const char *method = node_text(node_get(d, "method"), "");
	struct quoted q;

	if (!*method)
		return import_fail(x, d, key, "\"method\" is missing");
	for (size_t i = 0; i < sizeof(zookeepers) / sizeof(zookeepers[0]); i++) {
		if (strcmp(method, zookeepers[i]))
			continue;
		if (i)
			import_remark(x, IMPORT_NOTE, d, key, "the method %s becomes a watch of ZooKeeper%s", method,
				      i > 1 ? ", and names that are found there are looked up" : "");
		return zookeeper(x, r, d, key);
	}
	if (!strcmp(method, "dns"))
		return dns(x, r, d, key);
	if (strcmp(method, "base"))
		import_remark(x, IMPORT_CHANGE, d, key, "no counterpart for the method %s; left out",
			      quote(method, &q));
	return 0;
}

/* "discovery_multi" beside "discovery": the latter is the watcher "primary". */
static int both(struct import *x, struct import_route *r, const struct node *d, const struct node *more)
{
	const struct node *resolver = node_get(more, "resolver"), *watchers = node_get(more, "watchers");
	const struct node *order = node_get(resolver, "sequential_order");
	const char *method = node_text(node_get(resolver, "method"), "");
	int e;

	if (!strcmp(method, "s3_toggle")) {
		import_remark(x, IMPORT_CHANGE, resolver, "discovery_multi.resolver",
			      "no counterpart for the method s3_toggle: only \"discovery\" is taken");
		return watcher(x, r, d, "discovery");
	}
	r->inside_multi = true;
	r->in_order = !strcmp(method, "sequential") || !strcmp(method, "fallback");
	if (!r->in_order && strcmp(method, "union"))
		import_remark(x, IMPORT_CHANGE, resolver, "discovery_multi.resolver",
			      "no counterpart for this method: taken as union");
	if (node_is(order, NODE_LIST) && order->nr && strcmp(node_text(order->items[0], ""), "primary"))
		import_remark(x, IMPORT_CHANGE, order, "discovery_multi.resolver",
			      "\"discovery\" is put first; change the order by hand");
	e = watcher(x, r, d, "discovery");
	if (!e && node_is(watchers, NODE_MAP))
		e = children(x, r, watchers, NULL, "discovery_multi");
	return e;
}

/* ---- default servers ---- */

/* How many of @servers are names, and whether one is an address. */
static void count_servers(const struct node *servers, unsigned *ret_names, bool *ret_address)
{
	struct weft_addr addr;

	for (size_t i = 0; node_is(servers, NODE_LIST) && i < servers->nr; i++) {
		if (import_address(node_text(node_get(servers->items[i], "host"), ""), &addr))
			*ret_address = true;
		else
			++*ret_names;
	}
}

static int defaults(struct import *x, struct import_route *r, const struct node *servers, const struct node *filters)
{
	bool keep = node_bool(node_get(r->service, "keep_default_servers"), false), address = false;
	unsigned names = 0, priority = 0, found = r->nr_sources + (r->nr_endpoints > 0);

	count_servers(servers, &names, &address);
	if (found && !keep && ((found == 1 && r->nr_sources == 1) || r->in_order)) {
		r->combine = "first";
		if (names + address > 1)
			import_remark(x, IMPORT_CHANGE, servers, "default_servers",
				      "several, names among them: they count one after the other, not together");
	} else if (found && !keep) {
		priority = 1;
		import_remark(x, IMPORT_CHANGE, servers, "default_servers",
			      "are taken when too few of the others are usable, not only when there are none");
	} else if (keep && r->in_order) {
		r->combine = "first";
		import_remark(x, IMPORT_CHANGE, servers, "keep_default_servers",
			      "they count after all watchers, not beside each");
	}
	return route_servers(x, r, servers, "default_servers", NULL, filters, priority, keep);
}

int route_read(struct import *x, struct import_route *r)
{
	const struct node *d = node_get(r->service, "discovery"), *more = node_get(r->service, "discovery_multi");
	const struct node *servers = node_get(r->service, "default_servers");
	const char *method = node_text(node_get(d, "method"), "");
	bool has = servers && (servers->kind != NODE_LIST || servers->nr), is_multi = !strcmp(method, "multi");
	int e;

	if (!node_is(d, NODE_MAP))
		return import_fail(x, d ? d : r->service, "discovery", d ? "must be a mapping" : "is missing");
	if (!strcmp(method, "dns") && !node_get(d, "servers"))
		has = false; /* they are what is looked up */
	/* With other servers to go to, Synapse believes an empty answer. */
	r->clear = has || !node_bool(node_get(r->service, "use_previous_backends"), true);
	if (is_multi)
		e = multi(x, r, d, "discovery");
	else if (node_is(more, NODE_MAP))
		e = both(x, r, d, more);
	else
		e = watcher(x, r, d, "discovery");
	if (e)
		return e;
	if (r->in_order && r->nr_sources > 1)
		r->combine = "first";
	r->clear = false; /* what a name led to stays */
	return has ? defaults(x, r, servers, is_multi ? NULL : d) : 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Nerve's configuration. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_check.h"

#define METRICS "not needed: the agent serves metrics for Prometheus, see metrics.listen"

static const struct import_known top_keys[] = {
	{ "services", 0, NULL },
	{ "service_conf_dir", 0, NULL },
	{ "instance_id", 0, NULL },
	{ "heartbeat_path", IMPORT_NOTE, "not needed: the agent's own watchdog and systemd see to it that it lives" },
	{ "max_repeated_report_failures", IMPORT_NOTE,
	  "not needed: the agent tries again at growing distances, and does not exit" },
	{ "statsd", IMPORT_NOTE, METRICS },
	{ "ephemeral", IMPORT_NOTE, "not needed" },
	{ NULL, 0, NULL },
};

static const struct import_known service_keys[] = {
	{ "host", 0, NULL },
	{ "port", 0, NULL },
	{ "name", 0, NULL },
	{ "reporter_type", 0, NULL },
	{ "zk_hosts", 0, NULL },
	{ "zk_path", 0, NULL },
	{ "use_path_encoding", 0, NULL },
	{ "node_type", 0, NULL },
	{ "ttl_seconds", 0, NULL },
	{ "etcd_host", 0, NULL },
	{ "etcd_port", 0, NULL },
	{ "etcd_path", 0, NULL },
	{ "check_interval", 0, NULL },
	{ "checks", 0, NULL },
	{ "weight", 0, NULL },
	{ "haproxy_server_options", 0, NULL },
	{ "labels", 0, NULL },
	{ "check_mocked", IMPORT_CHANGE, "no counterpart: checks are made" },
	{ "rate_limiting", IMPORT_CHANGE,
	  "no counterpart: what is reported is bounded by the checks' rise and fall only" },
	{ "load_test_concurrency", IMPORT_CHANGE, "no counterpart" },
	{ NULL, 0, NULL },
};

static int put_weight(struct import *x, const struct node *n, FILE *out)
{
	double weight = 0;

	if (!n)
		return 0;
	if (!node_number(n, &weight) || weight != floor(weight))
		return import_fail(x, n, "weight", "must be a whole number from 0 on");
	if (weight > WEFT_WEIGHT_MAX)
		import_remark(x, IMPORT_CHANGE, n, "weight", "%.0f becomes %d, the most that there is", weight,
			      WEFT_WEIGHT_MAX);
	fprintf(out, "    weight: %.0f\n", weight > WEFT_WEIGHT_MAX ? WEFT_WEIGHT_MAX : weight);
	return 0;
}

static int put_labels(struct import *x, const struct node *labels, FILE *out)
{
	unsigned written = 0;

	if (!labels)
		return 0;
	if (labels->kind != NODE_MAP || labels->nr > IMPORT_LIST_MAX)
		return import_fail(x, labels, "labels", "must be a mapping of at most %d labels", IMPORT_LIST_MAX);
	for (size_t i = 0; i < labels->nr; i++) {
		const char *value = node_text(labels->items[i], "");
		_cleanup_(freep) char *text = NULL;
		struct quoted q;

		if (labels->items[i]->kind > NODE_TEXT || !*labels->keys[i] || strchr(labels->keys[i], '=')) {
			import_remark(x, IMPORT_CHANGE, labels->items[i], "labels",
				      "%s is not one that weft knows; left out", quote(labels->keys[i], &q));
			continue;
		}
		if (asprintf(&text, "%s=%s", labels->keys[i], value) < 0)
			return import_fail_memory(x);
		for (const char *at = text; *at; at++)
			if ((unsigned char)*at < ' ')
				return import_fail(x, labels, "labels", "holds a control character");
		fputs(written++ ? ", " : "    labels: [", out);
		import_put(out, text);
	}
	fputs(written ? "]\n" : "", out);
	return 0;
}

static int put_text(struct import *x, const struct node *n, const char *from, const char *to, FILE *out)
{
	const char *text = NULL;
	int r;

	if (!n || (n->kind == NODE_TEXT && !*n->text))
		return 0;
	r = import_text(x, n, from, &text);
	if (r)
		return r;
	fprintf(out, "    %s: ", to);
	import_put(out, text);
	fputc('\n', out);
	return 0;
}

static int put_node_type(struct import *x, const struct node *service, FILE *out)
{
	static const char *const types[] = { "ephemeral_sequential", "persistent_sequential", "persistent",
					     "ephemeral" };
	const struct node *n = node_get(service, "node_type"), *ttl = node_get(service, "ttl_seconds");
	const char *type = node_text(n, types[0]);
	double seconds = 0;
	char text[32];
	size_t i = 0;

	while (i < 4 && strcmp(types[i], type))
		i++;
	if (i == 4 || (n && n->kind != NODE_TEXT))
		return import_fail(x, n, "node_type",
				   "must be ephemeral_sequential, persistent_sequential, persistent or ephemeral");
	if (n)
		fprintf(out, "    node-type: %s\n", types[i]);
	if (!ttl)
		return 0;
	if (!node_number(ttl, &seconds) || seconds <= 0)
		return import_fail(x, ttl, "ttl_seconds", "must be a number of seconds");
	if (i == 0 || i == 3)
		import_remark(x, IMPORT_NOTE, ttl, "ttl_seconds", "not needed: of persistent nodes only");
	else
		fprintf(out, "    ttl: %s\n", import_ms(seconds * 1000, 1000, 86400000, text, sizeof(text)));
	return 0;
}

static int put_zookeeper(struct import *x, const struct node *service, const struct node *id, FILE *out)
{
	_cleanup_(freep) char *path = NULL;
	const char *registry = NULL;
	int r;

	r = import_zookeeper(x, node_get(service, "zk_hosts"), "zk_hosts", &registry);
	if (!r)
		r = import_path(x, node_get(service, "zk_path"), "zk_path", &path);
	if (r)
		return r;
	fprintf(out, "    registry: %s\n    path: ", registry);
	import_put(out, path);
	fputc('\n', out);
	if (node_bool(node_get(service, "use_path_encoding"), false))
		fputs("    path-encoding: true\n", out);
	r = put_text(x, id, "instance_id", "id", out);
	if (!r)
		r = put_node_type(x, service, out);
	if (!r)
		r = put_text(x, node_get(service, "haproxy_server_options"), "haproxy_server_options",
			     "haproxy-server-options", out);
	return r;
}

static int put_etcd(struct import *x, const struct node *service, const struct node *id, unsigned port, FILE *out)
{
	_cleanup_(freep) char *prefix = NULL, *text = NULL, *key = NULL;
	const struct node *host = node_get(service, "etcd_host"), *path = node_get(service, "etcd_path");
	const char *name = NULL, *registry = NULL, *own = NULL;
	double interval = 0.5;
	unsigned etcd_port = 0;
	char ttl[32];
	int r;

	if (!host)
		return import_fail(x, service, "etcd_host", "is missing");
	r = import_text(x, host, "etcd_host", &name);
	if (!r)
		r = import_port(x, node_get(service, "etcd_port"), "etcd_port", &etcd_port);
	if (!r && path)
		r = import_path(x, path, "etcd_path", &prefix);
	if (!r && id)
		r = import_text(x, id, "instance_id", &own);
	if (r)
		return r;
	if (asprintf(&key, "%s:%u", name, etcd_port ? etcd_port : 4003) < 0 ||
	    asprintf(&text, "    servers: [\"%s\"]\n", key) < 0)
		return import_fail_memory(x);
	if (strpbrk(key, "\"\\ "))
		return import_fail(x, host, "etcd_host", "is no host name");
	import_remark(x, IMPORT_CHANGE, host, "etcd_host",
		      "written by etcd's version 3, not 2: readers must be moved, too; is the port right?");
	registry = import_registry(x, "etcd", "etcd", key, text);
	if (!registry)
		return import_fail_memory(x);
	fprintf(out, "    registry: %s\n    prefix: ", registry);
	import_put(out, prefix ? prefix : "/");
	fputc('\n', out);
	if (own) { /* Nerve's keys were numbered: one instance may have several below a path */
		free(MOVE(text, NULL));
		if (asprintf(&text, "%s-%u", own, port) < 0)
			return import_fail_memory(x);
		fputs("    id: ", out);
		import_put(out, text);
		fputc('\n', out);
	}
	if (node_get(service, "check_interval") && !node_number(node_get(service, "check_interval"), &interval))
		interval = 0.5;
	fprintf(out, "    ttl: %s\n", import_ms(ceil(5 * interval) * 1000, 1000, 86400000, ttl, sizeof(ttl)));
	return 0;
}

/* False: it goes to no registry that weft knows. */
static int put_registry(struct import *x, const struct node *service, const struct node *id, unsigned port, FILE *out,
			bool *ret_known)
{
	const struct node *n = node_get(service, "reporter_type");
	const char *type = node_text(n, "zookeeper");
	struct quoted q;

	*ret_known = true;
	if (!strcmp(type, "zookeeper"))
		return put_zookeeper(x, service, id, out);
	if (!strcmp(type, "etcd"))
		return put_etcd(x, service, id, port, out);
	*ret_known = false;
	import_remark(x, IMPORT_CHANGE, n, "reporter_type", "no counterpart for the reporter %s; left out",
		      quote(type, &q));
	return 0;
}

/* False: others cannot reach it by what is written. */
static int put_address(struct import *x, const struct node *service, unsigned port, FILE *out, bool *ret_known)
{
	const struct node *n = node_get(service, "host");
	const char *host = NULL;
	char text[ADDR_TEXT_LEN];
	struct weft_addr addr;
	struct quoted q;
	int r;

	if (!n)
		return import_fail(x, service, "host", "is missing");
	r = import_text(x, n, "host", &host);
	if (r)
		return r;
	fputs("    address: ", out);
	*ret_known = import_address(host, &addr) && !weft_addr_is_any(&addr);
	if (!*ret_known) {
		import_remark(x, IMPORT_CHANGE, n, "host", "%s is no address, which is what weft registers; left out",
			      quote(host, &q));
		snprintf(text, sizeof(text), "ADDRESS:%u", port);
	} else {
		addr_port_format(&addr, (uint16_t)port, text, sizeof(text));
	}
	if (!strcmp(host, "localhost"))
		import_remark(x, IMPORT_CHANGE, n, "host", "localhost becomes 127.0.0.1, which others do not reach");
	import_put(out, text);
	fputc('\n', out);
	return 0;
}

static int put_announcement(struct import *x, const char *name, const struct node *service, const struct node *id,
			    FILE *out, bool *ret_known)
{
	bool known = true;
	unsigned port = 0;
	int r;

	if (!node_get(service, "port"))
		return import_fail(x, service, "port", "is missing");
	r = import_port(x, node_get(service, "port"), "port", &port);
	if (r)
		return r;
	fputs("  - name: ", out);
	import_put(out, name);
	fputc('\n', out);
	r = put_address(x, service, port, out, ret_known);
	if (!r)
		r = put_registry(x, service, id, port, out, &known);
	*ret_known &= known;
	if (!r)
		r = put_weight(x, node_get(service, "weight"), out);
	if (!r)
		r = put_labels(x, node_get(service, "labels"), out);
	if (!r)
		r = import_checks(x, service, port, out);
	return r;
}

static int one_service(struct import *x, const char *given, const struct node *service, void *ctx)
{
	_cleanup_(freep) char *text = NULL;
	char name[WEFT_NAME_LEN];
	size_t first = x->nr_remarks, len = 0;
	bool known = false;
	FILE *out;
	int r;

	r = import_name(x, given, name, sizeof(name));
	if (r)
		return r;
	out = open_memstream(&text, &len);
	if (!out)
		return import_fail_memory(x);
	import_unknown(x, service, "", service_keys);
	r = put_announcement(x, name, service, ctx, out, &known);
	if (fclose(out))
		return import_fail_memory(x);
	if (!r)
		import_put_entry(x, x->announcements, first, text, !known);
	x->nr_announcements += !r && known;
	return r;
}

int import_nerve(struct import *x, const struct node *root, const struct import_part *parts, const struct tree *trees,
		 size_t nr)
{
	const struct node *id = node_get(root, "instance_id");

	*x->where = '\0';
	import_unknown(x, root, "", top_keys);
	if (!id)
		import_remark(x, IMPORT_CHANGE, root, "instance_id",
			      "is missing (given on Nerve's command line?): instances get the name of the node");
	return import_each_service(x, root, parts, trees, nr, one_service, (void *)id);
}

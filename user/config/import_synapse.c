/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Synapse's configuration. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_haproxy.h"
#include "config/import_route.h"

#define NO_PROXY "not needed: there is no HAProxy to write a configuration for, and nothing to reload"
#define METRICS	 "not needed: the agent serves metrics for Prometheus, see metrics.listen"

/* What the file says of all services. */
struct synapse {
	struct haproxy haproxy; /* haproxy.defaults */
	const struct node *bind_address;
};

static const struct import_known top_keys[] = {
	{ "services", 0, NULL },
	{ "service_conf_dir", 0, NULL },
	{ "haproxy", 0, NULL },
	{ "file_output", 0, NULL },
	{ "statsd", IMPORT_NOTE, METRICS },
	{ "instance_id", 0, NULL },
	{ "nginx", IMPORT_CHANGE, "no counterpart" },
	{ NULL, 0, NULL },
};

static const struct import_known haproxy_keys[] = {
	{ "bind_address", 0, NULL },
	{ "defaults", 0, NULL },
	{ "global", IMPORT_NOTE, NO_PROXY },
	{ "do_writes", IMPORT_NOTE, NO_PROXY },
	{ "do_reloads", IMPORT_NOTE, NO_PROXY },
	{ "do_socket", IMPORT_NOTE, NO_PROXY },
	{ "do_checks", IMPORT_NOTE, NO_PROXY },
	{ "config_file_path", IMPORT_NOTE, NO_PROXY },
	{ "candidate_config_file_path", IMPORT_NOTE, NO_PROXY },
	{ "socket_file_path", IMPORT_NOTE, NO_PROXY },
	{ "reload_command", IMPORT_NOTE, NO_PROXY },
	{ "check_command", IMPORT_NOTE, NO_PROXY },
	{ "restart_interval", IMPORT_NOTE, NO_PROXY },
	{ "restart_jitter", IMPORT_NOTE, NO_PROXY },
	{ "state_file_path", IMPORT_NOTE, "not needed: the agent keeps what registries said last" },
	{ "state_file_ttl", IMPORT_NOTE, "not needed: the agent keeps what registries said last" },
	{ "server_order_seed", IMPORT_NOTE, NO_PROXY },
	{ "max_server_id", IMPORT_NOTE, NO_PROXY },
	{ "shared_frontend", IMPORT_CHANGE, "no counterpart: weft does not look into connections" },
	{ "extra_sections", IMPORT_CHANGE, "no counterpart: they stay with an HAProxy of your own" },
	{ NULL, 0, NULL },
};

static const struct import_known service_keys[] = {
	{ "name", 0, NULL },
	{ "discovery", 0, NULL },
	{ "discovery_multi", 0, NULL },
	{ "default_servers", 0, NULL },
	{ "keep_default_servers", 0, NULL },
	{ "use_previous_backends", 0, NULL },
	{ "backend_port_override", 0, NULL },
	{ "leader_election", 0, NULL },
	{ "haproxy", 0, NULL },
	{ "file_output", IMPORT_CHANGE, "of single services: no counterpart; file-output writes all of them" },
	{ "nginx", IMPORT_CHANGE, "no counterpart" },
	{ NULL, 0, NULL },
};

static const struct import_known service_haproxy_keys[] = {
	{ "port", 0, NULL },
	{ "bind_address", 0, NULL },
	{ "server_port_override", 0, NULL },
	{ "server_options", 0, NULL },
	{ "frontend", 0, NULL },
	{ "backend", 0, NULL },
	{ "listen", 0, NULL },
	{ "disabled", 0, NULL },
	{ "use_nerve_weights", 0, NULL },
	{ "backend_name", IMPORT_NOTE, "not needed: there is no HAProxy that something could name" },
	{ "backend_order", IMPORT_NOTE, "not needed: endpoints have no order" },
	{ "cookie_value_method", IMPORT_CHANGE, "no counterpart: affinity goes by the caller, see affinity" },
	{ "bind_options", IMPORT_CHANGE, "no counterpart: weft does not listen; TLS stays with the application" },
	{ "shared_frontend", IMPORT_CHANGE, "no counterpart: weft does not look into connections" },
	{ NULL, 0, NULL },
};

/* The address that HAProxy listens on is what applications connect to. */
static int read_bind(struct import *x, const struct node *h, const struct synapse *s, struct weft_addr *ret)
{
	const struct node *n = node_get(h, "bind_address") ? node_get(h, "bind_address") : s->bind_address;
	const char *text = "localhost";
	struct quoted q;
	int r;

	r = n ? import_text(x, n, "haproxy.bind_address", &text) : 0;
	if (r)
		return r;
	if (strcmp(text, "*") && import_address(text, ret) && !weft_addr_is_any(ret))
		return 0;
	import_remark(
		x, IMPORT_CHANGE, n, "haproxy.bind_address",
		"%s becomes 127.0.0.1: a service has an address of its own, which only this node's processes reach",
		quote(text, &q));
	return import_address("127.0.0.1", ret) ? 0 : -EINVAL;
}

static int claim(struct import *x, const char *name, const char *address, const struct node *n)
{
	struct import_claim *more;

	for (size_t i = 0; i < x->nr_claims; i++) {
		if (!strcmp(x->claims[i].service, name))
			return import_fail(x, n, "", "the service is there twice");
		if (*address && !strcmp(x->claims[i].address, address))
			return import_fail(x, n, "haproxy.port", "%s is the address of service \"%s\", too", address,
					   x->claims[i].service);
	}
	more = reallocarray(x->claims, x->nr_claims + 1, sizeof(*more));
	if (!more)
		return import_fail_memory(x);
	x->claims = more;
	more[x->nr_claims] = (struct import_claim){ .address = strdup(address), .service = strdup(name) };
	x->nr_claims++;
	return more[x->nr_claims - 1].address && more[x->nr_claims - 1].service ? 0 : import_fail_memory(x);
}

static int read_haproxy(struct import *x, const struct node *h, struct haproxy *ret)
{
	int r;

	r = haproxy_lines(x, node_get(h, "listen"), "haproxy.listen", false, ret);
	if (!r)
		r = haproxy_lines(x, node_get(h, "frontend"), "haproxy.frontend", false, ret);
	if (!r)
		r = haproxy_lines(x, node_get(h, "backend"), "haproxy.backend", false, ret);
	if (!r)
		r = haproxy_server(x, node_get(h, "server_options"), "haproxy.server_options", ret);
	if (!r && ret->check.http && !ret->check.on)
		import_remark(x, IMPORT_NOTE, h, "haproxy",
			      "option httpchk does nothing without the server option "
			      "check");
	import_unknown(x, h, "haproxy", service_haproxy_keys);
	if (!node_bool(node_get(h, "use_nerve_weights"), true))
		import_remark(x, IMPORT_CHANGE, node_get(h, "use_nerve_weights"), "haproxy.use_nerve_weights",
			      "false: no counterpart here: weights count, unless the parent node says otherwise "
			      "(docs/ZOOKEEPER.md)");
	return r;
}

/* Why it cannot be one of weft's services; NULL: it can. */
static const char *why_left_out(const struct node *h, unsigned port, const struct import_route *route)
{
	if (node_bool(node_get(h, "disabled"), false))
		return "haproxy.disabled: left out";
	if (!port)
		return "haproxy.port is missing, so it has no address; left out";
	if (!route->nr_sources && !route->nr_endpoints)
		return "nothing is left that it could get endpoints from; left out";
	return NULL;
}

static void put_service(FILE *out, const char *name, const char *address, const struct haproxy *h,
			struct import_route *route)
{
	fputs("  - name: ", out);
	import_put(out, name);
	fputs("\n    address: ", out);
	import_put(out, address);
	fputc('\n', out);
	haproxy_put(h, out);
	fflush(route->sources);
	fflush(route->endpoints);
	if (route->nr_sources)
		fprintf(out, "    discover:\n%s", route->sources_text);
	if (route->nr_endpoints)
		fprintf(out, "    endpoints:\n%s", route->endpoints_text);
	if (route->combine && route->nr_sources)
		fprintf(out, "    combine: %s\n", route->combine);
}

static int read_ports(struct import *x, const struct node *service, const struct node *h, struct import_route *route,
		      unsigned *ret_port)
{
	const struct node *override = node_get(service, "backend_port_override");
	int r;

	r = import_port(x, node_get(h, "port"), "haproxy.port", ret_port);
	if (!r && override)
		return import_port(x, override, "backend_port_override", &route->port);
	if (!r)
		r = import_port(x, node_get(h, "server_port_override"), "haproxy.server_port_override", &route->port);
	return r;
}

static int write_service(struct import *x, const char *name, const struct node *service, size_t first,
			 const struct weft_addr *addr, unsigned port, const struct haproxy *said,
			 struct import_route *route)
{
	_cleanup_(freep) char *text = NULL;
	char address[ADDR_TEXT_LEN] = "";
	const char *why;
	size_t len = 0;
	FILE *out;
	int r;

	why = why_left_out(node_get(service, "haproxy"), port, route);
	if (why)
		import_remark(x, IMPORT_CHANGE, service, "", "%s", why);
	if (port)
		addr_port_format(addr, (uint16_t)port, address, sizeof(address));
	r = claim(x, name, why ? "" : address, service);
	if (r)
		return r;
	out = open_memstream(&text, &len);
	if (!out)
		return import_fail_memory(x);
	put_service(out, name, port ? address : "ADDRESS:PORT", said, route);
	if (fclose(out))
		return import_fail_memory(x);
	import_put_entry(x, x->services, first, text, why != NULL);
	x->nr_services += !why;
	return 0;
}

static int one_service(struct import *x, const char *given, const struct node *service, void *ctx)
{
	const struct synapse *s = ctx;
	const struct node *h = node_get(service, "haproxy");
	_cleanup_(route_done) struct import_route route = { .service = service };
	struct haproxy said = s->haproxy;
	size_t first = x->nr_remarks;
	char name[WEFT_NAME_LEN];
	struct weft_addr addr;
	unsigned port = 0;
	int r;

	if (h && h->kind != NODE_MAP)
		return import_fail(x, h, "haproxy", "must be a mapping, not %s", node_kind_name(h));
	r = import_name(x, given, name, sizeof(name));
	if (!r)
		r = read_ports(x, service, h, &route, &port);
	if (!r)
		r = read_bind(x, h, s, &addr);
	if (!r)
		r = route_open(x, &route);
	if (r)
		return r;
	route.v4 = weft_addr_is_v4(&addr);
	route.leader = node_bool(node_get(service, "leader_election"), false);
	import_unknown(x, service, "", service_keys);
	r = read_haproxy(x, h, &said);
	if (!r)
		r = route_read(x, &route);
	return r ? r : write_service(x, name, service, first, &addr, port, &said, &route);
}

static int read_file_output(struct import *x, const struct node *root)
{
	const struct node *n = node_get(node_get(root, "file_output"), "output_directory");
	const char *text = NULL;
	int r;

	if (!n)
		return 0;
	r = import_text(x, n, "file_output.output_directory", &text);
	if (r)
		return r;
	if (*text != '/' || (x->file_output && strcmp(x->file_output, text))) {
		import_remark(x, IMPORT_CHANGE, n, "file_output.output_directory",
			      *text != '/' ? "must be an absolute path; left out"
					   : "there is one folder for all; left out");
		return 0;
	}
	if (!x->file_output)
		x->file_output = strdup(text);
	return x->file_output ? 0 : import_fail_memory(x);
}

int import_synapse(struct import *x, const struct node *root, const struct import_part *parts, const struct tree *trees,
		   size_t nr)
{
	const struct node *h = node_get(root, "haproxy");
	struct synapse s = { .bind_address = node_get(h, "bind_address") };
	int r;

	*x->where = '\0';
	if (h && h->kind != NODE_MAP)
		return import_fail(x, h, "haproxy", "must be a mapping, not %s", node_kind_name(h));
	import_unknown(x, root, "", top_keys);
	import_unknown(x, h, "haproxy", haproxy_keys);
	r = haproxy_lines(x, node_get(h, "defaults"), "haproxy.defaults", true, &s.haproxy);
	if (!r)
		r = read_file_output(x, root);
	return r ? r : import_each_service(x, root, parts, trees, nr, one_service, &s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/api.h"
#include "agent/registries.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "discovery/backends.h"
#include "health/health.h"
#include "plane/maps.h"
#include "plane/standing.h"

#define OK	    200u
#define NOT_FOUND   404u
#define UNAVAILABLE 503u

json_t *api_error(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:o}", "error", text_json(text));
}

/* ---- the endpoints of one service ---- */

struct endpoints {
	const struct service *service;
	const struct backends *backends;
	json_t *list;
	json_t *checks; /* by address and port as text */
};

static int by_address(const void *a, const void *b)
{
	return endpoint_compare(a, b);
}

static const struct endpoint *find_endpoint(const struct service *s, const struct plane_endpoint *p)
{
	const struct endpoint key = { .addr = p->addr, .port = p->port };

	return s->nr_endpoints ? bsearch(&key, s->endpoints, s->nr_endpoints, sizeof(key), by_address) : NULL;
}

/* What is told of every endpoint; one that has left its service has nothing more. */
static json_t *standing_json(const struct plane_endpoint *p, bool left)
{
	char at[ADDR_TEXT_LEN], host[ADDR_TEXT_LEN];
	bool draining = left || p->out & WEFT_OUT_DRAINED;

	return json_pack("{s:s s:s s:i s:s s:b s:b s:b s:I}", "address",
			 addr_port_format(&p->addr, p->port, at, sizeof(at)), "host",
			 addr_format(&p->addr, host, sizeof(host)), "port", p->port, "state", p->state, "ready",
			 p->ready, "ejected", (p->out & WEFT_OUT_EJECTED) != 0, "draining", draining, "connections",
			 (json_int_t)p->connections);
}

static int add_endpoint(void *ctx, const struct plane_endpoint *p)
{
	struct endpoints *x = ctx;
	bool left = !strcmp(p->state, "draining");
	const struct endpoint *e = left ? NULL : find_endpoint(x->service, p);
	json_t *j = standing_json(p, !e), *more = NULL, *check;
	const struct found_endpoint *f;
	char at[ADDR_TEXT_LEN];

	if (e) {
		f = backends_find(x->backends, &p->addr, p->port);
		more = json_pack("{s:i s:i s:o s:o s:o}", "weight", e->weight, "priority", e->priority, "zone",
				 text_json(e->zone), "name", text_json(f ? f->name : NULL), "id",
				 text_json(f ? f->id : NULL));
		json_object_update(j, more);
		json_decref(more);
		more = backend_json(e, f);
		json_object_set(j, "labels", json_object_get(more, "labels"));
		json_decref(more);
		check = json_object_get(x->checks, addr_port_format(&p->addr, p->port, at, sizeof(at)));
		json_object_set(j, "health", check ? check : json_null());
	}
	return j && json_array_append_new(x->list, j) == 0 ? 0 : -1;
}

/* What health checks found, by endpoint. */
static json_t *checks_json(const struct agent *a, const char *service)
{
	static const char *const kept[] = { "check",	   "state",  "since_unix", "last_unix",
					    "last_passed", "in_row", "last_text",  "duration_ms" };
	json_t *all = health_json(a->health, service), *by = json_object(), *one;
	size_t i;

	json_array_foreach(json_object_get(all, "endpoints"), i, one)
	{
		json_t *j = json_object();

		for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
			if (json_object_get(one, kept[k]))
				json_object_set(j, kept[k], json_object_get(one, kept[k]));
		json_object_set_new(by, json_string_value(json_object_get(one, "endpoint")), j);
	}
	json_decref(all);
	return by;
}

static json_t *endpoints_json(const struct agent *a, const struct service *s)
{
	_cleanup_(backends_freep) struct backends *b = backends_new(a->discovery, s);
	struct endpoints x = { s, b, b ? json_array() : NULL, checks_json(a, s->name) };

	if (x.list)
		plane_each_endpoint(a->plane, s->name, add_endpoint, &x);
	json_decref(x.checks);
	return x.list;
}

/* ---- services ---- */

static int count_ready(void *ctx, const struct plane_endpoint *e)
{
	*(size_t *)ctx += e->ready;
	return 0;
}

static json_t *service_json(const struct agent *a, const struct service *s)
{
	json_t *addresses = json_array();
	char at[ADDR_TEXT_LEN];
	size_t ready = 0;

	for (size_t i = 0; i < s->nr_frontends; i++)
		json_array_append_new(addresses, json_string(addr_port_format(&s->frontends[i].addr,
									      s->frontends[i].port, at, sizeof(at))));
	plane_each_endpoint(a->plane, s->name, count_ready, &ready);
	return json_pack("{s:s s:o s:s s:s s:I s:I s:o}", "name", s->name, "addresses", addresses, "protocol",
			 proto_name(s->proto), "balance", lb_name(s->lb), "endpoints", (json_int_t)s->nr_endpoints,
			 "ready", (json_int_t)ready, "from", text_json(s->file));
}

static json_t *list_services(const struct agent *a)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < a->model->nr; i++)
		json_array_append_new(list, service_json(a, a->model->services[i]));
	return list;
}

struct sources {
	const char *service;
	json_t *list;
};

static int add_source(void *ctx, const struct source_view *v)
{
	struct sources *x = ctx;

	if (strcmp(v->service, x->service) != 0)
		return 0;
	return json_array_append_new(x->list,
				     json_pack("{s:s s:s s:s s:o s:o s:I}", "registry", v->registry, "type", v->type,
					       "state", source_state_name(v->state), "error", text_json(v->error),
					       "age_seconds", v->age < 0 ? json_null() : json_real(v->age), "endpoints",
					       (json_int_t)v->found->nr));
}

static json_t *show_service(const struct agent *a, const struct service *s)
{
	struct sources x = { s->name, json_array() };
	json_t *j = service_json(a, s);

	if (a->discovery)
		discovery_each_source(a->discovery, add_source, &x);
	json_object_set_new(j, "sources", x.list);
	json_object_set_new(j, "endpoints", endpoints_json(a, s));
	return j;
}

/* NAME or NAME/hosts; names may have slashes. */
static json_t *answer_service(const struct agent *a, const char *name, unsigned *ret_code)
{
	static const char hosts[] = "/hosts";
	size_t len = strlen(name), end = sizeof(hosts) - 1;
	const struct service *s = model_find(a->model, name);
	char other[WEFT_NAME_LEN];

	*ret_code = OK;
	if (s)
		return show_service(a, s);
	if (len > end && len - end < sizeof(other) && !strcmp(name + len - end, hosts)) {
		snprintf(other, sizeof(other), "%.*s", (int)(len - end), name);
		s = model_find(a->model, other);
		if (s)
			return backends_json(a->discovery, s);
		name = other;
	}
	*ret_code = NOT_FOUND;
	return api_error("there is no service \"%s\"", name);
}

/* ---- the agent ---- */

struct registries_count {
	json_int_t nr, failing;
};

static int count_registry(void *ctx, const struct registry_view *v)
{
	struct registries_count *c = ctx;

	c->nr++;
	c->failing += v->failing;
	return 0;
}

/* An old state is served as well as a new one, so that is no reason to be down. */
static json_t *show_health(const struct agent *a, unsigned *ret_code)
{
	const char *dir = plane_maps(a->plane)->dir;
	bool gone = access(dir, F_OK) == -1;
	struct registries_count c = { 0 };
	char text[4200] = "";

	if (a->discovery)
		discovery_each_registry(a->discovery, count_registry, &c);
	if (gone)
		snprintf(text, sizeof(text), "%s is gone: somebody unloaded this instance; restart the agent", dir);
	else
		snprintf(text, sizeof(text), "%s", a->last_error);
	*ret_code = gone ? UNAVAILABLE : OK;
	return json_pack("{s:s s:b s:o s:I s:I s:I s:I}", "status", gone ? "DOWN" : "UP", "ready", a->ready, "error",
			 text_json(text), "services", (json_int_t)a->seen.services, "endpoints",
			 (json_int_t)a->seen.endpoints, "registries", c.nr, "registries_failing", c.failing);
}

bool api_has(const char *url)
{
	size_t len = strlen(API_PREFIX);

	return !strncmp(url, API_PREFIX, len) && (!url[len] || url[len] == '/');
}

json_t *api_get(const struct agent *a, const char *url, unsigned *ret_code)
{
	static const char services[] = "/services";
	const char *path = url + strlen(API_PREFIX);

	*ret_code = OK;
	if (!strcmp(path, "/health"))
		return show_health(a, ret_code);
	if (!strcmp(path, "/registries"))
		return registries_json(a);
	if (!strncmp(path, services, sizeof(services) - 1) && !a->model) {
		*ret_code = UNAVAILABLE;
		return api_error("what runs is not known: %s", a->last_error);
	}
	if (!strcmp(path, services))
		return list_services(a);
	if (!strncmp(path, services, sizeof(services) - 1) && path[sizeof(services) - 1] == '/')
		return answer_service(a, path + sizeof(services), ret_code);
	*ret_code = NOT_FOUND;
	return api_error("there is no %s; /v1/services, /v1/services/NAME, /v1/services/NAME/hosts, /v1/registries and "
			 "/v1/health are",
			 url);
}

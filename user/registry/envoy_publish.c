/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From clusters to services, as the core has them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/envoy.h"

/* ---- endpoints ---- */

struct choice {
	const struct weft_addr *at;
	size_t nr;
};

static struct choice addresses_of(const struct envoy_entry *x, const struct found_endpoint *e)
{
	struct choice c = { .at = &e->endpoint.addr, .nr = 1 };

	if (e->host)
		c.at = hosts_addrs(&x->hosts, e->host, &c.nr);
	return c;
}

/* Of the address, or as the cluster says, or of the first endpoint. */
static bool wants_v4(const struct envoy_entry *x)
{
	if (x->c.service->nr_frontends)
		return weft_addr_is_v4(&x->c.service->frontends[0].addr);
	if (x->c.family != ENVOY_ANY)
		return x->c.family == ENVOY_V4;
	for (size_t i = 0; i < x->found.nr; i++) {
		struct choice c = addresses_of(x, &x->found.at[i]);

		for (size_t k = 0; k < c.nr; k++)
			if (x->found.at[i].host ? weft_addr_is_v4(&c.at[k]) : true)
				return weft_addr_is_v4(&c.at[k]);
	}
	return true;
}

static int add_endpoints(const struct envoy_entry *x, struct service *s)
{
	bool v4 = wants_v4(x);

	for (size_t i = 0; i < x->found.nr; i++) {
		struct choice c = addresses_of(x, &x->found.at[i]);

		for (size_t k = 0; k < c.nr; k++) {
			struct endpoint e = x->found.at[i].endpoint;

			e.addr = c.at[k];
			if ((bool)weft_addr_is_v4(&e.addr) == v4 && service_add_endpoint(s, &e))
				return -ENOMEM;
		}
	}
	return 0;
}

/* ---- its address ---- */

/* The port that all endpoints have. 0: there is none, or several. */
static uint16_t common_port(const struct found *f)
{
	for (size_t i = 1; i < f->nr; i++)
		if (f->at[i].endpoint.port != f->at[0].endpoint.port)
			return 0;
	return f->nr ? f->at[0].endpoint.port : 0;
}

/* A port without an address: a pool gives it one. 0, -ENOMEM, or -ENOENT: there is no port either. */
static int add_frontend(struct envoy_entry *x, struct service *s)
{
	struct frontend f = { .port = x->c.port ? x->c.port : common_port(&x->found) };

	if (s->nr_frontends)
		return 0;
	return f.port ? service_add_frontend(s, &f) : -ENOENT;
}

/* ---- publishing ---- */

/* *ret NULL: it is not known well enough yet, and what was there stays. */
static int build(struct envoy_entry *x, struct service **ret)
{
	_cleanup_(service_unrefp) struct service *s = NULL;
	int r;

	*ret = NULL;
	if (!x->c.service || !x->answered)
		return 0;
	s = service_clone(x->c.service);
	if (!s)
		return -ENOMEM;
	r = add_endpoints(x, s);
	if (!r && !s->nr_endpoints && x->found.nr)
		return 0; /* their names have no address, or not yet */
	if (!r)
		r = add_frontend(x, s);
	if (r == -ENOENT) {
		registry_odd(&x->e->r, "cluster %s has no address, and no port to get one for", x->key);
		return 0;
	}
	if (!r)
		*ret = MOVE(s, NULL);
	return r;
}

static void put(struct envoy_entry *x)
{
	_cleanup_(service_unrefp) struct service *s = NULL;

	if (build(x, &s))
		registry_failed(&x->e->r, "no memory for cluster %s", x->key);
	if (s)
		registry_put(&x->e->r, s);
	else if (*x->name)
		registry_keep(&x->e->r, x->name);
}

void envoy_entry_publish(struct envoy_entry *x)
{
	if (x->e->taking)
		return;
	if (x->e->synced)
		put(x);
	else
		envoy_sync(x->e);
}

/* An empty answer is what a control plane says that has lost its memory. */
void envoy_entry_found(struct envoy_entry *x, struct found *f)
{
	struct envoy *e = x->e;

	if (!f->nr && x->found.nr && !e->believes_empty) {
		if (!x->held)
			log_msg(LOG_L_WARNING,
				"registry %s has no endpoint for cluster %s any more; keeping what was there (\"empty: "
				"clear\" would not)",
				e->r.name, x->key);
		x->held = true;
		found_done(f);
		return;
	}
	x->held = false;
	if (!x->answered || !found_equal(&x->found, f)) {
		found_done(&x->found);
		x->found = *f;
		*f = (struct found){ 0 };
	}
	found_done(f);
	x->answered = true;
	if (found_has_hosts(&x->found) && !e->resolver && names_new(e->r.loop, &e->resolver) == 0)
		e->handles++;
	if (e->resolver && hosts_follow(&x->hosts, e->resolver, &x->found))
		registry_odd(&e->r, "no memory to look up the hosts of cluster %s", x->key);
	if (!found_has_hosts(&x->found))
		x->settled = true;
	envoy_entry_publish(x);
}

void envoy_entry_settle(struct envoy_entry *x)
{
	if (x->settled)
		return;
	x->settled = true;
	if (!x->e->synced)
		envoy_sync(x->e);
}

/* ---- all of them ---- */

static void on_sync_time(uv_timer_t *timer)
{
	struct envoy *e = timer->data;

	if (!e->synced && !e->closing && e->nr_entries) {
		e->synced = true;
		envoy_sync(e);
	}
}

/* The first time all that can be known at once is waited for, within bounds: what was there before stays until then. */
static bool is_too_early(struct envoy *e)
{
	if (e->synced)
		return false;
	for (size_t i = 0; i < e->nr_entries; i++)
		if (!e->entries[i]->settled) {
			if (!uv_is_active((uv_handle_t *)&e->sync_timer))
				uv_timer_start(&e->sync_timer, on_sync_time, e->timeout_ms, 0);
			return true;
		}
	return false;
}

void envoy_sync(struct envoy *e)
{
	if (e->taking || is_too_early(e))
		return;
	e->synced = true;
	uv_timer_stop(&e->sync_timer);
	registry_sync_begin(&e->r);
	for (size_t i = 0; i < e->nr_entries; i++)
		put(e->entries[i]);
	registry_sync_end(&e->r);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The DNS as a registry: names with addresses, or with SRV records. There is no watching here: an answer is good for
 * its TTL, within bounds, and then it is asked for again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/ttl.h"
#include "registry/dns_srv.h"
#include "registry/providers.h"

#define FIRST_MS       1000
#define BACKOFF_MAX_MS 30000
#define PER_SECOND     200 /* names of few seconds' TTL are many reads, and a server of the DNS stands them */

struct dns {
	struct registry r;
	struct cares *cares;
	struct pace pace;
	struct ttl_bounds bounds;
};

struct dns_lookup {
	struct lookup l;
	const char *name;
	bool srv;
	uint32_t port; /* of addresses */
	uv_timer_t timer;
	struct backoff backoff;
	struct resolve *resolve;
	struct name_addrs known;
	struct srv_round *round;
	struct srv_targets targets;
};

static struct dns *dns_of(const struct dns_lookup *d)
{
	return (struct dns *)d->l.registry;
}

static int open_dns(struct registry *r)
{
	struct dns *dns = (struct dns *)r;
	struct cares_options options = {
		.servers = options_list(r->options, "servers"),
		.search = options_list(r->options, "search"),
		.ndots = options_find(r->options, "ndots") ? (int)options_number(r->options, "ndots", 1) : -1,
		.timeout_ms = options_ms(r->options, "timeout", 0),
	};
	uint32_t per_second = options_number(r->options, "reads-per-second", PER_SECOND);
	char text[192];
	int e;

	e = cares_new(r->loop, &options, &dns->cares, text, sizeof(text));
	if (e) {
		registry_failed(r, "%s", e == -EINVAL ? text : "not enough memory");
		return e;
	}
	dns->bounds.min_ms = options_ms(r->options, "min-ttl", TTL_MIN_MS);
	dns->bounds.max_ms = options_ms(r->options, "max-ttl", TTL_MAX_MS);
	if (dns->bounds.max_ms < dns->bounds.min_ms)
		dns->bounds.max_ms = dns->bounds.min_ms;
	pace_init(&dns->pace, per_second, per_second, uv_now(r->loop));
	return 0;
}

static void on_cares_closed(void *ctx)
{
	registry_closed(ctx);
}

static void close_dns(struct registry *r)
{
	cares_free(((struct dns *)r)->cares, on_cares_closed, r);
}

/* ---- a look-up ---- */

static void on_timer(uv_timer_t *timer);

static void again_in(struct dns_lookup *d, uint32_t ms)
{
	uv_timer_start(&d->timer, on_timer, ms, 0);
}

static void again_after_failure(struct dns_lookup *d)
{
	again_in(d, backoff_next(&d->backoff));
}

static void again_after_answer(struct dns_lookup *d, bool known, uint32_t ttl)
{
	backoff_reset(&d->backoff);
	again_in(d, ttl_ms(&dns_of(d)->bounds, known, ttl));
}

static void fail(struct dns_lookup *d, bool unreachable, const char *text)
{
	if (unreachable)
		registry_failed(d->l.registry, "no DNS server answers");
	else
		registry_heard(d->l.registry);
	lookup_failed(&d->l, "%s", text);
	again_after_failure(d);
}

/* The core may stop the look-up while it is told: so that is the last thing done. */
static void report_addrs(struct dns_lookup *d, bool has_ttl, uint32_t ttl)
{
	struct found found = { 0 };
	int r = 0;

	for (int f = 0; f < 2; f++)
		for (size_t i = 0; r != -ENOMEM && i < d->known.nr[f]; i++) {
			r = found_add(&found, &(struct found_args){ .addr = &d->known.at[f][i], .port = d->port });
			if (r == -EINVAL)
				lookup_odd(&d->l, "%s: an address that cannot be used", d->name);
		}
	if (r == -ENOMEM) {
		found_done(&found);
		fail(d, false, "not enough memory");
		return;
	}
	again_after_answer(d, has_ttl, ttl);
	lookup_found(&d->l, &found);
}

static void on_srv(void *ctx, struct srv_outcome *o)
{
	struct dns_lookup *d = ctx;

	d->round = NULL;
	if (o->odd)
		lookup_odd(&d->l, "%s: %u records without a usable port or address", d->name, o->odd);
	if (!o->found.nr && o->failed) {
		fail(d, false, o->text);
		return;
	}
	if (o->missing)
		lookup_odd(&d->l, "%s: %u targets without an address for now: %s", d->name, o->missing, o->text);
	if (o->failed)
		again_after_failure(d);
	else
		again_after_answer(d, o->ttl != UINT32_MAX, o->ttl);
	lookup_found(&d->l, &o->found);
}

static void on_srv_records(struct dns_lookup *d, struct resolved *r)
{
	struct resolved_part *p = &r->part[0];
	struct found none = { 0 };

	if (p->outcome == OUTCOME_FAILED) {
		fail(d, r->unreachable, r->text);
		return;
	}
	if (p->answers.odd)
		lookup_odd(&d->l, "%s: %u odd records", d->name, p->answers.odd);
	if (p->outcome == OUTCOME_NONE) {
		again_after_answer(d, p->answers.has_ttl, p->answers.ttl);
		lookup_found(&d->l, &none);
	} else if (srv_round_start(dns_of(d)->cares, &p->answers, &d->targets, on_srv, d, &d->round)) {
		fail(d, false, "not enough memory");
	}
}

static void on_addrs(struct dns_lookup *d, struct resolved *r)
{
	enum outcome outcome;
	bool has_ttl;
	uint32_t ttl;
	unsigned odd = r->part[0].answers.odd + r->part[1].answers.odd;

	if (odd)
		lookup_odd(&d->l, "%s: %u odd records", d->name, odd);
	if (name_addrs_update(&d->known, r, &outcome, &has_ttl, &ttl))
		fail(d, false, "not enough memory");
	else if (outcome == OUTCOME_FAILED)
		fail(d, r->unreachable, r->text);
	else
		report_addrs(d, has_ttl, ttl);
}

static void on_resolved(void *ctx, struct resolved *r)
{
	struct dns_lookup *d = ctx;

	d->resolve = NULL;
	if (d->srv)
		on_srv_records(d, r);
	else
		on_addrs(d, r);
}

static void on_timer(uv_timer_t *timer)
{
	static const uint16_t addrs[] = { DNS_A, DNS_AAAA }, srv[] = { DNS_SRV };
	struct dns_lookup *d = timer->data;
	struct dns *dns = dns_of(d);
	uint32_t wait = pace_take(&dns->pace, uv_now(dns->r.loop));

	if (wait)
		again_in(d, wait);
	else if (resolve_start(dns->cares, d->name, d->srv ? srv : addrs, d->srv ? 1 : 2, on_resolved, d, &d->resolve))
		fail(d, false, "not enough memory");
}

/* 0: it is not one. */
static uint32_t port_number(const char *text)
{
	char *end = NULL;
	unsigned long n = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

	return end && !*end && n <= 65535 ? (uint32_t)n : 0;
}

/* What can never work stays and says so, until somebody writes it otherwise. */
static int start(struct lookup *l)
{
	struct dns_lookup *d = (struct dns_lookup *)l;
	const char *port = options_text(l->options, "port", NULL);
	struct dns_name name;

	d->name = options_text(l->options, "name", "");
	d->srv = !strcmp(options_text(l->options, "type", "address"), "srv");
	d->port = port_number(port);
	d->backoff.first_ms = FIRST_MS;
	d->backoff.most_ms = options_ms(l->registry->options, "backoff-max", BACKOFF_MAX_MS);
	uv_timer_init(l->registry->loop, &d->timer);
	d->timer.data = d;
	if (dns_name_parse(d->name, &name))
		lookup_failed(l, "\"%s\" is no name of the DNS", d->name);
	else if (!d->port && port)
		lookup_failed(l, "port: must be a number for names of the DNS");
	else if (!d->port && !d->srv)
		lookup_failed(l, "port: is missing; only SRV records (\"type: srv\") tell it");
	else
		again_in(d, 0);
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct dns_lookup *d = handle->data;

	name_addrs_done(&d->known);
	srv_targets_done(&d->targets);
	lookup_stopped(&d->l);
}

static void stop(struct lookup *l)
{
	struct dns_lookup *d = (struct dns_lookup *)l;

	resolve_cancel(MOVE(d->resolve, NULL));
	srv_round_cancel(MOVE(d->round, NULL));
	uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

const struct provider provider_dns = {
	.type = "dns",
	.registry_size = sizeof(struct dns),
	.lookup_size = sizeof(struct dns_lookup),
	.open = open_dns,
	.close = close_dns,
	.start = start,
	.stop = stop,
};

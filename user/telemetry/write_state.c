/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How endpoints and services are: one sample for each of them and what is known of it. */
#include <string.h>

#include "telemetry/write.h"

void page_labels(const struct page *p, const struct page_key *key, struct page_labels *l)
{
	l->nr = 0;
	l->label[l->nr++] = (struct prom_label){ "service", p->services[key->service].name };
	if (key->endpoint == PAGE_ONE)
		addr_port_format(&key->addr, (uint16_t)key->port, l->text, sizeof(l->text));
	if (key->endpoint != PAGE_ALL)
		l->label[l->nr++] = (struct prom_label){ "endpoint", key->endpoint == PAGE_ONE	     ? l->text
								     : key->endpoint == PAGE_REMOVED ? "removed"
												     : "other" };
	if (key->caller != CALLER_NONE)
		l->label[l->nr++] = (struct prom_label){ "caller", callers_text(p->callers, key->caller) };
	l->label[l->nr] = (struct prom_label){ NULL, NULL };
}

void page_labels_push(struct page_labels *l, const char *name, const char *value)
{
	l->label[l->nr] = (struct prom_label){ name, value };
	l->label[l->nr + 1] = (struct prom_label){ NULL, NULL };
}

static const char *const outs[] = {
#define X(id, bit, name, text) name,
	WEFT_OUTS(X)
#undef X
};

/* A family of plain figures: the member of struct page_endpoint_sum at @offset. */
static void write_figure(struct prom *out, const struct page *p, enum metrics_family id, size_t offset)
{
	struct page_labels l;

	prom_family(out, id);
	for (uint32_t i = 0; i < p->endpoints.nr; i++) {
		const struct page_endpoint_row *e = page_endpoint_at(p, i);

		page_labels(p, &e->key, &l);
		prom_u64(out, l.label, *(const uint64_t *)(const void *)((const char *)&e->sum + offset));
	}
}

static void write_outs(struct prom *out, const struct page *p)
{
	struct page_labels l;

	prom_family(out, METRICS_OUT);
	for (uint32_t i = 0; i < p->endpoints.nr; i++) {
		const struct page_endpoint_row *e = page_endpoint_at(p, i);

		page_labels(p, &e->key, &l);
		for (int k = 0; k < PAGE_OUT_MAX; k++) {
			page_labels_push(&l, "why", outs[k]);
			prom_u64(out, l.label, e->sum.out[k]);
		}
	}
}

void page_write_endpoints(struct prom *out, const struct page *p)
{
	struct page_labels l;

	write_figure(out, p, METRICS_ACTIVE, offsetof(struct page_endpoint_sum, active));
	write_figure(out, p, METRICS_PENDING, offsetof(struct page_endpoint_sum, pending));
	prom_family(out, METRICS_LATENCY);
	for (uint32_t i = 0; i < p->endpoints.nr; i++) {
		const struct page_endpoint_row *e = page_endpoint_at(p, i);

		if (!e->latency_us)
			continue;
		page_labels(p, &e->key, &l);
		prom_seconds(out, l.label, (double)e->latency_us / 1e6);
	}
	write_outs(out, p);
	write_figure(out, p, METRICS_EJECTIONS, offsetof(struct page_endpoint_sum, ejections));
	write_figure(out, p, METRICS_MOVED, offsetof(struct page_endpoint_sum, moved));
	write_figure(out, p, METRICS_RESET_EARLY, offsetof(struct page_endpoint_sum, reset_early));
}

static void write_counts(struct prom *out, const struct page_service *s)
{
	struct prom_label l[] = { { "service", s->name }, { "state", "ready" }, { NULL, NULL } };

	prom_u64(out, l, s->ready);
	for (int k = 0; k < PAGE_OUT_MAX; k++) {
		l[1].value = outs[k];
		prom_u64(out, l, s->out[k]);
	}
	l[1].value = "draining";
	prom_u64(out, l, s->draining);
	l[1].value = "disabled";
	prom_u64(out, l, s->disabled);
}

static void write_limits(struct prom *out, const struct page_service *s)
{
	struct prom_label l[] = { { "service", s->name }, { "limit", "connections" }, { NULL, NULL } };

	if (s->max_connections)
		prom_u64(out, l, s->max_connections);
	l[1].value = "pending";
	if (s->max_pending)
		prom_u64(out, l, s->max_pending);
	l[1].value = "rate";
	if (s->rate > 0)
		prom_seconds(out, l, s->rate);
}

static void write_uses(struct prom *out, const struct page_service *s)
{
	struct prom_label l[] = { { "service", s->name }, { "limit", "connections" }, { NULL, NULL } };

	prom_u64(out, l, s->connections);
	l[1].value = "pending";
	prom_u64(out, l, s->pending);
}

static void write_breaker(struct prom *out, const struct page_service *s)
{
	static const char *const states[] = { "closed", "open", "half-open", "forced-open", "forced-closed" };

	for (size_t i = 0; s->breaker && i < sizeof(states) / sizeof(states[0]); i++) {
		const struct prom_label l[] = { { "service", s->name }, { "state", states[i] }, { NULL, NULL } };

		prom_u64(out, l, strcmp(s->breaker, states[i]) == 0);
	}
}

static void write_refused(struct prom *out, const struct page_service *s)
{
	const struct prom_label l[] = { { "service", s->name }, { NULL, NULL } };

	prom_u64(out, l, s->refused);
}

static void write_opened(struct prom *out, const struct page_service *s)
{
	const struct prom_label l[] = { { "service", s->name }, { NULL, NULL } };

	if (s->breaker)
		prom_u64(out, l, s->breaker_opened);
}

static void write_errors(struct prom *out, const struct page_service *s)
{
	const struct prom_label l[] = { { "service", s->name }, { NULL, NULL } };

	if (s->breaker)
		prom_seconds(out, l, s->error_ratio);
}

void page_write_services(struct prom *out, const struct page *p)
{
	static const struct {
		enum metrics_family id;
		void (*write)(struct prom *out, const struct page_service *s);
	} families[] = {
		{ METRICS_SERVICE_ENDPOINTS, write_counts },
		{ METRICS_SERVICE_REFUSED, write_refused },
		{ METRICS_LIMIT, write_limits },
		{ METRICS_LIMIT_USED, write_uses },
		{ METRICS_BREAKER, write_breaker },
		{ METRICS_BREAKER_OPENED, write_opened },
		{ METRICS_BREAKER_ERRORS, write_errors },
	};

	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		prom_family(out, families[f].id);
		for (uint32_t i = 0; i < p->nr_services; i++)
			if (p->services[i].name)
				families[f].write(out, &p->services[i]);
	}
}

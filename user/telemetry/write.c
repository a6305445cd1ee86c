/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which families go on the page, in which order, with which values. */
#include "commit.h"
#include "model/service.h"
#include "telemetry/page.h"
#include "telemetry/prom.h"

#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/* The labels of a row, and room for one more; .text holds the endpoint. */
struct row_labels {
	struct prom_label label[5];
	unsigned nr;
	char text[ADDR_TEXT_LEN];
};

static void labels_make(const struct page *p, const struct page_key *key, struct row_labels *l)
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

static void labels_push(struct row_labels *l, const char *name, const char *value)
{
	l->label[l->nr] = (struct prom_label){ name, value };
	l->label[l->nr + 1] = (struct prom_label){ NULL, NULL };
}

/* A family of plain counters: the member of struct weft_edge at @offset. */
static void write_edge_counter(struct prom *out, const struct page *p, enum metrics_family id, size_t offset)
{
	struct row_labels l;

	prom_family(out, id);
	for (uint32_t i = 0; i < p->edges.nr; i++) {
		const struct page_edge *e = page_edge_at(p, i);

		labels_make(p, &e->key, &l);
		prom_u64(out, l.label, *(const __u64 *)(const void *)((const char *)&e->sum + offset));
	}
}

static void write_failures(struct prom *out, const struct page *p)
{
	static const char *const reasons[] = {
#define X(id, name) name,
		WEFT_FAILURES(X)
#undef X
	};
	struct row_labels l;

	prom_family(out, METRICS_FAILURES);
	for (uint32_t i = 0; i < p->edges.nr; i++) {
		const struct page_edge *e = page_edge_at(p, i);

		labels_make(p, &e->key, &l);
		for (int f = 0; f < WEFT_FAIL_MAX; f++) {
			labels_push(&l, "reason", reasons[f]);
			prom_u64(out, l.label, e->sum.failed[f]);
		}
	}
}

static void write_histograms(struct prom *out, const struct page *p, enum metrics_family id)
{
	struct row_labels l;

	prom_family(out, id);
	for (uint32_t i = 0; i < p->edges.nr; i++) {
		const struct page_edge *e = page_edge_at(p, i);

		labels_make(p, &e->key, &l);
		if (id == METRICS_HANDSHAKE)
			prom_hist(out, l.label, e->sum.handshake, e->sum.handshake_us);
		else
			prom_hist(out, l.label, e->sum.rtt, e->sum.rtt_us);
	}
}

static void write_edges(struct prom *out, const struct page *p)
{
	write_edge_counter(out, p, METRICS_OPENED, offsetof(struct weft_edge, opened));
	write_edge_counter(out, p, METRICS_ESTABLISHED, offsetof(struct weft_edge, established));
	write_edge_counter(out, p, METRICS_CLOSED, offsetof(struct weft_edge, closed));
	write_failures(out, p);
	write_edge_counter(out, p, METRICS_SENT, offsetof(struct weft_edge, bytes_sent));
	write_edge_counter(out, p, METRICS_RECEIVED, offsetof(struct weft_edge, bytes_received));
	write_edge_counter(out, p, METRICS_RETRANSMITS, offsetof(struct weft_edge, retransmits));
	write_histograms(out, p, METRICS_HANDSHAKE);
	write_histograms(out, p, METRICS_RTT);
}

static void write_endpoints(struct prom *out, const struct page *p)
{
	struct row_labels l;

	prom_family(out, METRICS_ACTIVE);
	for (uint32_t i = 0; i < p->endpoints.nr; i++) {
		labels_make(p, &page_endpoint_at(p, i)->key, &l);
		prom_u64(out, l.label, page_endpoint_at(p, i)->active);
	}
	prom_family(out, METRICS_LATENCY);
	for (uint32_t i = 0; i < p->endpoints.nr; i++) {
		const struct page_endpoint_row *e = page_endpoint_at(p, i);

		if (!e->latency_us)
			continue;
		labels_make(p, &e->key, &l);
		prom_seconds(out, l.label, (double)e->latency_us / 1e6);
	}
}

static void write_services(struct prom *out, const struct page *p)
{
	prom_family(out, METRICS_SERVICE_ENDPOINTS);
	for (uint32_t i = 0; i < p->nr_services; i++) {
		const struct page_service *s = &p->services[i];
		struct prom_label l[] = { { "service", s->name }, { "state", "ready" }, { NULL, NULL } };

		if (!s->name)
			continue;
		prom_u64(out, l, s->ready);
		l[1].value = "draining";
		prom_u64(out, l, s->draining);
		l[1].value = "disabled";
		prom_u64(out, l, s->disabled);
	}
	prom_family(out, METRICS_SERVICE_REFUSED);
	for (uint32_t i = 0; i < p->nr_services; i++) {
		const struct prom_label l[] = { { "service", p->services[i].name }, { NULL, NULL } };

		if (l[0].value)
			prom_u64(out, l, p->services[i].refused);
	}
}

static void write_decisions(struct prom *out, const struct page *p)
{
	static const char *const reasons[] = {
#define X(id, name, text) name,
		WEFT_REASONS(X)
#undef X
	};

	if (!p->has_counts)
		return;
	prom_family(out, METRICS_DECISIONS);
	for (int i = 0; i < WEFT_R_MAX; i++) {
		const struct prom_label l[] = { { "reason", reasons[i] }, { NULL, NULL } };

		prom_u64(out, l, p->counts[i]);
	}
}

static void write_map_family(struct prom *out, const struct page *p, enum metrics_family id)
{
	prom_family(out, id);
	for (int i = 0; i < PLANE_MAP_MAX; i++) {
		const struct prom_label l[] = { { "map", plane_map_name((enum plane_map)i) }, { NULL, NULL } };
		const struct map_usage *u = &p->usage[i];

		if (!p->has_usage[i])
			continue;
		if (id == METRICS_MAP_ENTRIES)
			prom_u64(out, l, u->entries);
		else if (id == METRICS_MAP_CAPACITY && u->capacity) /* socket storage has none */
			prom_u64(out, l, u->capacity);
		else if (id == METRICS_MAP_BYTES && u->bytes)
			prom_u64(out, l, u->bytes);
	}
}

static void write_agent(struct prom *out, const struct metrics_agent *a)
{
	const struct prom_label ok[] = { { "result", "ok" }, { NULL, NULL } };
	const struct prom_label failed[] = { { "result", "failed" }, { NULL, NULL } };

	prom_family(out, METRICS_RELOADS);
	prom_u64(out, ok, a->reloads_ok);
	prom_u64(out, failed, a->reloads_failed);
	prom_family(out, METRICS_RELOAD_OK_TIME);
	prom_seconds(out, NULL, a->last_ok_unix);
	prom_family(out, METRICS_RELOAD_FAILED);
	prom_u64(out, NULL, a->last_failed);
	prom_family(out, METRICS_APPLY);
	prom_seconds(out, NULL, a->apply_seconds);
	prom_family(out, METRICS_CONFIG_SERVICES);
	prom_u64(out, NULL, a->services);
	prom_family(out, METRICS_CONFIG_ENDPOINTS);
	prom_u64(out, NULL, a->endpoints);
	prom_family(out, METRICS_AUDIT_RUNS);
	prom_u64(out, NULL, a->audit_runs);
	prom_family(out, METRICS_AUDIT_DRIFT);
	prom_u64(out, NULL, a->audit_drift);
	prom_family(out, METRICS_START);
	prom_seconds(out, NULL, a->start_unix);
}

int page_write(const struct page *p, FILE *out)
{
	const struct prom_label build[] = {
		{ "version", WEFT_VERSION }, { "commit", WEFT_COMMIT }, { "abi", TEXT(WEFT_ABI) }, { NULL, NULL }
	};
	struct prom prom = { .out = out, .format = p->options->format };

	write_edges(&prom, p);
	write_endpoints(&prom, p);
	write_services(&prom, p);
	write_decisions(&prom, p);
	write_map_family(&prom, p, METRICS_MAP_ENTRIES);
	write_map_family(&prom, p, METRICS_MAP_CAPACITY);
	write_map_family(&prom, p, METRICS_MAP_BYTES);
	prom_family(&prom, METRICS_SERIES_DROPPED);
	prom_u64(&prom, NULL, p->dropped);
	if (p->options->agent)
		write_agent(&prom, p->options->agent);
	prom_family(&prom, METRICS_BUILD);
	prom_u64(&prom, build, 1);
	return prom_end(&prom);
}

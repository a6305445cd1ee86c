/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which families go on the page, in which order, with which values. */
#include "commit.h"
#include "model/service.h"
#include "telemetry/page.h"
#include "telemetry/write.h"

#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/* A family of plain counters: the member of struct weft_edge at @offset. */
static void write_edge_counter(struct prom *out, const struct page *p, enum metrics_family id, size_t offset)
{
	struct page_labels l;

	prom_family(out, id);
	for (uint32_t i = 0; i < p->edges.nr; i++) {
		const struct page_edge *e = page_edge_at(p, i);

		page_labels(p, &e->key, &l);
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
	struct page_labels l;

	prom_family(out, METRICS_FAILURES);
	for (uint32_t i = 0; i < p->edges.nr; i++) {
		const struct page_edge *e = page_edge_at(p, i);

		page_labels(p, &e->key, &l);
		for (int f = 0; f < WEFT_FAIL_MAX; f++) {
			page_labels_push(&l, "reason", reasons[f]);
			prom_u64(out, l.label, e->sum.failed[f]);
		}
	}
}

static void write_histograms(struct prom *out, const struct page *p, enum metrics_family id)
{
	struct page_labels l;

	prom_family(out, id);
	for (uint32_t i = 0; i < p->edges.nr; i++) {
		const struct page_edge *e = page_edge_at(p, i);

		page_labels(p, &e->key, &l);
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

int page_write(const struct page *p, FILE *out)
{
	const struct prom_label build[] = {
		{ "version", WEFT_VERSION }, { "commit", WEFT_COMMIT }, { "abi", TEXT(WEFT_ABI) }, { NULL, NULL }
	};
	struct prom prom = { .out = out, .format = p->options->format };

	write_edges(&prom, p);
	page_write_endpoints(&prom, p);
	page_write_services(&prom, p);
	write_decisions(&prom, p);
	write_map_family(&prom, p, METRICS_MAP_ENTRIES);
	write_map_family(&prom, p, METRICS_MAP_CAPACITY);
	write_map_family(&prom, p, METRICS_MAP_BYTES);
	prom_family(&prom, METRICS_SERIES_DROPPED);
	prom_u64(&prom, NULL, p->dropped);
	if (p->options->agent)
		page_write_agent(&prom, p->options->agent);
	prom_family(&prom, METRICS_BUILD);
	prom_u64(&prom, build, 1);
	return prom_end(&prom);
}

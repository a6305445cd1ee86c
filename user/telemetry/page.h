/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A metrics page as a value: what collect.c read from the maps, summed to the label sets that were asked for, and what
 * write.c spells out. Two things with the same labels are one row, so a page never has a series twice. Inside
 * telemetry/ only.
 */
#ifndef TELEMETRY_PAGE_H
#define TELEMETRY_PAGE_H

#include "plane/maps.h"
#include "telemetry/callers.h"
#include "telemetry/metrics.h"

enum page_endpoint {
	PAGE_ALL,     /* no label: the service as a whole */
	PAGE_ONE,     /* .addr and .port say which */
	PAGE_REMOVED, /* endpoints that are no more, summed */
	PAGE_OTHER,   /* beyond max_series */
};

/* The labels of a row. Compared byte by byte, so made with = { 0 } first. */
struct page_key {
	uint32_t service;  /* id; index of page.services */
	uint32_t endpoint; /* enum page_endpoint */
	struct weft_addr addr;
	uint32_t port;
	uint32_t caller; /* index of page.callers */
};

struct page_edge {
	struct page_key key;
	struct weft_edge sum;
};

/* Why an endpoint is out of service, in the order of WEFT_OUTS. */
enum page_out {
#define X(id, bit, name, text) PAGE_OUT_##id,
	WEFT_OUTS(X)
#undef X
		PAGE_OUT_MAX
};

/* What is known of one endpoint, or the sum over several. */
struct page_endpoint_sum {
	uint64_t active, pending, ejections, moved, reset_early;
	uint64_t out[PAGE_OUT_MAX]; /* how many */
};

struct page_endpoint_row {
	struct page_key key;
	struct page_endpoint_sum sum;
	uint32_t latency_us; /* 0: never measured */
};

/* Rows of one kind: an array, and a hash of its indexes by key. Every row begins with its struct page_key. */
struct page_rows {
	size_t row_size;
	char *row;
	uint32_t *slot; /* index + 1, 0: free */
	uint32_t nr, capacity;
	uint32_t nr_other; /* of .nr, rows that hold the rest */
};

struct page_service {
	char *name; /* NULL: no such service */
	uint64_t refused, ready, draining, disabled;
	uint64_t out[PAGE_OUT_MAX]; /* endpoints, each once */
	uint64_t connections, pending;
	uint32_t max_connections, max_pending; /* 0: no limit */
	double rate;			       /* connects per second; 0: no limit */
	const char *breaker;		       /* its state; NULL: there is none */
	double error_ratio;
	uint64_t breaker_opened;
};

struct page {
	const struct metrics_options *options;
	struct page_service *services;
	uint32_t nr_services;
	struct callers *callers;
	struct page_rows edges, endpoints;
	uint64_t dropped;
	bool has_counts;
	uint64_t counts[WEFT_R_MAX];
	bool has_usage[PLANE_MAP_MAX];
	struct map_usage usage[PLANE_MAP_MAX];
};

/* @options must outlive the page. NULL: no memory. */
struct page *page_new(const struct metrics_options *options, uint32_t nr_services);
void page_free(struct page *p); /* NULL is fine */
static inline void page_freep(struct page **p)
{
	page_free(*p);
}

int page_add_edge(struct page *p, const struct page_key *key, const struct weft_edge *edge);
int page_add_endpoint(struct page *p, const struct page_key *key, const struct page_endpoint_sum *sum,
		      uint32_t latency_us);
/* By service, endpoint, caller; nothing may be added afterwards. */
void page_sort(struct page *p);
static inline const struct page_edge *page_edge_at(const struct page *p, uint32_t i)
{
	return (const struct page_edge *)(const void *)(p->edges.row + i * p->edges.row_size);
}
static inline const struct page_endpoint_row *page_endpoint_at(const struct page *p, uint32_t i)
{
	return (const struct page_endpoint_row *)(const void *)(p->endpoints.row + i * p->endpoints.row_size);
}

/* Maps in, page out. 0 or negative errno. */
int page_collect(const struct maps *m, const struct metrics_options *options, struct page **ret);
/* 0 or negative errno. */
int page_write(const struct page *p, FILE *out);

#endif

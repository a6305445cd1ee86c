/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The parts of a page that have files of their own. Inside telemetry/ only. */
#ifndef TELEMETRY_WRITE_H
#define TELEMETRY_WRITE_H

#include "model/service.h"
#include "telemetry/page.h"
#include "telemetry/prom.h"

/* The labels of a row, and room for one more; .text holds the endpoint. */
struct page_labels {
	struct prom_label label[5];
	unsigned nr;
	char text[ADDR_TEXT_LEN];
};

void page_labels(const struct page *p, const struct page_key *key, struct page_labels *l);
/* One more label than the last page_labels() gave; a second call replaces it. */
void page_labels_push(struct page_labels *l, const char *name, const char *value);

void page_write_endpoints(struct prom *out, const struct page *p);
void page_write_services(struct prom *out, const struct page *p);
void page_write_agent(struct prom *out, const struct metrics_agent *a);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is to be seen of registries: as JSON, and for the metrics page. Inside agent/ only. */
#ifndef AGENT_REGISTRIES_H
#define AGENT_REGISTRIES_H

#include <jansson.h>

#include "agent/state.h"

/* {"registries": [...], "sources": [...], "register": [...]}; NULL: no memory. */
json_t *registries_json(const struct agent *a);

/* Copies for a page that another thread writes; free() both. Nothing when there is no memory. */
void registries_metrics(const struct agent *a, struct metrics_registry **ret, size_t *ret_nr,
			struct metrics_source **ret_sources, size_t *ret_nr_sources);

#endif

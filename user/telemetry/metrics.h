/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The metrics page, made from the maps at the moment it is asked for. Works without an agent (`weft metrics`). */
#ifndef TELEMETRY_METRICS_H
#define TELEMETRY_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "plane/maps.h"

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* Ejections that the agent heard of since it started. */
struct metrics_ejections {
	char service[WEFT_NAME_LEN];
	uint32_t cause; /* enum weft_cause */
	uint64_t count;
};

/* Active health checks of one service, since the agent started; endpoints as they are now. */
struct metrics_health {
	char service[WEFT_NAME_LEN];
	uint64_t successes, failures;
	uint32_t healthy, unhealthy, unknown;
};

/* A registry that endpoints are asked of, and a source of a service. Ages in seconds; negative: never. */
struct metrics_registry {
	char name[64], type[16];
	bool up;
	double heard;
	uint64_t answers, failures, odd;
};
struct metrics_source {
	char service[WEFT_NAME_LEN], registry[64], source[8];
	bool up;
	double age;
	uint64_t endpoints;
};

/* What has become of questions to the responder; in the order of enum reply_kind (dns/reply.h). */
#define METRICS_REPLIES 6
struct metrics_names {
	bool on;
	uint64_t names, udp, tcp, lost;
	uint64_t replies[METRICS_REPLIES];
};

/* What the agent knows and the maps do not. NULL for the CLI without an agent: those families are then left out. */
struct metrics_agent {
	uint64_t reloads_ok, reloads_failed;
	double last_ok_unix, last_failed_unix; /* seconds; 0: never */
	bool last_failed;		       /* the newest attempt failed: what runs is older than the file */
	double apply_seconds;		       /* of the last reload, from reading to visible */
	double start_unix;
	uint64_t services, endpoints;	  /* wanted */
	uint64_t audit_runs, audit_drift; /* connections found miscounted, ever */
	uint64_t failover_links;	  /* with the programs of failover */
	uint64_t checks_late;
	const struct metrics_ejections *ejections; /* no two of one service and cause */
	size_t nr_ejections;
	const struct metrics_health *health; /* by service */
	size_t nr_health;
	const struct metrics_registry *registries;
	size_t nr_registries;
	const struct metrics_source *sources;
	size_t nr_sources;
	struct metrics_names names;
};

struct metrics_options {
	enum metrics_format format;
	bool callers, endpoints; /* labels; without "endpoints" rows are summed per service */
	uint32_t max_series; /* label sets per family at most; the rest is summed into endpoint="other", caller="other"
				and counted */
	const struct metrics_agent *agent;
};

/* Writes the page. 0 or negative errno (the page may then be incomplete). */
int metrics_write(const struct maps *m, const struct metrics_options *o, FILE *out);
/* The Content-Type for @format. */
const char *metrics_content_type(enum metrics_format format);
/* What an HTTP Accept header (may be NULL) asks for. */
enum metrics_format metrics_negotiate(const char *accept);

#endif

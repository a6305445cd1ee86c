/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What only a running agent knows. */
#include "telemetry/event.h"
#include "telemetry/write.h"

static void write_ejections(struct prom *out, const struct metrics_agent *a)
{
	prom_family(out, METRICS_EJECTED_BY);
	for (size_t i = 0; i < a->nr_ejections; i++) {
		const struct metrics_ejections *e = &a->ejections[i];
		const struct prom_label l[] = { { "service", e->service },
						{ "cause", event_cause_name(e->cause) },
						{ NULL, NULL } };

		prom_u64(out, l, e->count);
	}
}

static void write_two(struct prom *out, const char *service, const char *label, const char *const *values,
		      const uint64_t *numbers, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct prom_label l[] = { { "service", service }, { label, values[i] }, { NULL, NULL } };

		prom_u64(out, l, numbers[i]);
	}
}

static void write_checks(struct prom *out, const struct metrics_agent *a)
{
	static const char *const results[] = { "success", "failure" };
	static const char *const states[] = { "healthy", "unhealthy", "unknown" };

	prom_family(out, METRICS_CHECKS);
	for (size_t i = 0; i < a->nr_health; i++) {
		const struct metrics_health *h = &a->health[i];
		const uint64_t n[] = { h->successes, h->failures };

		write_two(out, h->service, "result", results, n, 2);
	}
	prom_family(out, METRICS_CHECKED);
	for (size_t i = 0; i < a->nr_health; i++) {
		const struct metrics_health *h = &a->health[i];
		const uint64_t n[] = { h->healthy, h->unhealthy, h->unknown };

		write_two(out, h->service, "state", states, n, 3);
	}
}

static void write_registries(struct prom *out, const struct metrics_agent *a, int family)
{
	prom_family(out, family);
	for (size_t i = 0; i < a->nr_registries; i++) {
		const struct metrics_registry *r = &a->registries[i];
		const struct prom_label l[] = { { "registry", r->name }, { "type", r->type }, { NULL, NULL } };

		switch (family) {
		case METRICS_REGISTRY_UP:
			prom_u64(out, l, r->up);
			break;
		case METRICS_REGISTRY_HEARD:
			if (r->heard >= 0)
				prom_seconds(out, l, r->heard);
			break;
		default:
			prom_u64(out, l,
				 family == METRICS_REGISTRY_ANSWERS    ? r->answers
				 : family == METRICS_REGISTRY_FAILURES ? r->failures
								       : r->odd);
		}
	}
}

static void write_sources(struct prom *out, const struct metrics_agent *a, int family)
{
	prom_family(out, family);
	for (size_t i = 0; i < a->nr_sources; i++) {
		const struct metrics_source *s = &a->sources[i];
		const struct prom_label l[] = {
			{ "service", s->service }, { "source", s->source }, { "registry", s->registry }, { NULL, NULL }
		};

		if (family != METRICS_SOURCE_AGE)
			prom_u64(out, l, family == METRICS_SOURCE_UP ? s->up : s->endpoints);
		else if (s->age >= 0)
			prom_seconds(out, l, s->age);
	}
}

static void write_names(struct prom *out, const struct metrics_names *n)
{
	static const char *const results[METRICS_REPLIES] = { "dropped", "answer",  "no-data",
							      "no-name", "refused", "bad" };
	const struct prom_label udp[] = { { "transport", "udp" }, { NULL, NULL } },
				tcp[] = { { "transport", "tcp" }, { NULL, NULL } },
				lost[] = { { "result", "lost" }, { NULL, NULL } };

	prom_family(out, METRICS_NAMES);
	if (n->on)
		prom_u64(out, NULL, n->names);
	prom_family(out, METRICS_NAMES_QUERIES);
	if (n->on) {
		prom_u64(out, udp, n->udp);
		prom_u64(out, tcp, n->tcp);
	}
	prom_family(out, METRICS_NAMES_REPLIES);
	for (int i = 0; n->on && i < METRICS_REPLIES; i++) {
		const struct prom_label l[] = { { "result", results[i] }, { NULL, NULL } };

		prom_u64(out, l, n->replies[i]);
	}
	if (n->on)
		prom_u64(out, lost, n->lost);
}

void page_write_agent(struct prom *out, const struct metrics_agent *a)
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
	write_ejections(out, a);
	write_checks(out, a);
	prom_family(out, METRICS_CHECKS_LATE);
	prom_u64(out, NULL, a->checks_late);
	for (int f = METRICS_REGISTRY_UP; f <= METRICS_REGISTRY_ODD; f++)
		write_registries(out, a, f);
	for (int f = METRICS_SOURCE_UP; f <= METRICS_SOURCE_AGE; f++)
		write_sources(out, a, f);
	write_names(out, &a->names);
	prom_family(out, METRICS_FAILOVER_LINKS);
	prom_u64(out, NULL, a->failover_links);
	prom_family(out, METRICS_START);
	prom_seconds(out, NULL, a->start_unix);
}

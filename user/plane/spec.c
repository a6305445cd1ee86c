/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From a service as it is wanted to the record that programs read. */
#include <netinet/in.h>

#include "plane/state.h"

#define NS_PER_S 1000000000ull

/* Rounded: of endpoints with a weight. */
static uint32_t average_weight(const struct service *want, const uint8_t *level_of, unsigned level)
{
	uint64_t sum = 0, n = 0;

	for (size_t i = 0; i < want->nr_endpoints; i++) {
		if (!want->endpoints[i].weight || level_of[i] != level)
			continue;
		sum += want->endpoints[i].weight;
		n++;
	}
	sum = n ? (sum + n / 2) / n : 1;
	return sum ? (uint32_t)sum : 1;
}

static void set_levels(struct weft_spec *spec, const struct service *want, const struct shape *s,
		       const uint8_t *level_of, uint32_t base)
{
	spec->nr_levels = (uint8_t)s->levels.nr;
	for (unsigned i = 0; i < s->levels.nr; i++) {
		const struct lb_level *l = &s->levels.level[i];

		spec->level[i] = (struct weft_level){
			.slot_base = base,
			.nr_slots = s->nr_slots[i],
			.table_base = s->table_size[i] ? base + s->nr_slots[i] : 0,
			.table_size = s->table_size[i],
			.nr_backends = l->nr,
			.avg_weight = average_weight(want, level_of, i),
			.cap = l->cap,
			.priority = l->priority,
			.flags = l->local ? WEFT_LEVEL_F_LOCAL : 0,
		};
		spec->nr_backends += l->nr;
		base += s->nr_slots[i] + s->table_size[i];
	}
}

static void set_limits(struct weft_spec *spec, const struct limits *l)
{
	uint32_t burst = l->burst ? l->burst : l->rate / 10;

	spec->max_connections = l->connections;
	spec->max_pending = l->pending;
	spec->max_endpoint_connections = l->endpoint_connections;
	spec->max_endpoint_pending = l->endpoint_pending;
	if (!l->rate)
		return;
	spec->rate_interval_ns = NS_PER_S / l->rate ? NS_PER_S / l->rate : 1;
	spec->rate_burst_ns = burst ? (burst - 1) * spec->rate_interval_ns : 0;
}

static void set_resilience(struct weft_spec *spec, const struct service *want)
{
	const struct ejection *e = &want->ejection;

	spec->connect_timeout_ms = want->connect_timeout_ms;
	spec->panic_percent = want->panic_percent;
	spec->slow_start_ms = want->slow_start_ms;
	spec->slow_start_percent = want->slow_start_percent;
	spec->drain_ms = want->drain_ms;
	if (e->on) {
		spec->eject_failures = e->failures;
		spec->eject_percent = e->percent;
		spec->eject_base_ms = e->base_ms;
		spec->eject_max_ms = e->max_ms;
		spec->eject_interval_ms = e->interval_ms;
	}
	if (want->breaker.percent) {
		spec->breaker_percent = want->breaker.percent;
		spec->breaker_volume = want->breaker.volume;
		spec->breaker_sleep_ms = want->breaker.sleep_ms;
	}
}

struct weft_spec spec_make(const struct plane *p, uint32_t service, const struct service *want, const struct shape *s,
			   uint32_t base, uint32_t serial)
{
	struct weft_spec spec = {
		.service = service,
		.lb = want->lb,
		.hash_by = want->hash_by,
		.affinity = want->affinity,
		.flags = WEFT_SPEC_F_USED | (want->failover && want->proto == IPPROTO_TCP ? WEFT_SPEC_F_FAILOVER : 0),
		.affinity_ms = want->affinity_ms,
		.serial = serial,
	};

	set_levels(&spec, want, s, p->scratch.level, base);
	set_limits(&spec, &want->limits);
	set_resilience(&spec, want);
	return spec;
}

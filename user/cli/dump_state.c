/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is published and what the kernel knows, record by record; fields are named as in weft/abi.h. */
#include <errno.h>
#include <string.h>

#include "cli/dump.h"

#define NR(a)	    (sizeof(a) / sizeof((a)[0]))
#define COLUMNS_MAX 48

size_t dump_columns(struct out_column *columns, size_t nr, const struct dump_field *fields, size_t nr_fields)
{
	for (size_t i = 0; i < nr_fields; i++)
		columns[nr++] = (struct out_column){ fields[i].key, fields[i].title, OUT_RIGHT };
	return nr;
}

void dump_cells(const void *record, const struct dump_field *fields, size_t nr, struct out *o)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t value = 0;

		/* numbers are little endian on all machines that weft runs on */
		memcpy(&value, (const char *)record + fields[i].at, fields[i].size);
		out_cell(o, out_int((int64_t)value));
	}
}

static const struct dump_field bstate_fields[] = {
	DUMP_FIELD(struct weft_bstate, active, "ACTIVE"),
	DUMP_FIELD(struct weft_bstate, pending, "PENDING"),
	DUMP_FIELD(struct weft_bstate, out, "OUT"),
	DUMP_FIELD(struct weft_bstate, failures_in_row, "IN-ROW"),
	DUMP_FIELD(struct weft_bstate, resets_in_row, "RESETS-IN-ROW"),
	DUMP_FIELD(struct weft_bstate, opened, "OPENED"),
	DUMP_FIELD(struct weft_bstate, established, "ESTABLISHED"),
	DUMP_FIELD(struct weft_bstate, failed, "FAILED"),
	DUMP_FIELD(struct weft_bstate, ejected, "EJECTED"),
	DUMP_FIELD(struct weft_bstate, ejections, "EJECTIONS"),
	DUMP_FIELD(struct weft_bstate, ejected_until_ns, "EJECTED-UNTIL-NS"),
	DUMP_FIELD(struct weft_bstate, returned_ns, "RETURNED-NS"),
	DUMP_FIELD(struct weft_bstate, since_ns, "SINCE-NS"),
	DUMP_FIELD(struct weft_bstate, drain_ns, "DRAIN-NS"),
	DUMP_FIELD(struct weft_bstate, last_failure_ns, "LAST-FAILURE-NS"),
	DUMP_FIELD(struct weft_bstate, last_handshake_us, "HANDSHAKE-US"),
	DUMP_FIELD(struct weft_bstate, last_rtt_us, "RTT-US"),
	DUMP_FIELD(struct weft_bstate, moved, "MOVED"),
	DUMP_FIELD(struct weft_bstate, reset_early, "RESET-EARLY"),
};

static const char *cause_name(uint32_t cause)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		WEFT_CAUSES(X)
#undef X
	};

	return cause < NR(names) ? names[cause] : "?";
}

void dump_bstate(const struct view *v, struct out *o)
{
	struct out_column columns[COLUMNS_MAX] = { { "id", "ID", OUT_RIGHT },
						   { "ewma_us", "EWMA-US", OUT_RIGHT },
						   { "ewma_at_ms", "EWMA-AT-MS", OUT_RIGHT },
						   { "eject_cause", "EJECT-CAUSE", 0 } };

	out_table(o, NULL, NULL, columns, dump_columns(columns, 4, bstate_fields, NR(bstate_fields)));
	for (size_t i = 0; i < v->nr_backends; i++) {
		const struct weft_bstate *s = &v->maps->bstate[v->backends[i]];

		out_cell(o, out_int(v->backends[i]));
		out_cell(o, out_int(s->ewma.us));
		out_cell(o, out_int(s->ewma.at_ms));
		out_cell(o, out_text(cause_name(s->eject_cause)));
		dump_cells(s, bstate_fields, NR(bstate_fields), o);
	}
	out_end(o);
}

static const struct dump_field sstate_fields[] = {
	DUMP_FIELD(struct weft_sstate, next, "NEXT"),
	DUMP_FIELD(struct weft_sstate, refused, "REFUSED"),
	DUMP_FIELD(struct weft_sstate, active, "ACTIVE"),
	DUMP_FIELD(struct weft_sstate, pending, "PENDING"),
	DUMP_FIELD(struct weft_sstate, rate_at_ns, "RATE-AT-NS"),
	DUMP_FIELD(struct weft_sstate, ejected, "EJECTED"),
};

/* "2,0,1": of each level that is there. */
static const char *levels_text(const struct view *v, uint32_t service, char *text, size_t len)
{
	const struct weft_spec *spec = view_spec(v, service);
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; spec && i < spec->nr_levels && used < len; i++)
		used += (size_t)snprintf(text + used, len - used, "%s%u", i ? "," : "",
					 v->maps->sstate[service].unavailable[i]);
	return *text ? text : NULL;
}

void dump_sstate(const struct view *v, struct out *o)
{
	static const char *const states[] = { "closed", "open", "half-open", "?" };
	struct out_column columns[COLUMNS_MAX] = {
		{ "id", "ID", OUT_RIGHT },
		{ "name", "NAME", 0 },
		{ "unavailable", "UNAVAILABLE", 0 },
		{ "handshake_us", "HANDSHAKE-US", OUT_RIGHT },
		{ "breaker_state", "BREAKER", 0 },
		{ "breaker_since_ms", "BREAKER-SINCE-MS", OUT_RIGHT },
		{ "breaker_ok", "BREAKER-OK", OUT_RIGHT },
		{ "breaker_failed", "BREAKER-FAILED", OUT_RIGHT },
		{ "breaker_opened", "BREAKER-OPENED", OUT_RIGHT },
	};

	out_table(o, NULL, NULL, columns, dump_columns(columns, 9, sstate_fields, NR(sstate_fields)));
	for (size_t i = 0; i < v->nr_services; i++) {
		uint32_t id = v->services[i].id;
		const struct weft_sstate *s = &v->maps->sstate[id];
		struct weft_window w = weft_breaker_window(&s->breaker, v->now_ns / 1000000u);
		char text[128];

		out_cell(o, out_int(id));
		out_cell(o, out_text(v->services[i].name));
		out_cell(o, out_text(levels_text(v, id, text, sizeof(text))));
		out_cell(o, out_int(s->handshake.us));
		out_cell(o, out_text(states[weft_breaker_state_of(s->breaker.word)]));
		out_cell(o, out_int((int64_t)weft_breaker_since_ms(s->breaker.word)));
		out_cell(o, out_int((int64_t)w.ok));
		out_cell(o, out_int((int64_t)w.failed));
		out_cell(o, out_int((int64_t)s->breaker.opened));
		dump_cells(s, sstate_fields, NR(sstate_fields), o);
	}
	out_end(o);
}

static const struct dump_field level_fields[] = {
	DUMP_FIELD(struct weft_level, priority, "PRIORITY"),
	DUMP_FIELD(struct weft_level, slot_base, "SLOT-BASE"),
	DUMP_FIELD(struct weft_level, nr_slots, "SLOTS"),
	DUMP_FIELD(struct weft_level, table_base, "TABLE-BASE"),
	DUMP_FIELD(struct weft_level, table_size, "TABLE-SIZE"),
	DUMP_FIELD(struct weft_level, avg_weight, "AVG-WEIGHT"),
	DUMP_FIELD(struct weft_level, cap, "CAP"),
	DUMP_FIELD(struct weft_level, nr_backends, "BACKENDS"),
};

static const struct dump_field spec_fields[] = {
	DUMP_FIELD(struct weft_spec, max_connections, "MAX-CONNECTIONS"),
	DUMP_FIELD(struct weft_spec, max_pending, "MAX-PENDING"),
	DUMP_FIELD(struct weft_spec, max_endpoint_connections, "MAX-EP-CONNECTIONS"),
	DUMP_FIELD(struct weft_spec, max_endpoint_pending, "MAX-EP-PENDING"),
	DUMP_FIELD(struct weft_spec, rate_interval_ns, "RATE-INTERVAL-NS"),
	DUMP_FIELD(struct weft_spec, rate_burst_ns, "RATE-BURST-NS"),
	DUMP_FIELD(struct weft_spec, breaker_percent, "BREAKER%"),
	DUMP_FIELD(struct weft_spec, breaker_volume, "BREAKER-VOLUME"),
	DUMP_FIELD(struct weft_spec, breaker_sleep_ms, "BREAKER-SLEEP-MS"),
	DUMP_FIELD(struct weft_spec, eject_failures, "EJECT-FAILURES"),
	DUMP_FIELD(struct weft_spec, eject_percent, "EJECT%"),
	DUMP_FIELD(struct weft_spec, eject_base_ms, "EJECT-BASE-MS"),
	DUMP_FIELD(struct weft_spec, eject_max_ms, "EJECT-MAX-MS"),
	DUMP_FIELD(struct weft_spec, eject_interval_ms, "EJECT-INTERVAL-MS"),
	DUMP_FIELD(struct weft_spec, panic_percent, "PANIC%"),
	DUMP_FIELD(struct weft_spec, connect_timeout_ms, "CONNECT-TIMEOUT-MS"),
	DUMP_FIELD(struct weft_spec, slow_start_ms, "SLOW-START-MS"),
	DUMP_FIELD(struct weft_spec, slow_start_percent, "SLOW-START%"),
	DUMP_FIELD(struct weft_spec, drain_ms, "DRAIN-MS"),
};

/* One row of one level; @level beyond the last one: of a spec that has none. */
static void spec_row(const struct maps *m, uint32_t id, unsigned level, struct out *o)
{
	const struct weft_spec *s = &m->specs[id];
	bool published = s->service < m->capacity[PLANE_MAP_SERVICES] && m->services[s->service].spec == id;
	const struct weft_level *l = &s->level[level];

	out_cell(o, out_int(id));
	out_cell(o, out_int(s->service));
	out_cell(o, out_bool(published));
	out_cell(o, out_text(lb_name(s->lb)));
	out_cell(o, out_text(client_name(s->hash_by)));
	out_cell(o, out_text(client_name(s->affinity)));
	out_cell(o, out_int(s->affinity_ms));
	out_cell(o, out_bool(s->flags & WEFT_SPEC_F_FAILOVER));
	out_cell(o, out_int(s->serial));
	out_cell(o, s->nr_levels ? out_int(level) : out_none());
	out_cell(o, out_bool(l->flags & WEFT_LEVEL_F_LOCAL));
	dump_cells(l, level_fields, NR(level_fields), o);
	dump_cells(s, spec_fields, NR(spec_fields), o);
}

void dump_specs(const struct view *v, struct out *o)
{
	struct out_column columns[COLUMNS_MAX] = {
		{ "id", "ID", OUT_RIGHT },
		{ "service", "SERVICE", OUT_RIGHT },
		{ "published", "PUBLISHED", 0 },
		{ "balance", "BALANCE", 0 },
		{ "hash_by", "HASH-BY", 0 },
		{ "affinity", "AFFINITY", 0 },
		{ "affinity_ms", "AFFINITY-MS", OUT_RIGHT },
		{ "failover", "FAILOVER", 0 },
		{ "serial", "SERIAL", OUT_RIGHT },
		{ "level", "LEVEL", OUT_RIGHT },
		{ "local", "LOCAL", 0 },
	};
	const struct maps *m = v->maps;
	size_t nr = dump_columns(columns, 11, level_fields, NR(level_fields));

	nr = dump_columns(columns, nr, spec_fields, NR(spec_fields));
	out_table(o, NULL, NULL, columns, nr);
	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_SPECS]; i++) {
		unsigned levels = m->specs[i].nr_levels < WEFT_LEVELS ? m->specs[i].nr_levels : WEFT_LEVELS;

		if (!(m->specs[i].flags & WEFT_SPEC_F_USED))
			continue;
		for (unsigned k = 0; k < (levels ? levels : 1); k++)
			spec_row(m, i, k, o);
	}
	out_end(o);
}

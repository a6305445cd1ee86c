/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What guards a service: its breaker, its limits and how far they are used, its levels, panic. */
#include <stdio.h>

#include "cli/report.h"
#include "weft/breaker.h"
#include "weft/limit.h"
#include "weft/outlier.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct guard_breaker guard_breaker(const struct view *v, uint32_t service)
{
	const struct weft_spec *spec = view_spec(v, service);
	const struct weft_sstate *s = &v->maps->sstate[service];
	uint32_t flags = v->maps->services[service].flags;
	uint64_t now_ms = v->now_ns / 1000000u, since_ms = weft_breaker_since_ms(s->breaker.word);
	struct guard_breaker b = { .opened = s->breaker.opened };

	if (flags & WEFT_SERVICE_F_FORCE_OPEN)
		b.forced = "open";
	else if (flags & WEFT_SERVICE_F_FORCE_CLOSED)
		b.forced = "closed";
	if (spec && spec->breaker_percent) {
		static const char *const words[] = { "closed", "open", "half-open", "closed" };

		b.on = true;
		b.rule = (struct weft_breaker_rule){ spec->breaker_percent, spec->breaker_volume,
						     spec->breaker_sleep_ms };
		b.window = weft_breaker_window(&s->breaker, now_ms);
		b.percent = weft_window_percent(b.window);
		b.state = words[weft_breaker_state_of(s->breaker.word)];
		b.refuses = !b.forced && weft_breaker_refuses(&s->breaker, &b.rule, now_ms);
		b.since_s = since_ms && now_ms > since_ms ? (double)(now_ms - since_ms) / 1e3 : 0;
		b.changed = since_ms != 0;
	}
	if (b.forced)
		b.refuses = flags & WEFT_SERVICE_F_FORCE_OPEN;
	return b;
}

const char *guard_breaker_word(const struct guard_breaker *b)
{
	if (b->forced)
		return *b->forced == 'o' ? "forced open" : "forced closed";
	return b->on ? b->state : NULL;
}

const char *guard_breaker_text(const struct guard_breaker *b, char *text, size_t len)
{
	char since[32], sleep[32];

	out_human(out_seconds(b->since_s), since, sizeof(since));
	out_human(out_seconds(b->rule.sleep_ms / 1e3), sleep, sizeof(sleep));
	if (b->forced && *b->forced == 'o')
		snprintf(text, len, "forced open: every connect is refused until `weft service breaker NAME auto`");
	else if (b->forced)
		snprintf(text, len,
			 "forced closed: the error rate refuses nothing until `weft service breaker NAME "
			 "auto`");
	else if (!b->on)
		snprintf(text, len, "off");
	else if (*b->state == 'c')
		snprintf(text, len,
			 "closed; %u %% of %llu connects in the last %u s failed, it opens at %u %% of at least %u",
			 b->percent, (unsigned long long)(b->window.ok + b->window.failed), WEFT_BREAKER_BUCKETS,
			 b->rule.percent, b->rule.volume);
	else if (*b->state == 'o')
		snprintf(text, len, "open since %s; %s", since,
			 b->refuses ? "every connect is refused until its sleep window is over"
				    : "the next connect tries whether the service works again");
	else
		snprintf(text, len,
			 "half-open since %s; one connect tries whether the service works again, the others "
			 "are refused",
			 since);
	return text;
}

static void breaker_fields(const struct view *v, uint32_t service, struct out *o)
{
	struct guard_breaker b = guard_breaker(v, service);
	char text[256];

	out_field(o, "breaker", NULL,
		  out_words(out_text(guard_breaker_word(&b)), guard_breaker_text(&b, text, sizeof(text))));
	out_field(o, "breaker_forced", "", out_text(b.forced));
	if (!b.on)
		return;
	out_field(o, "breaker_state", "", out_text(b.state));
	out_field(o, "breaker_since_seconds", "", b.changed ? out_seconds(b.since_s) : out_none());
	out_field(o, "breaker_window_ok", "", out_int((int64_t)b.window.ok));
	out_field(o, "breaker_window_failed", "", out_int((int64_t)b.window.failed));
	out_field(o, "breaker_window_percent", "", out_int(b.percent));
	out_field(o, "breaker_error_percent", "", out_int(b.rule.percent));
	out_field(o, "breaker_min_connects", "", out_int(b.rule.volume));
	out_field(o, "breaker_sleep_seconds", "", out_seconds(b.rule.sleep_ms / 1e3));
	out_field(o, "breaker_opened", "breaker opened, times", out_int((int64_t)b.opened));
}

const char *guard_use(uint64_t used, uint32_t limit, char *text, size_t len)
{
	if (limit)
		snprintf(text, len, "%llu/%u", (unsigned long long)used, limit);
	else
		snprintf(text, len, "%llu", (unsigned long long)used);
	return text;
}

static void limit_fields(const struct view *v, const struct weft_spec *spec, struct out *o)
{
	static const struct {
		const char *key, *label;
	} each[] = { { "max_connections_per_endpoint", "  of an endpoint" },
		     { "max_pending_per_endpoint", "  of an endpoint" } };
	const struct weft_sstate *s = &v->maps->sstate[spec->service];
	const uint32_t each_limit[] = { spec->max_endpoint_connections, spec->max_endpoint_pending };
	char text[64];

	out_field(o, "connections", NULL,
		  out_words(out_int(s->active), guard_use(s->active, spec->max_connections, text, sizeof(text))));
	out_field(o, "max_connections", "", spec->max_connections ? out_int(spec->max_connections) : out_none());
	out_field(o, each[0].key, each_limit[0] ? each[0].label : "",
		  each_limit[0] ? out_int(each_limit[0]) : out_none());
	out_field(o, "pending", "handshakes pending",
		  out_words(out_int(s->pending), guard_use(s->pending, spec->max_pending, text, sizeof(text))));
	out_field(o, "max_pending", "", spec->max_pending ? out_int(spec->max_pending) : out_none());
	out_field(o, each[1].key, each_limit[1] ? each[1].label : "",
		  each_limit[1] ? out_int(each_limit[1]) : out_none());
	if (spec->rate_interval_ns) {
		uint64_t burst = spec->rate_burst_ns / spec->rate_interval_ns + 1;
		uint64_t tokens = weft_rate_tokens(s->rate_at_ns, spec->rate_interval_ns, spec->rate_burst_ns,
						   v->now_ns);

		out_field(o, "connects_per_second", "connects per second",
			  out_real(1e9 / (double)spec->rate_interval_ns));
		snprintf(text, sizeof(text), "%llu of %llu", (unsigned long long)tokens, (unsigned long long)burst);
		out_field(o, "rate_tokens", "  at once now", out_words(out_int((int64_t)tokens), text));
		out_field(o, "rate_burst", "", out_int((int64_t)burst));
	}
}

static void ejection_fields(const struct view *v, const struct weft_spec *spec, struct out *o)
{
	const struct weft_sstate *s = &v->maps->sstate[spec->service];
	struct view_levels l = view_levels(v, spec);
	char text[128];

	if (spec->eject_percent)
		snprintf(text, sizeof(text), "%u of at most %u", s->ejected,
			 weft_outlier_cap(spec->nr_backends, spec->eject_percent));
	else
		snprintf(text, sizeof(text), "off");
	out_field(o, "ejected", NULL, out_words(out_int(s->ejected), text));
	out_field(o, "max_ejected", "",
		  spec->eject_percent ? out_int(weft_outlier_cap(spec->nr_backends, spec->eject_percent)) : out_none());
	out_field(o, "available", "", out_int(l.available));
	if (!spec->panic_percent)
		snprintf(text, sizeof(text), "never");
	else
		snprintf(text, sizeof(text), "%s: %u of %u endpoints are available, the threshold is %u %%",
			 l.panic ? "yes" : "no", l.available, l.endpoints, spec->panic_percent);
	out_field(o, "panic", NULL, out_words(out_bool(l.panic), text));
	out_field(o, "panic_percent", "", spec->panic_percent ? out_int(spec->panic_percent) : out_none());
}

void report_guard(const struct view *v, const struct weft_spec *spec, struct out *o)
{
	char text[32];

	breaker_fields(v, spec->service, o);
	limit_fields(v, spec, o);
	ejection_fields(v, spec, o);
	out_field(o, "failover", NULL, out_bool(spec->flags & WEFT_SPEC_F_FAILOVER));
	out_human(out_seconds(spec->connect_timeout_ms / 1e3), text, sizeof(text));
	out_field(o, "connect_timeout_ms", "connect-timeout",
		  spec->connect_timeout_ms ? out_words(out_int(spec->connect_timeout_ms), text) : out_none());
	out_field(o, "drain_timeout_seconds", "drain-timeout",
		  spec->drain_ms ? out_seconds(spec->drain_ms / 1e3) : out_none());
	out_field(o, "slow_start_seconds", "slow-start",
		  spec->slow_start_ms ? out_seconds(spec->slow_start_ms / 1e3) : out_none());
}

void report_levels(const struct view *v, const struct weft_spec *spec, const char *key, struct out *o)
{
	static const struct out_column columns[] = {
		{ "level", "LEVEL", OUT_RIGHT },
		{ "priority", "PRIORITY", OUT_RIGHT },
		{ "zone", "ZONE", 0 },
		{ "endpoints", "ENDPOINTS", OUT_RIGHT },
		{ "available", "AVAILABLE", OUT_RIGHT },
		{ "health_percent", "HEALTH%", OUT_RIGHT },
		{ "cap_percent", "CAP%", OUT_RIGHT },
		{ "load_percent", "LOAD%", OUT_RIGHT },
	};
	struct view_levels l = view_levels(v, spec);

	out_table(o, key, NULL, columns, NR(columns));
	for (unsigned i = 0; i < l.nr; i++) {
		const struct weft_level *level = &spec->level[i];
		bool split = level->flags & WEFT_LEVEL_F_LOCAL || (i && spec->level[i - 1].flags & WEFT_LEVEL_F_LOCAL &&
								   spec->level[i - 1].priority == level->priority);

		out_cell(o, out_int(i));
		out_cell(o, out_int(level->priority));
		out_cell(o, out_text(!split ? NULL : level->flags & WEFT_LEVEL_F_LOCAL ? "this node's" : "others"));
		out_cell(o, out_int(level->nr_backends));
		out_cell(o, out_int(l.unavailable[i] < level->nr_backends ? level->nr_backends - l.unavailable[i] : 0));
		out_cell(o, out_percent(l.loads.health[i] / 100.0));
		out_cell(o, out_percent(l.loads.cap[i] / 100.0));
		out_cell(o, out_percent(l.loads.load[i] / 100.0));
	}
	out_end(o);
}

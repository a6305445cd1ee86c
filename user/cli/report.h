/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What commands say, apart from where they read it: maps in, document out. Tests call these on maps made by hand. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/out.h"
#include "cli/view.h"
#include "weft/breaker.h"

#define REPORT_NR_HOOKS 10 /* that plane/ attaches; the iterator is none */

struct callers;
struct cli;

/* 0 or negative errno, nothing said about it. */
int report_services(const struct view *v, struct out *o);
int report_service(const struct view *v, const struct view_service *s, struct out *o);
/* Breaker, limits, ejection and panic of one service, as fields; its levels, as a table. */
void report_guard(const struct view *v, const struct weft_spec *spec, struct out *o);
void report_levels(const struct view *v, const struct weft_spec *spec, const char *key, struct out *o);
/* Forces the breaker "open" or "closed", or lets it be ("auto"), and says what it is now. 0: the service is gone. */
int report_breaker(const struct view *v, const struct view_service *s, const char *word, struct out *o);

/* The breaker of a service as it is now. */
struct guard_breaker {
	bool on;	    /* in weft.yaml */
	const char *state;  /* "closed", "open", "half-open"; NULL when it is off */
	const char *forced; /* "open", "closed"; NULL: by nobody */
	bool refuses;	    /* the next connect */
	bool changed;	    /* since_s tells when */
	double since_s;
	struct weft_window window;
	uint32_t percent; /* that failed, in the window */
	struct weft_breaker_rule rule;
	uint64_t opened;
};
struct guard_breaker guard_breaker(const struct view *v, uint32_t service);
const char *guard_breaker_word(const struct guard_breaker *b); /* "open", "forced open"...; NULL: off */
const char *guard_breaker_text(const struct guard_breaker *b, char *text, size_t len); /* a sentence; returns @text */
/* "87/100", or "87" when there is no limit. Returns @text. */
const char *guard_use(uint64_t used, uint32_t limit, char *text, size_t len);

/* @s NULL: of all services. @key NULL: the table is the whole document. */
void report_endpoints(const struct view *v, const struct view_service *s, const char *key, struct out *o);

/* The agent's reply to GET /events. 0 or -EPROTO. */
int report_events(const char *reply, size_t len, struct out *o);

/* What would become of a connect to this address. @proto 0: TCP, or UDP when only that is known there. */
void report_explain(const struct view *v, const struct weft_addr *addr, uint16_t port, uint8_t proto, struct out *o);

/* Live connections, sorted by service, then start. @callers gives the path of a cgroup id, or NULL. */
void report_connections(const struct view *v, const struct weft_flow_record *records, size_t nr,
			const struct callers *callers, struct out *o);

/* The live connections of @service (0: of all), in the order in which they are shown. free() *ret; 0 or negative errno.
 */
int report_collect(const struct view *v, uint32_t service, struct weft_flow_record **ret, size_t *ret_nr);
/* The sentence for a report_collect() that failed with @r. An exit code. */
int report_no_flows(struct cli *cli, int r);
/* The same records with every field. */
void report_flows(const struct weft_flow_record *records, size_t nr, struct out *o);

/* The agent's answer to /registries, as tables. 0 or -EPROTO. */
int report_sources(const char *reply, size_t len, struct out *o);

/* Walks every reference between the maps; "problems" for each that leads nowhere. Returns how many; @o NULL: only
 * counts. */
unsigned report_references(const struct view *v, struct out *o);
void report_audit(const struct view *v, const struct audit *a, bool repaired, struct out *o);

/* Elements of the maps that lie in memory. -EINVAL: not one of them. */
int report_dump(const struct view *v, enum plane_map map, struct out *o);
/* All maps and how full they are. */
void report_maps(const struct maps *m, const char *key, struct out *o);
void report_counts(const uint64_t counts[WEFT_R_MAX], struct out *o);

/* The service named @name, or NULL, and the sentence has been said. */
const struct view_service *report_find(struct cli *cli, const char *name);
/* Exit code for @r; says the sentence when it is negative. */
int report_done(struct cli *cli, int r);

#endif

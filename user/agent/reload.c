/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From files to kernel. Whatever goes wrong here, what runs goes on running and the operator is told once. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/drain.h"
#include "agent/filing.h"
#include "agent/found.h"
#include "agent/outlier.h"
#include "agent/links.h"
#include "agent/naming.h"
#include "agent/notify.h"
#include "agent/privs.h"
#include "agent/state.h"
#include "agent/watch.h"
#include "base/cleanup.h"
#include "base/log.h"

#define TOLD_SECONDS 1	   /* the same failure again within this time is not told again */
#define TRIM_FROM    10000 /* endpoints that came or went; below that there is not enough to give back */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* What runs is in force; the figures say so. */
static void count_success(struct agent *a, const struct config *c, const struct model *m, double seconds)
{
	a->seen.reloads_ok++;
	a->seen.last_failed = false;
	a->seen.last_ok_unix = agent_unix_time();
	a->seen.apply_seconds = seconds;
	a->seen.services = m->nr;
	a->seen.endpoints = model_count_endpoints(m);
	a->last_error[0] = '\0';
	a->metrics.callers = c->metrics_callers;
	a->metrics.endpoints = c->metrics_endpoints;
	a->metrics.max_series = c->metrics_max_series;
	upkeep_set_audit(a, c->audit_ms);
	upkeep_set_retry(a, false);
}

/* A retry that met what is known, or one of the events that a writer causes with one stroke. */
static bool is_told(const struct agent *a, const char *text, enum reload_why why)
{
	if (why == RELOAD_ASKED || strcmp(text, a->last_error) != 0)
		return false;
	return why == RELOAD_RETRY || agent_unix_time() - a->seen.last_failed_unix < TOLD_SECONDS;
}

/* The sentence goes to the log, the status page and the service manager. */
void reload_failed(struct agent *a, const char *text, enum reload_why why)
{
	char status[sizeof(a->last_error) + 32];

	if (is_told(a, text, why))
		return;
	log_msg(LOG_L_ERROR, "%s; keeping what runs", text);
	a->seen.reloads_failed++;
	a->seen.last_failed = true;
	a->seen.last_failed_unix = agent_unix_time();
	snprintf(a->last_error, sizeof(a->last_error), "%s", text);
	snprintf(status, sizeof(status), "keeping what runs: %s", text);
	notify_status(status);
	upkeep_set_retry(a, true);
}

static bool is_change(const struct plane_change *c)
{
	return c->services_added || c->services_changed || c->services_removed || c->endpoints_added ||
	       c->endpoints_changed || c->endpoints_removed;
}

static size_t say_services(char *text, size_t len, unsigned nr, const char *how)
{
	int n = nr ? snprintf(text, len, "%u service%s %s, ", nr, nr == 1 ? "" : "s", how) : 0;

	return n < 0 ? 0 : (size_t)n < len ? (size_t)n : len - 1;
}

static void say_change(const struct plane_change *c, double seconds)
{
	char text[192] = "", weights[48] = "";
	size_t n = 0;

	n += say_services(text + n, sizeof(text) - n, c->services_added, "added");
	n += say_services(text + n, sizeof(text) - n, c->services_changed, "changed");
	n += say_services(text + n, sizeof(text) - n, c->services_removed, "removed");
	if (c->endpoints_changed)
		snprintf(weights, sizeof(weights), ", %u with another weight", c->endpoints_changed);
	log_msg(LOG_L_INFO, "applied: %s+%u -%u endpoints%s, visible in %.1f ms", text, c->endpoints_added,
		c->endpoints_removed, weights, seconds * 1e3);
}

/* Notes the settings that the file has now; of those that cannot be had at once, says so. */
static void note_settings(struct agent *a, const struct config *c)
{
	struct settings now = { 0 };

	if (settings_take(&now, a->options, c) == 0) {
		settings_compare(&a->settings, &a->written, &now);
		settings_done(&a->written);
		a->written = now;
	} else {
		settings_done(&now);
	}
}

int reload_first(struct agent *a, const struct config **ret_config, struct model **ret_model, char *text, size_t len)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(model_freep) struct model *m = NULL;
	const struct config *c;
	int r;

	snprintf(text, len, "no memory");
	if (!e)
		return -ENOMEM;
	r = file_source_read(a->source, &c, &m, e);
	if (r == 0)
		r = config_fits(m, &c->limits, e);
	if (r < 0) {
		config_error_format(e, text, len);
		return r;
	}
	if (settings_take(&a->settings, a->options, c) < 0 || settings_take(&a->written, a->options, c) < 0)
		return -ENOMEM;
	a->config = c;
	*ret_config = c;
	*ret_model = MOVE(m, NULL);
	return 0;
}

/* As written, or else as a registry says. */
static const char *zone_of(const struct agent *a, const struct config *c)
{
	if (c->zone && *c->zone)
		return c->zone;
	return a->discovery ? discovery_zone(a->discovery) : NULL;
}

int reload_apply(struct agent *a, const struct config *c, struct model **m, struct reload_result *ret,
		 struct plane_error *e)
{
	uint64_t start = now_ns();
	int r;

	privs_enter();
	plane_set_zone(a->plane, zone_of(a, c));
	r = plane_apply(a->plane, *m, &ret->change, e);
	if (r == 0 && (a->seen.reloads_ok == 0 || a->metrics.callers != c->metrics_callers))
		plane_set_callers(a->plane, c->metrics_callers);
	privs_leave();
	upkeep_expect_rest(a);
	model_free(MOVE(a->model, NULL));
	if (r < 0)
		return r;
	a->model = MOVE(*m, NULL);
	naming_apply(a->naming, c, a->model);
	agent_health_apply(a);
	if (a->ready)
		drain_look(a);
	outlier_apply(a);
	ret->seconds = (double)(start - ret->start_ns + ret->change.visible_ns) / 1e9;
	count_success(a, c, a->model, ret->seconds);
	return 0;
}

/* Is @m what runs, object by object? */
static bool is_same(const struct agent *a, const struct model *m)
{
	if (*a->last_error || !a->model || a->model->nr != m->nr)
		return false;
	return !m->nr || memcmp(a->model->services, m->services, m->nr * sizeof(*m->services)) == 0;
}

/* Services of untouched files are the same objects as before, so this needs no look at them. */
static bool is_in_force(const struct agent *a, const struct model *m)
{
	unsigned parsed, files;

	file_source_stats(a->source, &parsed, &files);
	return !parsed && is_same(a, m);
}

static int publish_fitting(struct agent *a, struct model **m, struct reload_result *res, struct config_error *e,
			   struct plane_error *pe)
{
	int r;

	r = config_fits(*m, &a->settings.limits, e);
	return r < 0 ? r : reload_apply(a, a->config, m, res, pe);
}

/* Lays what is found over @written, and publishes. As read_and_apply(). */
static int apply_found(struct agent *a, const struct config *c, struct model **written, struct reload_result *res,
		       char *text, size_t len)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(model_freep) struct model *m = NULL;
	struct plane_error pe = { "" };
	int r;

	r = e ? found_apply(a, c, written, &m) : -ENOMEM;
	if (r == 0 && is_in_force(a, m))
		return 1;
	if (r == 0)
		r = publish_fitting(a, &m, res, e, &pe);
	if (r < 0)
		snprintf(text, len, "%s", e && *e->text ? e->text : *pe.text ? pe.text : log_strerror(r));
	return r;
}

/* Reads, compares, publishes. 0; 1 when there was nothing to do; or negative errno and @text says why. */
static int read_and_apply(struct agent *a, const char *const *changed, struct reload_result *res, char *text,
			  size_t len)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(model_freep) struct model *m = NULL;
	const struct config *c;
	int r;

	snprintf(text, len, "no memory");
	if (!e)
		return -ENOMEM;
	r = changed ? file_source_read_changed(a->source, changed, &c, &m, e) : file_source_read(a->source, &c, &m, e);
	if (r == 0) {
		a->config = c; /* the one before is no more */
		note_settings(a, c);
		r = config_fits(m, &a->settings.limits, e);
	}
	if (r < 0) {
		config_error_format(e, text, len);
		return r;
	}
	links_apply(a, c);
	naming_apply(a->naming, c, a->model);
	return apply_found(a, c, &m, res, text, len);
}

/* A registry has news. What it says and does not fit leaves all as it is. */
void reload_found(struct agent *a)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(model_freep) struct model *m = NULL;
	struct reload_result res = { .start_ns = now_ns() };
	struct plane_error pe = { "" };
	char text[sizeof(a->last_error)];
	int r;

	if (!e || !a->written_model)
		return;
	r = discovery_model(a->discovery, a->written_model, &m);
	if (r == 0 && is_same(a, m))
		return;
	if (r == 0)
		r = publish_fitting(a, &m, &res, e, &pe);
	if (r < 0)
		snprintf(text, sizeof(text), "%s", *e->text ? e->text : *pe.text ? pe.text : log_strerror(r));
	if (r < 0)
		reload_failed(a, text, RELOAD_RETRY);
	else if (is_change(&res.change))
		say_change(&res.change, res.seconds);
	if (r == 0)
		notify_status(agent_summary(a, text, sizeof(text)));
}

static void reload_once(struct agent *a, const char *const *changed, enum reload_why why)
{
	struct reload_result res = { .start_ns = now_ns() };
	char text[sizeof(a->last_error)];
	int r;

	r = read_and_apply(a, changed, &res, text, sizeof(text));
	if (r < 0) {
		reload_failed(a, text, why);
		return;
	}
	filing_look(a);
	if (r > 0 && why == RELOAD_ASKED) {
		a->seen.reloads_ok++;
		a->seen.last_ok_unix = agent_unix_time();
	}
	if (is_change(&res.change))
		say_change(&res.change, res.seconds);
	else if (why == RELOAD_ASKED)
		log_msg(LOG_L_INFO, "read the files: nothing changed");
	if (r > 0)
		return;
	notify_status(agent_summary(a, text, sizeof(text)));
	if (res.change.endpoints_added + res.change.endpoints_removed >= TRIM_FROM)
		malloc_trim(0);
}

void reload(struct agent *a, const char *const *changed, enum reload_why why)
{
	int r;

	reload_once(a, changed, why);
	/* The files may name other folders now. What happened in a new one before it was watched shows in another look.
	 */
	r = watch_folders(a->watch, file_source_folders(a->source));
	if (r > 0)
		reload_once(a, NULL, RELOAD_CHANGED);
	else if (r < 0)
		log_msg(LOG_L_WARNING, "cannot watch all folders (%s); SIGHUP makes the agent read them",
			log_strerror(r));
}

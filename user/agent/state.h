/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The one agent of a process, as its files share it. Only the loop's thread touches it. Inside agent/ only. */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include <uv.h>

#include "agent/agent.h"
#include "agent/health.h"
#include "agent/settings.h"
#include "discovery/discovery.h"
#include "discovery/file.h"
#include "plane/plane.h"
#include "telemetry/metrics.h"

struct events;
struct drainer;
struct filing;
struct health;
struct http;
struct links;
struct naming;
struct outlier;
struct watch;

struct agent {
	const struct agent_options *options;
	uv_loop_t loop;
	uv_signal_t signal[3];
	uv_timer_t reclaim_timer, audit_timer, retry_timer, watchdog_timer, fold_timer;

	struct file_source *source;
	struct settings settings;    /* in force */
	struct settings written;     /* as the file had them when it was last read */
	struct model *model;	     /* in force; NULL after a failure: unknown */
	struct discovery *discovery; /* NULL: no registry was ever named */
	struct model *written_model; /* with discovery: what the files say */
	const struct config *config; /* of the last good read; the source's */
	uv_timer_t found_timer;	     /* with discovery */
	uint64_t found_rest_until;
	struct plane *plane;
	struct watch *watch;
	struct http *http;
	struct naming *naming;
	struct links *links;	 /* NULL: failover cannot be had */
	struct drainer *drainer; /* NULL: before the first look */
	struct health *health;	 /* NULL: no service ever asked for checks */
	struct health_said health_said;
	struct health *register_health; /* NULL: nothing that is registered is checked */
	struct filing *filing;		/* NULL: `file-output` was never written */
	struct events *events;		/* NULL: no memory */
	struct outlier *outlier;	/* likewise */

	struct metrics_agent seen;
	struct metrics_options metrics; /* .format and .agent are the request's */
	uint32_t audit_ms;
	char last_error[1024]; /* empty: what the files say is in force */
	unsigned resting;      /* of plane_reclaim() */
	uint64_t reclaim_pause_ms;
	unsigned jobs; /* in the worker thread */
	bool ready;
};

double agent_unix_time(void);
/* "2 services, 5 endpoints": for the log and the service manager. Returns @text. */
char *agent_summary(const struct agent *a, char *text, size_t len);

/* ---- reload.c ---- */

enum reload_why {
	RELOAD_CHANGED, /* a file did */
	RELOAD_ASKED,	/* somebody did: say also that nothing changed */
	RELOAD_RETRY,	/* the last one failed: say nothing when this one fails alike */
};

struct reload_result {
	uint64_t start_ns; /* in: when reading began */
	struct plane_change change;
	double seconds; /* from then to visible */
};

/* Reads the files for the first time, and takes the settings. *ret_config as of file_source_read(). 0; else *text says
 * why. */
int reload_first(struct agent *a, const struct config **ret_config, struct model **ret_model, char *text, size_t len);
/* Publishes *m, and then takes it. 0, or negative errno and *e says why. */
int reload_apply(struct agent *a, const struct config *c, struct model **m, struct reload_result *ret,
		 struct plane_error *e);
/* Notes that what the files say is not in force, for reason @text. */
void reload_failed(struct agent *a, const char *text, enum reload_why why);
/* Reads what changed (@changed NULL: looks at everything) and publishes the difference. */
void reload(struct agent *a, const char *const *changed, enum reload_why why);

/* Something was found: publishes the difference. */
void reload_found(struct agent *a);

/* ---- upkeep.c: what is done from time to time ---- */
void upkeep_init(struct agent *a);
void upkeep_expect_rest(struct agent *a); /* something changed: ids and extents will soon be free */
void upkeep_set_audit(struct agent *a, uint32_t audit_ms);
void upkeep_set_retry(struct agent *a, bool on);
void upkeep_done(struct agent *a);

/* fold.c: folds the rows of callers that are gone when weft_edges fills. */
void fold_start(struct agent *a);

/* status.c: the body of GET /status; free() it. NULL: no memory. */
char *status_json(const struct agent *a);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From start to end. Until the files have been read and found good, nothing is touched; whatever comes later never
 * stops traffic. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/drain.h"
#include "agent/events.h"
#include "agent/filing.h"
#include "agent/found.h"
#include "agent/http.h"
#include "agent/links.h"
#include "agent/naming.h"
#include "agent/notify.h"
#include "agent/outlier.h"
#include "agent/privs.h"
#include "agent/register.h"
#include "agent/state.h"
#include "agent/watch.h"
#include "base/cleanup.h"
#include "base/log.h"

#define RUN_DIR	   "/run/weft"
#define READ_TRIES 3

double agent_unix_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

char *agent_summary(const struct agent *a, char *text, size_t len)
{
	uint64_t s = a->seen.services, e = a->seen.endpoints;

	snprintf(text, len, "%" PRIu64 " service%s, %" PRIu64 " endpoint%s", s, s == 1 ? "" : "s", e,
		 e == 1 ? "" : "s");
	return text;
}

static void on_changed(void *ctx, const char *const *changed)
{
	reload(ctx, changed, RELOAD_CHANGED);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct agent *a = handle->data;
	char text[64];

	if (number != SIGHUP) {
		uv_stop(&a->loop);
		return;
	}
	notify_reloading();
	reload(a, NULL, RELOAD_ASKED);
	notify_ready(*a->last_error ? "keeping what runs" : agent_summary(a, text, sizeof(text)));
}

/* Reads, then watches, and reads again when something could have changed between the two. */
static int read_files(struct agent *a, const struct config **ret_config, struct model **ret_model)
{
	char text[sizeof(a->last_error)];
	int r = 1;

	for (int i = 0; r > 0 && i < READ_TRIES; i++) {
		model_free(MOVE(*ret_model, NULL));
		settings_done(&a->settings);
		settings_done(&a->written);
		r = reload_first(a, ret_config, ret_model, text, sizeof(text));
		if (r < 0) {
			log_msg(LOG_L_ERROR, "%s", text);
			return r;
		}
		r = watch_folders(a->watch, file_source_folders(a->source));
	}
	if (r < 0)
		log_msg(LOG_L_WARNING, "cannot watch all folders (%s); SIGHUP makes the agent read them",
			log_strerror(r));
	return 0;
}

static int open_plane(struct agent *a, const struct config *c, enum plane_opened *ret_how, struct plane_error *e)
{
	const struct config_limits *l = &a->settings.limits;
	const struct plane_options o = {
		.bpffs = a->settings.bpffs,
		.instance = a->settings.instance,
		.cgroup = a->settings.cgroup,
		.lock_dir = RUN_DIR,
		.limits = { l->services, l->frontends, l->specs, l->backends, l->slots, l->affinity, l->edges,
			    l->handshakes, l->nat },
		.callers = c->metrics_callers,
	};
	int r;

	mkdir(RUN_DIR, 0755); /* when that failed, the lock says so */
	privs_enter();
	r = plane_open(&o, &a->plane, ret_how, e);
	privs_leave();
	return r;
}

static int attach(struct agent *a, struct plane_error *e)
{
	int r;

	privs_enter();
	r = plane_attach(a->plane, e);
	privs_leave();
	return r;
}

/* What was made in vain is taken away again. */
static void abandon(struct agent *a)
{
	struct plane_error e = { "" };

	plane_close(MOVE(a->plane, NULL));
	privs_enter();
	if (plane_unload(a->settings.bpffs, a->settings.instance, &e) < 0 && *e.text)
		log_msg(LOG_L_DEBUG, "%s", e.text);
	privs_leave();
}

/* New maps are filled before the hooks can ask them. Hooks that ask already go on with what was published last until it
 * changes. */
static int start_plane(struct agent *a, const struct config *c, struct model **m, struct reload_result *res)
{
	struct plane_error e = { "" };
	enum plane_opened how;
	char text[512];
	int r;

	r = open_plane(a, c, &how, &e);
	if (r < 0)
		goto failed;
	if (how == PLANE_CREATED) {
		r = reload_apply(a, c, m, res, &e);
		if (r == 0)
			r = attach(a, &e);
		if (r < 0)
			abandon(a);
	} else {
		r = attach(a, &e);
		if (r == 0 && reload_apply(a, c, m, res, &e) < 0)
			reload_failed(a, e.text, RELOAD_ASKED);
	}
	if (r < 0)
		goto failed;
	if (plane_resized(a->plane, text, sizeof(text)))
		log_msg(LOG_L_WARNING, "%s", text);
	return 0;
failed:
	log_msg(LOG_L_ERROR, "%s", *e.text ? e.text : log_strerror(r));
	return r;
}

static void say_started(struct agent *a)
{
	_cleanup_(freep) struct plane_link *links = NULL;
	char text[128], found[4096] = "cgroup2";
	size_t nr = 0;

	privs_enter();
	if (plane_links(plane_maps(a->plane)->dir, &links, &nr) < 0)
		nr = 0;
	if (!a->settings.cgroup)
		plane_find_cgroup(found, sizeof(found));
	privs_leave();
	log_msg(LOG_L_INFO, "loaded %s; attached %zu hooks to %s", agent_summary(a, text, sizeof(text)), nr,
		a->settings.cgroup ? a->settings.cgroup : found);
}

static int start_signals(struct agent *a)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGINT };
	int r = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uv_signal_init(&a->loop, &a->signal[i]);
		a->signal[i].data = a;
		if (r == 0)
			r = uv_signal_start(&a->signal[i], on_signal, numbers[i]);
	}
	return r;
}

/* Everything up to the moment when the loop has the say. 0, or negative errno and the sentence has been said. */
static int start(struct agent *a)
{
	_cleanup_(model_freep) struct model *written = NULL;
	_cleanup_(model_freep) struct model *m = NULL;
	struct reload_result res = { 0 };
	const struct config *c = NULL;
	struct timespec t;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &t);
	res.start_ns = (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
	r = naming_new(&a->loop, &a->naming);
	if (r == 0)
		r = read_files(a, &c, &written);
	if (r == 0)
		r = found_apply(a, c, &written, &m);
	if (r == 0)
		r = start_plane(a, c, &m, &res);
	if (r < 0)
		return r;
	r = http_new(a, &a->http);
	if (r < 0)
		return log_err(r, "cannot start the server for metrics");
	links_start(a, c);
	events_start(a);
	outlier_start(a);
	r = privs_drop();
	if (r < 0)
		return log_err(r, "cannot give up capabilities");
	drain_look(a);
	register_apply(a, c);
	filing_look(a);
	say_started(a);
	malloc_trim(0);
	return 0;
}

static void stop(struct agent *a)
{
	for (size_t i = 0; i < sizeof(a->signal) / sizeof(a->signal[0]); i++)
		uv_close((uv_handle_t *)&a->signal[i], NULL);
	upkeep_done(a);
	filing_done(a);
	found_close(a);
	agent_health_done(a);
	links_done(a);
	drain_done(a);
	outlier_done(a);
	events_done(a);
	naming_free(a->naming);
	watch_free(a->watch);
	while (a->jobs)
		uv_run(&a->loop, UV_RUN_ONCE);
	http_free(a->http);
	uv_run(&a->loop, UV_RUN_DEFAULT);
	uv_loop_close(&a->loop);
	drain_free(a);
	plane_close(a->plane);
	model_free(a->model);
	file_source_free(a->source);
	settings_done(&a->settings);
	settings_done(&a->written);
}

static int run(struct agent *a)
{
	char text[128];
	int r;

	r = start_signals(a);
	if (r == 0)
		r = watch_new(&a->loop, on_changed, a, &a->watch);
	if (r < 0)
		log_err(r, "cannot set up signals and watches");
	else
		r = start(a);
	if (r == 0) {
		a->ready = true;
		notify_ready(agent_summary(a, text, sizeof(text)));
		uv_run(&a->loop, UV_RUN_DEFAULT);
		notify_stopping();
		log_msg(LOG_L_INFO, "stopping; traffic goes on with what is published");
	}
	stop(a);
	return r < 0 ? 1 : 0;
}

static int check(struct agent *a)
{
	_cleanup_(model_freep) struct model *m = NULL;
	char text[sizeof(a->last_error)];
	const struct config *c;
	int r;

	r = reload_first(a, &c, &m, text, sizeof(text));
	if (r < 0)
		log_msg(LOG_L_ERROR, "%s", text);
	else
		log_msg(LOG_L_INFO, "%s: %zu services, %zu endpoints: ok", a->options->config_file, m->nr,
			model_count_endpoints(m));
	file_source_free(a->source);
	settings_done(&a->settings);
	settings_done(&a->written);
	return r < 0 ? 1 : 0;
}

int agent_main(const struct agent_options *options)
{
	struct agent a = { .options = options, .seen.start_unix = agent_unix_time() };
	int r;

	if (options->verbose)
		log_set_level(LOG_L_DEBUG);
	signal(SIGPIPE, SIG_IGN);
	/* One arena and one worker: what is freed can go back to the system. */
	mallopt(M_ARENA_MAX, 1);
	setenv("UV_THREADPOOL_SIZE", "1", 1);
	if (file_source_new(options->config_file, &a.source) < 0) {
		log_err(-ENOMEM, "cannot start");
		return 1;
	}
	if (options->check)
		return check(&a);
	r = privs_init();
	if (r == 0)
		r = uv_loop_init(&a.loop);
	if (r < 0) {
		log_err(r, "cannot start");
		file_source_free(a.source);
		return 1;
	}
	upkeep_init(&a);
	return run(&a);
}

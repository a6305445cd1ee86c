/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The deadlines are in weft_bstate, so that they outlive the agent, and others may set them: `weft endpoint drain`
 * writes there and adds to weft_config.drains, which is what is looked at every second. The looking itself visits
 * network namespaces and is done in the worker thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/drain.h"
#include "agent/privs.h"
#include "agent/state.h"
#include "base/log.h"
#include "plane/drain.h"

#define TICK_MS	 1000
#define AGAIN_MS 1000 /* what was due and could not be ended */
#define SLOWER	 60   /* as many times in a row; then as many times slower */

struct drainer {
	uv_timer_t tick, next;
	bool busy, again;
	uint32_t seen; /* of weft_config.drains */
	unsigned tries;
	int said; /* the last error that was told */
};

struct job {
	uv_work_t work;
	struct agent *agent;
	const struct maps *maps;
	struct drain_result found;
	int result;
};

static void on_next(uv_timer_t *timer)
{
	drain_look(timer->data);
}

static void on_tick(uv_timer_t *timer)
{
	struct agent *a = timer->data;

	if (__atomic_load_n(&plane_maps(a->plane)->config->drains, __ATOMIC_ACQUIRE) != a->drainer->seen)
		drain_look(a);
}

static void run(uv_work_t *work)
{
	struct job *job = work->data;

	privs_enter();
	job->result = maps_drain(job->maps, &job->found);
	privs_leave();
}

static void say(struct drainer *d, const struct job *job)
{
	const struct drain_result *f = &job->found;
	int error = job->result ? job->result : f->error;

	if (f->closed)
		log_msg(LOG_L_INFO, "closed %u connection%s past the drain timeout of %s endpoint%s", f->closed,
			f->closed == 1 ? "" : "s", f->closed == 1 ? "its" : "their", f->closed == 1 ? "" : "s");
	if (f->released)
		log_msg(LOG_L_INFO, "released %u connected UDP socket%s whose endpoint is gone", f->released,
			f->released == 1 ? "" : "s");
	if (error && error != d->said)
		log_msg(error == -EOPNOTSUPP ? LOG_L_INFO : LOG_L_WARNING,
			"cannot end all connections of endpoints that drain: %s%s", log_strerror(error),
			error == -EPERM || error == -ENOENT
				? "; other network namespaces need CAP_SYS_ADMIN and CAP_SYS_PTRACE"
				: "");
	d->said = error;
}

/* In milliseconds; 0: nothing to wait for. */
static uint64_t pause_ms(struct drainer *d, const struct drain_result *f)
{
	uint64_t now = uv_hrtime(), ms = 0;

	if (f->next_ns)
		ms = f->next_ns > now ? (f->next_ns - now) / 1000000 + 1 : 1;
	d->tries = f->left ? d->tries + 1 : 0;
	if (f->left && (!ms || ms > AGAIN_MS))
		ms = d->tries > SLOWER ? AGAIN_MS * SLOWER : AGAIN_MS;
	return ms;
}

static void done(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct agent *a = job->agent;
	struct drainer *d = a->drainer;
	uint64_t ms;

	a->jobs--;
	d->busy = false;
	if (status == 0 && !uv_is_closing((uv_handle_t *)&d->next)) {
		say(d, job);
		ms = pause_ms(d, &job->found);
		if (d->again)
			drain_look(a);
		else if (ms)
			uv_timer_start(&d->next, on_next, ms, 0);
		else
			uv_timer_stop(&d->next);
	}
	free(job);
}

static struct drainer *start(struct agent *a)
{
	struct drainer *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	uv_timer_init(&a->loop, &d->tick);
	uv_timer_init(&a->loop, &d->next);
	d->tick.data = a;
	d->next.data = a;
	uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
	a->drainer = d;
	return d;
}

void drain_look(struct agent *a)
{
	struct drainer *d = a->drainer ? a->drainer : start(a);
	struct job *job;

	if (!d)
		return;
	d->again = d->busy;
	if (d->busy)
		return;
	job = calloc(1, sizeof(*job));
	if (!job)
		return;
	job->agent = a;
	job->maps = plane_maps(a->plane);
	job->work.data = job;
	d->seen = __atomic_load_n(&job->maps->config->drains, __ATOMIC_ACQUIRE);
	if (uv_queue_work(&a->loop, &job->work, run, done) < 0) {
		free(job);
		return;
	}
	d->busy = true;
	a->jobs++;
}

void drain_done(struct agent *a)
{
	if (!a->drainer)
		return;
	uv_close((uv_handle_t *)&a->drainer->tick, NULL);
	uv_close((uv_handle_t *)&a->drainer->next, NULL);
}

void drain_free(struct agent *a)
{
	free(a->drainer);
	a->drainer = NULL;
}

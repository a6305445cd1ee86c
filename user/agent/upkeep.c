/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What an agent does without being asked. When there is nothing to do no timer runs but two slow ones: audit and fold.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "agent/notify.h"
#include "agent/privs.h"
#include "agent/state.h"
#include "base/log.h"

#define RECLAIM_FIRST_MS 1000  /* after a change, so that a burst of them costs one grace period */
#define RECLAIM_MAX_MS	 16000 /* when only long connections keep ids busy */
#define RETRY_MS	 5000
#define FOLD_MS		 60000
#define AUDIT_PASSES	 3
#define AUDIT_SAID	 8 /* endpoints named in the log */

static void on_reclaim(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	unsigned before = a->resting;

	privs_enter();
	a->resting = plane_reclaim(a->plane);
	privs_leave();
	if (!a->resting)
		return;
	if (a->resting < before || a->reclaim_pause_ms == 0)
		a->reclaim_pause_ms = RECLAIM_FIRST_MS;
	else if (a->reclaim_pause_ms < RECLAIM_MAX_MS)
		a->reclaim_pause_ms *= 2;
	uv_timer_start(timer, on_reclaim, a->reclaim_pause_ms, 0);
}

void upkeep_expect_rest(struct agent *a)
{
	a->reclaim_pause_ms = 0;
	uv_timer_start(&a->reclaim_timer, on_reclaim, RECLAIM_FIRST_MS, 0);
}

/* One recount, in the worker thread: it waits between its looks. */
struct audit_job {
	uv_work_t work;
	struct agent *agent;
	const struct maps *maps;
	struct audit audit;
	int result;
};

static void audit_run(uv_work_t *work)
{
	struct audit_job *job = work->data;

	privs_enter();
	job->result = maps_audit(job->maps, AUDIT_PASSES, &job->audit);
	privs_leave();
}

static void audit_say(const struct audit_job *job)
{
	const struct weft_backend *backends = job->maps->backends;
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < job->audit.nr_drift && i < AUDIT_SAID; i++) {
		const struct drift *d = &job->audit.drift[i];
		const struct weft_backend *b = &backends[d->backend];
		uint16_t port = (uint16_t)__builtin_bswap16(b->port_be);

		log_msg(LOG_L_WARNING, "audit: %s at %s %s: %lld counted, %lld found; `weft check` tells more",
			drift_name(d->what), d->backend ? "endpoint" : "service",
			d->backend ? addr_port_format(&b->addr, port, text, sizeof(text))
				   : job->maps->services[d->service].name,
			(long long)d->counted, (long long)d->found);
	}
	if (job->audit.nr_drift > AUDIT_SAID)
		log_msg(LOG_L_WARNING, "audit: %zu more counters differ", job->audit.nr_drift - AUDIT_SAID);
}

static void audit_done(uv_work_t *work, int status)
{
	struct audit_job *job = work->data;
	struct agent *a = job->agent;

	a->jobs--;
	if (status == 0 && job->result == 0) {
		a->seen.audit_runs++;
		a->seen.audit_drift = 0;
		for (size_t i = 0; i < job->audit.nr_drift; i++)
			a->seen.audit_drift += (uint64_t)llabs(job->audit.drift[i].counted - job->audit.drift[i].found);
		audit_say(job);
		free(job->audit.drift);
	} else if (status == 0 && job->result == -EOPNOTSUPP) {
		log_msg(LOG_L_INFO, "this kernel has no iterator over sockets: no audit of connection counts");
		uv_timer_stop(&a->audit_timer);
	} else if (status == 0) {
		log_msg(LOG_L_DEBUG, "audit failed: %s", log_strerror(job->result));
	}
	free(job);
	malloc_trim(0);
}

static void on_audit(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	struct audit_job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->agent = a;
	job->maps = plane_maps(a->plane);
	job->work.data = job;
	if (uv_queue_work(&a->loop, &job->work, audit_run, audit_done) < 0)
		free(job);
	else
		a->jobs++;
}

void upkeep_set_audit(struct agent *a, uint32_t audit_ms)
{
	if (audit_ms == a->audit_ms)
		return;
	a->audit_ms = audit_ms;
	uv_timer_stop(&a->audit_timer);
	if (audit_ms)
		uv_timer_start(&a->audit_timer, on_audit, audit_ms, audit_ms);
}

/* No event says that a file became readable again, or that an id of the plane became free. */
static void on_retry(uv_timer_t *timer)
{
	reload(timer->data, NULL, RELOAD_RETRY);
}

void upkeep_set_retry(struct agent *a, bool on)
{
	if (!on)
		uv_timer_stop(&a->retry_timer);
	else if (!uv_is_active((uv_handle_t *)&a->retry_timer))
		uv_timer_start(&a->retry_timer, on_retry, RETRY_MS, RETRY_MS);
}

static void on_fold(uv_timer_t *timer)
{
	fold_start(timer->data);
}

static void on_watchdog(uv_timer_t *timer)
{
	notify_watchdog();
}

void upkeep_init(struct agent *a)
{
	uv_timer_t *timers[] = { &a->reclaim_timer, &a->audit_timer, &a->retry_timer, &a->watchdog_timer,
				 &a->fold_timer };
	uint64_t ms = notify_watchdog_ms();

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		uv_timer_init(&a->loop, timers[i]);
		timers[i]->data = a;
	}
	uv_timer_start(&a->fold_timer, on_fold, FOLD_MS, FOLD_MS);
	if (ms)
		uv_timer_start(&a->watchdog_timer, on_watchdog, ms, ms);
}

void upkeep_done(struct agent *a)
{
	uv_close((uv_handle_t *)&a->reclaim_timer, NULL);
	uv_close((uv_handle_t *)&a->audit_timer, NULL);
	uv_close((uv_handle_t *)&a->retry_timer, NULL);
	uv_close((uv_handle_t *)&a->watchdog_timer, NULL);
	uv_close((uv_handle_t *)&a->fold_timer, NULL);
}

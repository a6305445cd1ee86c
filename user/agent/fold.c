/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Keeps room in weft_edges. Every caller has rows of its own there, and short jobs come and go; when the map is half
 * full, rows of those that are gone become one. Looking is done in the worker thread, changing in the loop's, which
 * owns the plane.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/privs.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "telemetry/callers.h"

struct fold_job {
	uv_work_t work;
	struct agent *agent;
	const struct maps *maps;
	struct callers *callers; /* that live; NULL: nothing to do */
};

static int note(void *ctx, const struct weft_edge_key *key, const struct weft_edge *value)
{
	return callers_note(ctx, key->caller);
}

static void look(uv_work_t *work)
{
	struct fold_job *job = work->data;
	_cleanup_(callers_freep) struct callers *c = NULL;
	struct map_usage usage;
	char root[4096];
	int r;

	c = callers_new();
	if (!c)
		return;
	privs_enter();
	r = maps_usage(job->maps, PLANE_MAP_EDGES, &usage);
	if (r == 0 && usage.entries * 2 >= usage.capacity)
		r = maps_each_edge(job->maps, note, c);
	else
		r = -EAGAIN;
	privs_leave();
	if (r == 0 && plane_find_cgroup(root, sizeof(root)) == 0 && callers_walk(c, root) == 0)
		job->callers = MOVE(c, NULL);
}

static bool is_gone(void *ctx, uint64_t caller)
{
	return callers_is_gone(ctx, caller);
}

static void fold(uv_work_t *work, int status)
{
	struct fold_job *job = work->data;
	struct agent *a = job->agent;
	unsigned folded = 0;
	int r = 0;

	a->jobs--;
	if (status == 0 && job->callers) {
		privs_enter();
		r = plane_fold_callers(a->plane, is_gone, job->callers, &folded);
		privs_leave();
	}
	if (r < 0)
		log_msg(LOG_L_WARNING, "cannot make room in weft_edges: %s; trying again later", log_strerror(r));
	else if (folded)
		log_msg(LOG_L_DEBUG, "weft_edges: %u rows of callers that are gone are one now", folded);
	callers_free(job->callers);
	free(job);
}

void fold_start(struct agent *a)
{
	struct fold_job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->agent = a;
	job->maps = plane_maps(a->plane);
	job->work.data = job;
	if (uv_queue_work(&a->loop, &job->work, look, fold) < 0)
		free(job);
	else
		a->jobs++;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "agent/links.h"
#include "agent/privs.h"
#include "agent/state.h"
#include "base/log.h"
#include "plane/follow.h"

/* Filters of clsact can be removed by anybody who may configure links, and nobody is told. */
#define LOOK_MS 60000

struct links {
	struct plane_follow *follow;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_idle_t idle; /* active while links wait to be attached: the loop goes round, and serves others in between */
	unsigned open;	/* handles */
	size_t told;	/* links, when their number was last told */
	bool tell;	/* the operator wanted something else */
	char said[sizeof(((struct plane_error *)0)->text)];
};

/* On a kernel without failover every link fails alike: the first says it. */
static void on_failed(void *ctx, const char *link, const struct plane_error *e)
{
	struct links *l = ctx;
	enum log_level level = strcmp(e->text, l->said) == 0 ? LOG_L_DEBUG : LOG_L_WARNING;

	snprintf(l->said, sizeof(l->said), "%s", e->text);
	log_msg(level, "no failover on network link %s: %s", link, e->text);
}

static void on_idle(uv_idle_t *idle)
{
	struct agent *a = idle->data;
	struct links *l = a->links;
	size_t now;

	privs_enter();
	if (plane_follow_step(l->follow) == 0)
		uv_idle_stop(idle);
	privs_leave();
	now = plane_follow_count(l->follow);
	if (uv_is_active((uv_handle_t *)idle) || !l->tell)
		return;
	l->tell = false;
	if (now != l->told)
		log_msg(LOG_L_INFO, "failover works on %zu network link%s", now, now == 1 ? "" : "s");
	l->told = now;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct agent *a = poll->data;
	int r;

	privs_enter();
	r = plane_follow_read(a->links->follow);
	privs_leave();
	uv_idle_start(&a->links->idle, on_idle);
	if (r == 0)
		return;
	log_msg(LOG_L_WARNING, "cannot hear of network links (%s); looking every %d s", log_strerror(r),
		LOOK_MS / 1000);
	uv_poll_stop(poll);
}

static void on_look(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	int r;

	privs_enter();
	r = plane_follow_sync(a->links->follow);
	privs_leave();
	uv_idle_start(&a->links->idle, on_idle);
	if (r < 0)
		log_msg(LOG_L_DEBUG, "cannot look at network links: %s", log_strerror(r));
}

void links_apply(struct agent *a, const struct config *c)
{
	int r;

	if (!a->links)
		return;
	privs_enter();
	r = plane_follow_want(a->links->follow, (const char *const *)c->links_include,
			      (const char *const *)c->links_exclude);
	privs_leave();
	a->links->tell = true;
	uv_idle_start(&a->links->idle, on_idle);
	if (r < 0)
		log_msg(LOG_L_WARNING, "cannot look at all network links: %s", log_strerror(r));
}

static void start_following(struct agent *a)
{
	struct links *l = a->links;
	int fd = plane_follow_fd(l->follow), r;

	uv_timer_init(&a->loop, &l->timer);
	l->timer.data = a;
	uv_idle_init(&a->loop, &l->idle);
	l->idle.data = a;
	l->open += 2;
	uv_timer_start(&l->timer, on_look, LOOK_MS, LOOK_MS);
	r = uv_poll_init(&a->loop, &l->poll, fd);
	if (r == 0) {
		l->poll.data = a;
		l->open++;
		r = uv_poll_start(&l->poll, UV_READABLE, on_event);
	}
	if (r < 0)
		log_msg(LOG_L_WARNING, "cannot wait for network links (%s); looking every %d s", log_strerror(r),
			LOOK_MS / 1000);
}

void links_start(struct agent *a, const struct config *c)
{
	struct plane_error e = { "no memory" };
	struct links *l = calloc(1, sizeof(*l));
	int r = -1;

	privs_enter();
	if (l)
		r = plane_follow_new(a->plane, on_failed, l, &l->follow, &e);
	privs_leave();
	if (r < 0) {
		free(l);
		log_msg(LOG_L_WARNING, "no failover: %s", e.text);
		return;
	}
	a->links = l;
	start_following(a);
	links_apply(a, c);
}

size_t links_count(const struct agent *a)
{
	return a->links ? plane_follow_count(a->links->follow) : 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct agent *a = handle->data;

	if (--a->links->open)
		return;
	plane_follow_free(a->links->follow);
	free(a->links);
	a->links = NULL;
}

void links_done(struct agent *a)
{
	struct links *l = a->links;

	if (!l)
		return;
	uv_close((uv_handle_t *)&l->timer, on_closed);
	uv_close((uv_handle_t *)&l->idle, on_closed);
	if (l->open > 2)
		uv_close((uv_handle_t *)&l->poll, on_closed);
}

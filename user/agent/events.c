/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events.h"
#include "agent/outlier.h"
#include "agent/privs.h"
#include "agent/state.h"
#include "base/log.h"
#include "plane/events.h"
#include "telemetry/event.h"

#define KEPT	     1024
#define SAID_MAX     50 /* lines in one second; a whole network that fails is one line more */
#define SAID_TIME_NS 1000000000ull
#define OLD_SECONDS  2.0

struct events {
	struct plane_events *source;
	uv_poll_t poll;
	bool polling;
	struct event kept[KEPT]; /* that of id n is kept[n % KEPT] */
	uint64_t last;		 /* id */
	uint64_t said_since_ns;
	unsigned said, kept_back;
	struct metrics_ejections *ejections; /* in the order in which they came up */
	size_t nr_ejections, room_ejections;
};

/* Whether another line may be written; of those that were not, a sentence follows. */
static bool may_say(struct events *e)
{
	uint64_t now = uv_hrtime();

	if (now - e->said_since_ns >= SAID_TIME_NS) {
		if (e->kept_back)
			log_msg(LOG_L_INFO, "%u more events; `weft events` shows the last %d", e->kept_back, KEPT);
		e->said_since_ns = now;
		e->said = e->kept_back = 0;
	}
	if (e->said < SAID_MAX) {
		e->said++;
		return true;
	}
	e->kept_back++;
	return false;
}

static enum log_level level_of(uint32_t type)
{
	return type == WEFT_EVENT_RETURNED || type == WEFT_EVENT_BREAKER_CLOSED || type == WEFT_EVENT_BREAKER_HALF_OPEN
		       ? LOG_L_INFO
		       : LOG_L_WARNING;
}

static void say(struct events *e, const struct event *event, double now)
{
	char text[EVENT_TEXT_LEN];

	if (!may_say(e))
		return;
	event_text(event, text, sizeof(text));
	if (now - event->unix_time >= OLD_SECONDS)
		log_msg(level_of(event->type), "%s; that was %.0f s ago", text, now - event->unix_time);
	else
		log_msg(level_of(event->type), "%s", text);
}

static void count_ejection(struct events *e, const struct event *event)
{
	struct metrics_ejections *more;

	for (size_t i = 0; i < e->nr_ejections; i++) {
		struct metrics_ejections *c = &e->ejections[i];

		if (c->cause == event->cause && strcmp(c->service, event->service) == 0) {
			c->count++;
			return;
		}
	}
	if (e->nr_ejections == e->room_ejections) {
		size_t room = e->room_ejections ? e->room_ejections * 2 : 16;

		more = reallocarray(e->ejections, room, sizeof(*more));
		if (!more)
			return;
		e->ejections = more;
		e->room_ejections = room;
	}
	more = &e->ejections[e->nr_ejections++];
	*more = (struct metrics_ejections){ .cause = event->cause, .count = 1 };
	memcpy(more->service, event->service, sizeof(more->service));
}

void events_add(struct agent *a, const struct weft_event *record)
{
	struct events *e = a->events;
	struct event_now now = event_now();
	struct event *event;

	if (!e)
		return;
	event = &e->kept[++e->last % KEPT];
	*event = event_resolve(plane_maps(a->plane), record, now);
	event->id = e->last;
	if (event->type == WEFT_EVENT_EJECTED) {
		count_ejection(e, event);
		outlier_expect_return(a);
	}
	say(e, event, now.unix_time);
}

static void on_event(void *ctx, const struct weft_event *record)
{
	events_add(ctx, record);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct agent *a = poll->data;
	int r = plane_events_read(a->events->source);

	if (r < 0) {
		log_msg(LOG_L_WARNING, "cannot read events any more: %s", log_strerror(r));
		uv_poll_stop(poll);
	}
}

static int listen_to(struct agent *a, struct events *e)
{
	int r;

	privs_enter();
	r = plane_events_new(plane_maps(a->plane), on_event, a, &e->source);
	privs_leave();
	if (r < 0)
		return r;
	r = uv_poll_init(&a->loop, &e->poll, plane_events_fd(e->source));
	if (r < 0)
		return r;
	e->poll.data = a;
	e->polling = true;
	return uv_poll_start(&e->poll, UV_READABLE, on_readable);
}

void events_start(struct agent *a)
{
	struct events *e = calloc(1, sizeof(*e));
	int r = -ENOMEM;

	a->events = e;
	if (e)
		r = listen_to(a, e);
	if (r == 0)
		r = plane_events_read(e->source);
	if (r < 0)
		log_msg(LOG_L_WARNING, "ejections and breakers work, but nobody will hear of them: %s",
			log_strerror(r));
}

json_t *events_json(const struct agent *a, uint64_t since)
{
	const struct events *e = a->events;
	json_t *j = json_object(), *list = json_array();
	uint64_t first = e && e->last > KEPT ? e->last - KEPT + 1 : 1;
	uint64_t counts[WEFT_R_MAX];
	int r;

	privs_enter();
	r = maps_counts(plane_maps(a->plane), counts);
	privs_leave();
	if (since + 1 > first)
		first = since + 1;
	for (uint64_t id = first; e && id <= e->last; id++)
		json_array_append_new(list, event_json(&e->kept[id % KEPT]));
	json_object_set_new(j, "last", json_integer(e ? (json_int_t)e->last : 0));
	json_object_set_new(j, "lost", r == 0 ? json_integer((json_int_t)counts[WEFT_R_EVENTS_LOST]) : json_null());
	json_object_set_new(j, "events", list);
	return j;
}

int events_ejections(const struct agent *a, struct metrics_ejections **ret, size_t *ret_nr)
{
	const struct events *e = a->events;
	struct metrics_ejections *copy = calloc((e ? e->nr_ejections : 0) + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (e && e->nr_ejections)
		memcpy(copy, e->ejections, e->nr_ejections * sizeof(*copy));
	*ret = copy;
	*ret_nr = e ? e->nr_ejections : 0;
	return 0;
}

static void release(struct agent *a)
{
	plane_events_free(a->events->source);
	free(a->events->ejections);
	free(a->events);
	a->events = NULL;
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void events_done(struct agent *a)
{
	if (!a->events)
		return;
	if (a->events->polling)
		uv_close((uv_handle_t *)&a->events->poll, on_closed);
	else
		release(a);
}

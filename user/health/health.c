/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The clockwork: one timer of the loop for whatever is due next. Probes of a lane run side by side up to its limit;
 * what is due beyond that stays in the heap, oldest first, and begins when one ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"
#include "health/inside.h"

#define LATE_MIN_NS 100000000ull

static const char *const states[] = {
#define X(id, name, text) name,
	HEALTH_STATES(X)
#undef X
};

const char *health_state_name(enum health_state state)
{
	return states[state];
}

double health_unix(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note_late(struct health *h, const struct target *t, uint64_t now)
{
	uint64_t tenth = (uint64_t)t->owner->check.interval_ms * 100000;

	if (now - t->due.ns > (tenth > LATE_MIN_NS ? tenth : LATE_MIN_NS))
		h->late++;
}

static void run_lane(struct health *h, struct lane *l)
{
	uint64_t now = uv_hrtime();
	struct due *d;

	/* One turn begins no more than there is room for, even when all of them end at once. */
	for (unsigned room = l->max - l->running; room; room--) {
		d = heap_first(&l->heap);
		if (!d || d->ns > now)
			return;
		heap_remove(&l->heap, d);
		note_late(h, (struct target *)(void *)d, now);
		probe_start(h, (struct target *)(void *)d);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct health *h = timer->data;

	run_lane(h, &h->lane[0]);
	run_lane(h, &h->lane[1]);
	health_arm(h);
}

void health_arm(struct health *h)
{
	uint64_t first = UINT64_MAX, now, ms;

	if (h->closing)
		return;
	for (int i = 0; i < 2; i++) {
		const struct lane *l = &h->lane[i];

		if (l->heap.nr && l->running < l->max && l->heap.due[0]->ns < first)
			first = l->heap.due[0]->ns;
	}
	if (first == UINT64_MAX) {
		uv_timer_stop(&h->timer);
		return;
	}
	/* The loop's clock stands still during callbacks; a timer that is told less than it should would fire for
	 * nothing. */
	uv_update_time(h->loop);
	now = uv_hrtime();
	ms = first > now ? (first - now + 999999) / 1000000 : 0;
	uv_timer_start(&h->timer, on_timer, ms, 0);
}

void health_opened(struct health *h)
{
	h->open++;
}

void health_closed(struct health *h)
{
	if (--h->open || !h->closing)
		return;
	heap_free(&h->lane[0].heap);
	heap_free(&h->lane[1].heap);
	targets_free(&h->targets);
	free(h);
}

int health_new(uv_loop_t *loop, const struct health_hooks *hooks, struct health **ret)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->hooks = *hooks;
	h->lane[0].max = SOCKETS_MAX;
	h->lane[1].max = COMMANDS_MAX;
	if (getrandom(&h->random, sizeof(h->random), GRND_NONBLOCK) != sizeof(h->random))
		h->random = uv_hrtime();
	uv_timer_init(loop, &h->timer);
	h->timer.data = h;
	health_opened(h);
	*ret = h;
	return 0;
}

/* Subjects of @m, side by side with those that are. *nr_old: how many of the old ones are dealt with. */
static int merge(struct health *h, const struct model *m, struct subject **to, size_t *nr)
{
	size_t j = 0;
	int r = 0;

	for (size_t i = 0; i < m->nr; i++) {
		struct service *s = m->services[i];
		struct subject *old = NULL, *n;

		if (s->check.type == HEALTH_NONE)
			continue;
		while (j < h->nr_subjects && strcmp(h->subjects[j]->applied->name, s->name) < 0)
			subject_free(h, h->subjects[j++]);
		if (j < h->nr_subjects && strcmp(h->subjects[j]->applied->name, s->name) == 0)
			old = h->subjects[j++];
		n = old && old->applied == s ? old : subject_update(h, old, s);
		if (!n)
			r = -ENOMEM;
		if (n || old)
			to[(*nr)++] = n ? n : old;
	}
	while (j < h->nr_subjects)
		subject_free(h, h->subjects[j++]);
	return r;
}

int health_apply(struct health *h, const struct model *m)
{
	struct subject **to;
	size_t room = 0, nr = 0;
	int r;

	for (size_t i = 0; i < m->nr; i++)
		room += m->services[i]->check.type != HEALTH_NONE;
	to = calloc(room + 1, sizeof(struct subject *));
	if (!to)
		return -ENOMEM;
	r = merge(h, m, to, &nr);
	free(h->subjects);
	h->subjects = to;
	h->nr_subjects = nr;
	h->applied = true;
	targets_schedule_new(h);
	health_arm(h);
	return r;
}

static void on_closed(uv_handle_t *handle)
{
	health_closed(handle->data);
}

void health_free(struct health *h)
{
	if (!h)
		return;
	h->closing = true;
	for (size_t i = 0; i < h->nr_subjects; i++)
		subject_free(h, h->subjects[i]);
	free(MOVE(h->subjects, NULL));
	h->nr_subjects = 0;
	while (h->probes) {
		struct probe *p = h->probes;

		h->probes = p->next;
		p->type->stop(p);
	}
	web_free(MOVE(h->web, NULL));
	uv_close((uv_handle_t *)&h->timer, on_closed);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The whole: what the config wants, what the agent is told, and the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"
#include "discovery/workloads.h"

#define GATHER_MS 1 /* changes that come together are told together */

uint64_t discovery_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void on_changed(uv_timer_t *timer)
{
	struct discovery *d = timer->data;

	d->changed = false;
	if (!d->closing && d->o.changed)
		d->o.changed(d->o.ctx);
}

void discovery_touch(struct discovery *d)
{
	state_changed(d);
	if (d->changed || d->closing)
		return;
	d->changed = true;
	uv_timer_start(&d->changed_timer, on_changed, GATHER_MS, 0);
}

int discovery_new(const struct discovery_options *o, struct discovery **ret)
{
	struct discovery *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->o = *o;
	d->zone = o->zone ? strdup(o->zone) : NULL;
	d->state_dir = o->state_dir ? strdup(o->state_dir) : NULL;
	if ((o->zone && !d->zone) || (o->state_dir && !d->state_dir) || pool_new(&d->pool) ||
	    http_client_new(o->loop, &d->http)) {
		pool_free(d->pool);
		free(d->zone);
		free(d->state_dir);
		free(d);
		return -ENOMEM;
	}
	uv_timer_init(o->loop, &d->changed_timer);
	uv_timer_init(o->loop, &d->save_timer);
	uv_timer_init(o->loop, &d->announce_timer);
	d->changed_timer.data = d->save_timer.data = d->announce_timer.data = d;
	d->handles = 4; /* the timers, and the HTTP client */
	workloads_open(d);
	state_load_sources(d);
	*ret = d;
	return 0;
}

int discovery_configure(struct discovery *d, const struct config *c, const struct model *written)
{
	int r;

	r = registries_configure(d, c);
	if (!r)
		r = addressing_set(d, c);
	if (!r)
		r = sources_configure(d, written);
	if (!r)
		r = announcements_configure(d, c);
	if (!r)
		registries_open(d);
	return r;
}

/* ---- the model ---- */

/* Services of registries that collide with others are left out, those of the files stay. */
static int seal(struct model **m, const struct model *own)
{
	for (;;) {
		const struct service *first = NULL, *second = NULL, *loser;
		const struct frontend *f = NULL;
		size_t i;
		int r;

		r = model_seal(*m, &first, &second, &f);
		if (r != -EEXIST)
			return r;
		loser = model_find(own, second->name) == second ? first : second;
		log_msg(LOG_L_WARNING, "service \"%s\" of %s has the %s of \"%s\", and is left out", loser->name,
			loser->file ? loser->file : "a registry", f ? "address" : "name",
			loser == first ? second->name : first->name);
		for (i = 0; i < (*m)->nr && (*m)->services[i] != loser; i++)
			;
		if (i == (*m)->nr || model_find(own, loser->name) == loser)
			return -EEXIST;
		service_unref((*m)->services[i]);
		memmove(&(*m)->services[i], &(*m)->services[i + 1], ((*m)->nr - i - 1) * sizeof(*(*m)->services));
		(*m)->nr--;
	}
}

static int add_own(struct discovery *d, const struct model *written, struct model *m, struct model *own)
{
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; !r && i < written->nr; i++) {
		struct service *s = written->services[i];

		if (s->nr_sources) {
			while (k < d->nr_subjects && strcmp(d->subjects[k].written->name, s->name) < 0)
				k++;
			if (k < d->nr_subjects && d->subjects[k].written == s) {
				r = subject_merge(&d->subjects[k]);
				s = d->subjects[k].merged;
			}
		}
		if (!r)
			r = model_add(m, s);
		if (!r)
			r = model_add(own, s);
	}
	return r;
}

int discovery_model(struct discovery *d, const struct model *written, struct model **ret)
{
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(model_freep) struct model *own = model_new();
	int r = m && own ? 0 : -ENOMEM;

	if (!r)
		r = add_own(d, written, m, own);
	for (size_t i = 0; !r && i < d->nr_registries; i++)
		for (size_t k = 0; !r && !d->registries[i]->closing && k < d->registries[i]->services.nr; k++)
			r = model_add(m, d->registries[i]->services.at[k]);
	if (!r)
		r = seal(&m, own);
	if (!r)
		r = addressing_fill(d, &m);
	if (!r)
		*ret = MOVE(m, NULL);
	return r;
}

const char *discovery_zone(const struct discovery *d)
{
	return d->zone && *d->zone ? d->zone : d->told_zone;
}

void registry_zone(struct registry *r, const char *zone)
{
	struct discovery *d = r->core->discovery;
	char *copy;

	if (d->told_zone && !strcmp(d->told_zone, zone))
		return;
	copy = strdup(zone);
	if (!copy)
		return;
	free(d->told_zone);
	d->told_zone = copy;
	log_msg(LOG_L_INFO, "registry %s: this node is in zone %s", r->name, zone);
	discovery_touch(d);
}

/* ---- the end ---- */

static void finish(struct discovery *d)
{
	void (*closed)(void *ctx) = d->closed;
	void *ctx = d->closed_ctx;

	model_free(d->prior_sources);
	pool_free(d->pool);
	free(d->registries);
	free(d->subjects);
	free(d->announcements);
	free(d->zone);
	free(d->told_zone);
	free(d->state_dir);
	free(d);
	if (closed)
		closed(ctx);
}

void discovery_handle_closed(struct discovery *d)
{
	if (!--d->handles)
		finish(d);
}

static void on_handle_closed(uv_handle_t *handle)
{
	discovery_handle_closed(handle->data);
}

static void on_http_closed(void *ctx)
{
	discovery_handle_closed(ctx);
}

/* Called again whenever a registry has closed. */
void discovery_may_end(struct discovery *d)
{
	if (!d->closing || d->nr_registries || !d->http)
		return;
	http_client_free(MOVE(d->http, NULL), on_http_closed, d);
	sources_close_names(d);
	workloads_close(d);
	uv_close((uv_handle_t *)&d->changed_timer, on_handle_closed);
	uv_close((uv_handle_t *)&d->save_timer, on_handle_closed);
	uv_close((uv_handle_t *)&d->announce_timer, on_handle_closed);
}

void discovery_close(struct discovery *d, void (*closed)(void *ctx), void *ctx)
{
	discovery_save(d);
	d->closing = true;
	d->closed = closed;
	d->closed_ctx = ctx;
	sources_close(d);
	announcements_close(d);
	registries_close(d);
	discovery_may_end(d);
}

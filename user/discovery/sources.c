/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services with sources, and the lookups that run for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"

static void lookup_core_free(struct lookup_core *l)
{
	free(l->registry);
	options_done(&l->options);
	hosts_done(&l->hosts);
	found_done(&l->found);
	free(l);
}

/* The lookup may take its time to end; its core ends with it. */
static void stop(struct lookup_core *l)
{
	l->subject = NULL;
	hosts_done(&l->hosts);
	if (l->lookup)
		l->lookup->registry->type->stop(l->lookup);
	else
		lookup_core_free(l);
}

void lookup_stopped(struct lookup *l)
{
	struct registry_core *g = l->registry->core;
	struct lookup_core *core = l->core;

	free(l);
	core->lookup = NULL;
	if (!core->subject)
		lookup_core_free(core);
	g->lookups--;
	registry_may_close(g);
}

/* Asks the registry, when it is open. */
static void start(struct lookup_core *l)
{
	struct registry_core *g = registry_named(l->discovery, l->registry);
	const struct provider *type;

	if (l->lookup || !g || !g->registry)
		return;
	type = g->registry->type;
	l->lookup = type->start ? calloc(1, type->lookup_size) : NULL;
	if (!l->lookup)
		return;
	l->lookup->registry = g->registry;
	l->lookup->options = &l->options;
	l->lookup->service = l->subject->written->name;
	l->lookup->core = l;
	g->lookups++;
	if (type->start(l->lookup) == 0)
		return;
	if (!*l->lookup->error)
		lookup_failed(l->lookup, "it cannot be asked");
	snprintf(l->error, sizeof(l->error), "%s", l->lookup->error);
	free(MOVE(l->lookup, NULL));
	g->lookups--;
}

static void on_hosts_changed(void *ctx)
{
	struct lookup_core *l = ctx;

	if (!l->subject)
		return;
	service_unref(MOVE(l->subject->merged, NULL));
	discovery_touch(l->discovery);
}

static void on_names_closed(void *ctx)
{
	discovery_handle_closed(ctx);
}

static void follow_hosts(struct lookup_core *l)
{
	struct discovery *d = l->discovery;

	if (!l->hosts.nr && !found_has_hosts(&l->found))
		return;
	if (!d->names) {
		if (names_new(d->o.loop, &d->names))
			return;
		d->handles++;
	}
	l->hosts.changed = on_hosts_changed;
	l->hosts.ctx = l;
	if (hosts_follow(&l->hosts, d->names, &l->found))
		log_msg(LOG_L_WARNING, "no memory to look up the hosts of service %s", l->subject->written->name);
}

void sources_close_names(struct discovery *d)
{
	if (d->names)
		names_free(MOVE(d->names, NULL), on_names_closed, d);
}

static struct lookup_core *make(struct discovery *d, const struct source *src)
{
	struct lookup_core *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->discovery = d;
	l->registry = strdup(src->registry);
	if (!l->registry || options_copy(&src->options, &l->options)) {
		lookup_core_free(l);
		return NULL;
	}
	return l;
}

/* The one of @s that asks the same, taken out. */
static struct lookup_core *take_alike(struct subject *s, const struct source *src)
{
	for (size_t i = 0; i < s->nr_sources; i++)
		if (s->sources[i] && !strcmp(s->sources[i]->registry, src->registry) &&
		    options_equal(&s->sources[i]->options, &src->options))
			return MOVE(s->sources[i], NULL);
	return NULL;
}

static void subject_done(struct subject *s)
{
	for (size_t i = 0; i < s->nr_sources; i++)
		if (s->sources[i])
			stop(s->sources[i]);
	free(s->sources);
	service_unref(s->written);
	service_unref(s->merged);
	service_unref(s->before);
	service_unref(s->prior);
	*s = (struct subject){ 0 };
}

/* @to becomes the subject of @written; what @from (may be empty) has of it goes over. */
static int subject_make(struct discovery *d, struct service *written, struct subject *from, struct subject *to)
{
	struct service *prior;

	*to = (struct subject){ .sources = calloc(written->nr_sources, sizeof(struct lookup_core *)) };
	if (!to->sources)
		return -ENOMEM;
	for (size_t i = 0; i < written->nr_sources; i++) {
		to->sources[i] = take_alike(from, &written->sources[i]);
		if (!to->sources[i]) {
			to->sources[i] = make(d, &written->sources[i]);
			if (to->sources[i])
				to->sources[i]->is_new = from->written;
		}
		if (!to->sources[i])
			return -ENOMEM;
		to->nr_sources++;
	}
	to->written = service_ref(written);
	to->before = MOVE(from->before, NULL);
	to->prior = MOVE(from->prior, NULL);
	/* What counts until a new source has answered: what was there, in this process or the one before. */
	if (!to->prior && to->before)
		to->prior = service_ref(to->before);
	prior = d->prior_sources ? model_find(d->prior_sources, written->name) : NULL;
	if (!to->prior && prior)
		to->prior = service_ref(prior);
	return 0;
}

static bool is_same(const struct subject *s, const struct service *written)
{
	return s->written == written;
}

static size_t count_wanted(const struct model *written)
{
	size_t nr = 0;

	for (size_t i = 0; i < written->nr; i++)
		nr += written->services[i]->nr_sources > 0;
	return nr;
}

static void bind_lookups(struct subject *subjects, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		for (size_t k = 0; k < subjects[i].nr_sources; k++) {
			struct lookup_core *l = subjects[i].sources[k];

			l->subject = &subjects[i];
			if (l->lookup)
				l->lookup->service = subjects[i].written->name;
		}
}

/* Both lists are sorted: walk them side by side. */
int sources_configure(struct discovery *d, const struct model *written)
{
	size_t wanted = count_wanted(written), nr = 0, old = 0;
	struct subject *subjects;
	int r = 0;

	if (!wanted && !d->nr_subjects)
		return 0;
	subjects = calloc(wanted ? wanted : 1, sizeof(*subjects));
	if (!subjects)
		return -ENOMEM;
	for (size_t i = 0; i < written->nr; i++) {
		struct service *s = written->services[i];
		struct subject none = { 0 }, *from = &none;

		if (!s->nr_sources)
			continue;
		while (old < d->nr_subjects && strcmp(d->subjects[old].written->name, s->name) < 0)
			subject_done(&d->subjects[old++]);
		if (old < d->nr_subjects && !strcmp(d->subjects[old].written->name, s->name))
			from = &d->subjects[old++];
		if (from != &none && is_same(from, s)) {
			subjects[nr++] = *from;
			*from = (struct subject){ 0 };
			continue;
		}
		if (subject_make(d, s, from, &subjects[nr]))
			r = -ENOMEM; /* the rest is taken over all the same; the next call tries again */
		else
			nr++;
		subject_done(from);
	}
	while (old < d->nr_subjects)
		subject_done(&d->subjects[old++]);
	free(d->subjects);
	d->subjects = subjects;
	d->nr_subjects = nr;
	bind_lookups(subjects, nr);
	state_changed(d);
	return r;
}

void sources_start(struct discovery *d)
{
	for (size_t i = 0; i < d->nr_subjects; i++)
		for (size_t k = 0; k < d->subjects[i].nr_sources; k++)
			start(d->subjects[i].sources[k]);
}

void sources_leave(struct discovery *d, struct registry_core *g)
{
	for (size_t i = 0; i < d->nr_subjects; i++)
		for (size_t k = 0; k < d->subjects[i].nr_sources; k++) {
			struct lookup_core *l = d->subjects[i].sources[k], *next;

			if (!l->lookup || l->lookup->registry != g->registry)
				continue;
			/* Another one carries on with what was found. */
			next = calloc(1, sizeof(*next));
			if (!next || !(next->registry = strdup(l->registry)) ||
			    options_copy(&l->options, &next->options)) {
				free(next ? next->registry : NULL);
				free(next);
				continue;
			}
			next->discovery = d;
			next->subject = l->subject;
			next->found = l->found;
			next->answered = l->answered;
			next->held = l->held;
			next->answered_ns = l->answered_ns;
			l->found = (struct found){ 0 };
			follow_hosts(next);
			d->subjects[i].sources[k] = next;
			stop(l);
		}
}

void sources_close(struct discovery *d)
{
	for (size_t i = 0; i < d->nr_subjects; i++)
		subject_done(&d->subjects[i]);
	d->nr_subjects = 0;
}

/* ---- what is found ---- */

int subject_merge(struct subject *s)
{
	struct part parts[16];
	bool waiting = false;

	if (s->merged)
		return 0;
	for (size_t i = 0; i < s->nr_sources && i < 16; i++) {
		const struct lookup_core *l = s->sources[i];

		parts[i] = (struct part){ &l->found, &l->options, &l->hosts, l->answered };
		waiting |= !l->answered;
	}
	if (!waiting)
		service_unref(MOVE(s->prior, NULL));
	s->merged = combine(s->written, parts, s->nr_sources, s->prior);
	if (!s->merged)
		return -ENOMEM;
	/* An object that says the same is not looked at again. */
	if (s->before && service_equal(s->before, s->merged)) {
		service_unref(s->merged);
		s->merged = service_ref(s->before);
	}
	service_unref(s->before);
	s->before = service_ref(s->merged);
	return 0;
}

static bool is_kept_when_empty(const struct lookup_core *l)
{
	const char *def = "keep";
	const struct provider *type = l->lookup->registry->type;

	if (type->empty_is_true)
		def = "clear";
	return !strcmp(options_text(&l->options, "empty", def), "keep");
}

/* Was the source written beside others that have endpoints? Then that it has none takes nothing away. */
static bool is_addition(const struct lookup_core *l)
{
	const struct subject *s = l->subject;

	for (size_t i = 0; l->is_new && i < s->nr_sources; i++)
		if (s->sources[i] != l && s->sources[i]->answered && s->sources[i]->found.nr)
			return true;
	return false;
}

void lookup_found(struct lookup *l, struct found *f)
{
	struct lookup_core *core = l->core;
	bool was_held;

	l->failing = false;
	*l->error = '\0';
	registry_heard(l->registry);
	l->registry->seen.answers++;
	if (!core->subject) {
		found_done(f);
		return;
	}
	filter_found(f, &core->options);
	was_held = core->held;
	core->held = !f->nr && is_kept_when_empty(core) && (core->found.nr || !core->answered);
	core->answered_ns = discovery_now_ns();
	if (core->held && (core->found.nr || (core->subject->prior && !is_addition(core)))) {
		log_msg(was_held ? LOG_L_DEBUG : LOG_L_WARNING,
			"registry %s has no endpoint for service %s any more; keeping what was there (\"empty: clear\" "
			"would not)",
			l->registry->name, l->service);
		found_done(f);
		return;
	}
	core->held = false;
	if (core->answered && found_equal(&core->found, f)) {
		found_done(f);
		return;
	}
	core->answered = true;
	found_done(&core->found);
	core->found = *f;
	*f = (struct found){ 0 };
	follow_hosts(core);
	service_unref(MOVE(core->subject->merged, NULL));
	discovery_touch(core->discovery);
}

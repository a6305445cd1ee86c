/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Endpoints by REST: which names are asked for together. Many in one question are cheap; but there are servers that
 * answer, as Envoy asks, one name only. Whether it is one of those is found out when an answer lacks something: one of
 * the names that it lacks is asked for alone, and if that helps, and the same answer lacks it again, all are from then
 * on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/envoy.h"

#define TOGETHER 200 /* names in a question: their answer is read in one go */
#define PROBES	 16  /* in a row, before there is a pause */

/* ---- the table ---- */

static size_t place_of(const struct envoy *e, const char *key, bool *ret_there)
{
	size_t low = 0, high = e->nr_names;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = strcmp(e->names[middle]->key, key);

		if (!r) {
			*ret_there = true;
			return middle;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = false;
	return low;
}

static struct envoy_name *find(const struct envoy *e, const char *key)
{
	bool there;
	size_t i = place_of(e, key, &there);

	return there ? e->names[i] : NULL;
}

static struct envoy_name *insert(struct envoy *e, const char *key, size_t i)
{
	struct envoy_name *n;

	if (e->nr_names == e->names_capacity) {
		size_t want = e->names_capacity ? e->names_capacity * 2 : 16;
		struct envoy_name **more = reallocarray(e->names, want, sizeof(*more));

		if (!more)
			return NULL;
		e->names = more;
		e->names_capacity = want;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->key = strdup(key);
	if (!n->key) {
		free(n);
		return NULL;
	}
	memmove(&e->names[i + 1], &e->names[i], (e->nr_names - i) * sizeof(*e->names));
	e->nr_names++;
	e->names[i] = n;
	return n;
}

static void name_free(struct envoy *e, struct envoy_name *n)
{
	bool there;
	size_t i = place_of(e, n->key, &there);

	e->nr_names--;
	memmove(&e->names[i], &e->names[i + 1], (e->nr_names - i) * sizeof(*e->names));
	free(n->key);
	free(n);
}

void envoy_names_done(struct envoy *e)
{
	free(e->names);
}

/* ---- who asks for what ---- */

static struct envoy_question *with_room(struct envoy *e)
{
	for (struct envoy_question *q = e->questions; q && !e->one_only; q = q->next)
		if (!q->clusters && !q->probe && q->nr < TOGETHER)
			return q;
	return envoy_question_new(e);
}

static int assign(struct envoy *e, struct envoy_name *n)
{
	struct envoy_question *q = with_room(e);
	int r = q ? envoy_question_add(q, n) : -ENOMEM;

	if (r && q && !q->nr)
		envoy_question_close(q);
	if (!r && e->one_only)
		e->nr_alone++;
	return r;
}

int envoy_names_add(struct envoy *e, struct envoy_want *w)
{
	bool there;
	size_t i = place_of(e, w->key, &there);
	struct envoy_name *n = there ? e->names[i] : insert(e, w->key, i);

	if (!n)
		return -ENOMEM;
	if (there) {
		envoy_ask_whole(n->question);
	} else if (assign(e, n)) {
		name_free(e, n);
		return -ENOMEM;
	}
	w->name = n;
	w->next = n->wants;
	n->wants = w;
	return 0;
}

void envoy_names_remove(struct envoy *e, struct envoy_want *w)
{
	struct envoy_name *n = MOVE(w->name, NULL);
	struct envoy_want **at = &n->wants;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (n->wants)
		return;
	if (e->probe && e->probe->names[0] == n)
		envoy_question_close(e->probe);
	if (e->one_only)
		e->nr_alone--;
	envoy_question_remove(n->question, n);
	name_free(e, n);
}

/* Each name is a question of its own from now on. */
static void divide(struct envoy_question *q)
{
	struct envoy *e = q->e;
	struct envoy_question *one;

	while (q->nr > 1) {
		struct envoy_name *n = q->names[q->nr - 1];

		one = envoy_question_new(e);
		if (!one || envoy_question_add(one, n)) {
			if (one)
				envoy_question_close(one);
			break; /* they stay together, and the next answer tries again */
		}
		q->nr--;
	}
	q->confirm = NULL;
	envoy_ask_whole(q);
}

static void divide_all(struct envoy *e)
{
	struct envoy_question *following;

	log_msg(LOG_L_INFO, "registry %s: its server answers one name at a time; asking for each alone", e->r.name);
	e->one_only = true;
	e->nr_alone = e->nr_names;
	/* New ones come in front of those that are gone through. */
	for (struct envoy_question *q = e->questions; q; q = following) {
		following = q->next;
		if (!q->clusters && !q->probe && q->nr > 1)
			divide(q);
	}
}

/* ---- what an answer lacks ---- */

static void tell(struct envoy_name *n, const char *why)
{
	for (struct envoy_want *w = n->wants, *following; w; w = following) {
		following = w->next;
		w->failed(w, why);
	}
}

static void tell_missing(struct envoy_question *q)
{
	for (size_t i = 0; i < q->nr; i++)
		if (q->names[i]->missing)
			tell(q->names[i], "the control plane has no such cluster");
}

/* Asks for one of those that are missing alone, but not for one after the other for ever. */
static bool begin_probe(struct envoy_question *q)
{
	struct envoy *e = q->e;
	struct envoy_question *probe;
	struct envoy_name *n = NULL;

	for (size_t i = 0; i < q->nr && !n; i++)
		if (q->names[i]->missing && !q->names[i]->probed)
			n = q->names[i];
	if (!n || e->probe || uv_now(e->r.loop) < e->probe_ms)
		return false;
	if (++e->probes == PROBES) {
		e->probes = 0;
		e->probe_ms = uv_now(e->r.loop) + backoff_next(&e->probing);
	}
	probe = envoy_question_new(e);
	if (!probe)
		return false;
	probe->probe = true;
	if (envoy_question_add(probe, n)) {
		envoy_question_close(probe);
		return false;
	}
	e->probe = probe;
	return true;
}

static void end_probe(struct envoy_question *probe)
{
	struct envoy_name *n = probe->names[0];
	struct envoy_question *q = n->question;

	envoy_question_close(probe);
	n->probed = !n->answered;
	if (n->answered || q->refused) {
		q->confirm = n;
		envoy_ask_whole(q);
	} else if (!begin_probe(q)) {
		tell_missing(q);
	}
}

bool envoy_names_refused(struct envoy_question *q)
{
	if (q->clusters || q->probe || q->nr < 2 || q->e->plural)
		return false;
	if (q->refused && q->confirm) {
		divide_all(q->e);
		return true;
	}
	q->refused = q->stale = true;
	for (size_t i = 0; i < q->nr; i++)
		q->names[i]->missing = true;
	return begin_probe(q) || q->e->probe;
}

/* After an answer that had to be whole. */
static void look_for_missing(struct envoy_question *q)
{
	bool some = false, confirmed = q->confirm && !q->refused && !q->confirm->answered && q->confirm->asked;

	for (size_t i = 0; i < q->nr; i++) {
		q->names[i]->missing = q->names[i]->asked && !q->names[i]->answered;
		some |= q->names[i]->missing;
	}
	q->refused = false;
	if (confirmed && !q->e->plural) {
		divide_all(q->e);
		return;
	}
	q->confirm = NULL;
	if (some && (q->nr == 1 || q->e->plural || (!begin_probe(q) && !q->e->probe)))
		tell_missing(q);
}

/* ---- what it has ---- */

static const char *name_of(const json_t *assignment)
{
	return envoy_text(assignment, "cluster_name");
}

static void deliver(struct envoy_name *n, const json_t *assignment)
{
	n->answered = true;
	n->missing = n->probed = false;
	for (struct envoy_want *w = n->wants, *following; w; w = following) {
		following = w->next;
		w->answer(w, assignment);
	}
}

int envoy_names_take(struct envoy_question *q, const struct envoy_answer *a, char *why, size_t why_len)
{
	struct envoy *e = q->e;
	const json_t *at, *assignment;
	size_t i, nr = 0, bad = 0;
	struct envoy_name *n;

	for (i = 0; i < q->nr; i++)
		q->names[i]->answered = false;
	json_array_foreach(a->resources, i, at)
	{
		assignment = envoy_resource(at, "ClusterLoadAssignment");
		if (!assignment || !name_of(assignment)) {
			bad++;
			continue;
		}
		/* Some answer more than they were asked. */
		n = find(e, name_of(assignment));
		if (!n || n->answered || (n->question != q && !q->probe))
			continue;
		nr++;
		deliver(n, assignment);
	}
	if (bad)
		registry_odd(&e->r, "%zu resources that are no ClusterLoadAssignment with a name", bad);
	if (bad && !nr) {
		snprintf(why, why_len, "none of its resources is a ClusterLoadAssignment with a name");
		return -EBADMSG;
	}
	e->plural |= nr > 1 && !q->probe;
	if (q->probe)
		end_probe(q);
	else if (q->whole)
		look_for_missing(q);
	return 0;
}

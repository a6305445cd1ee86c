/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A service's endpoints, as health knows them: what stays keeps what is known of it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/inside.h"

static void member_free(struct health *h, struct member *m)
{
	if (!m)
		return;
	target_leave(h, m);
	free(m->text);
	free(m);
}

static struct member *member_new(struct health *h, struct subject *s, const struct service *of,
				 const struct endpoint *e)
{
	const struct health_hooks *k = &h->hooks;
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->subject = s;
	m->addr = e->addr;
	m->port = e->port;
	m->since_unix = health_unix();
	m->judge.fresh = true;
	/*
	 * It takes connections already: it goes on until its check says otherwise. When it did so before this agent
	 * began, an agent before us had found it healthy, and that is not thrown away by a single failure.
	 */
	if (k->is_healthy && k->is_healthy(k->ctx, of->name, &e->addr, e->port)) {
		m->judge.state = HEALTH_S_UP;
		m->judge.fresh = h->applied;
		m->judge.passed = true;
	}
	return m;
}

static int member_compare(const struct member *m, const struct endpoint *e)
{
	struct endpoint key = { .addr = m->addr, .port = m->port };

	return endpoint_compare(&key, e);
}

/* Members for the endpoints of @s: those of @old where they are there, else new ones, which stand in @made too. */
static bool fill(struct health *h, struct subject *n, const struct subject *old, const struct service *s,
		 struct member **made)
{
	size_t j = 0, nr_made = 0;

	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];

		while (old && j < old->nr && member_compare(old->members[j], e) < 0)
			j++;
		if (old && j < old->nr && member_compare(old->members[j], e) == 0) {
			n->members[i] = old->members[j++];
			continue;
		}
		n->members[i] = member_new(h, n, s, e);
		if (!n->members[i])
			return false;
		made[nr_made++] = n->members[i];
	}
	return true;
}

/* Every member to the target that @s wants. A check that changed begins anew; what the old one said counts until then.
 */
static bool join(struct health *h, struct subject *n, struct service *s)
{
	for (size_t i = 0; i < n->nr; i++) {
		struct member *m = n->members[i];
		struct target *was = m->target;

		if (target_join(h, m, s) < 0)
			return false;
		if (m->target != was)
			m->judge.fresh = was ? true : m->judge.fresh;
	}
	return true;
}

static void forget_gone(struct health *h, struct subject *old, const struct service *s)
{
	size_t i = 0;

	for (size_t j = 0; j < old->nr; j++) {
		struct member *m = old->members[j];

		while (i < s->nr_endpoints && member_compare(m, &s->endpoints[i]) > 0)
			i++;
		if (i == s->nr_endpoints || member_compare(m, &s->endpoints[i]) != 0)
			member_free(h, m);
	}
}

static void shell_free(struct subject *s)
{
	service_unref(s->applied);
	free(s->members);
	free(s);
}

struct subject *subject_update(struct health *h, struct subject *old, struct service *s)
{
	_cleanup_(freep) struct member **made = calloc(s->nr_endpoints + 1, sizeof(struct member *));
	struct subject *n = calloc(1, sizeof(*n));

	if (!n || !made) {
		free(n);
		return NULL;
	}
	n->applied = service_ref(s);
	n->members = calloc(s->nr_endpoints + 1, sizeof(struct member *));
	n->nr = s->nr_endpoints;
	if (!n->members || !fill(h, n, old, s, made) || !join(h, n, s)) {
		for (size_t i = 0; made[i]; i++)
			member_free(h, made[i]);
		shell_free(n);
		return NULL;
	}
	for (size_t i = 0; i < n->nr; i++)
		n->members[i]->subject = n;
	if (old) {
		n->attempts = old->attempts;
		n->successes = old->successes;
		forget_gone(h, old, s);
		shell_free(old);
	}
	return n;
}

void subject_free(struct health *h, struct subject *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nr; i++)
		member_free(h, s->members[i]);
	shell_free(s);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is known, for those who ask. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "health/inside.h"

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *member_json(const struct member *m)
{
	const struct service *s = m->subject->applied;
	char at[ADDR_TEXT_LEN];
	json_t *j = json_object();

	json_object_set_new(j, "service", json_string(s->name));
	json_object_set_new(j, "endpoint", json_string(addr_port_format(&m->addr, m->port, at, sizeof(at))));
	json_object_set_new(j, "check", json_string(health_name(s->check.type)));
	json_object_set_new(j, "state", json_string(health_state_name(m->judge.state)));
	json_object_set_new(j, "since_unix", json_real(m->since_unix));
	json_object_set_new(j, "attempts", integer(m->attempts));
	json_object_set_new(j, "successes", integer(m->successes));
	json_object_set_new(j, "failures", integer(m->attempts - m->successes));
	json_object_set_new(j, "last_text", json_string(m->text ? m->text : ""));
	if (!m->attempts)
		return j;
	json_object_set_new(j, "last_unix", json_real(m->last_unix));
	json_object_set_new(j, "last_passed", json_boolean(m->judge.passed));
	json_object_set_new(j, "in_row", json_integer(m->judge.row));
	json_object_set_new(j, "duration_ms", json_real((double)m->duration_ns / 1e6));
	return j;
}

json_t *health_json(const struct health *h, const char *service)
{
	json_t *j = json_object(), *list = json_array();
	struct health_totals totals;

	health_totals(h, &totals);
	json_object_set_new(j, "targets", json_integer(totals.targets));
	json_object_set_new(j, "running", json_integer(totals.running));
	json_object_set_new(j, "waiting", json_integer(totals.waiting));
	json_object_set_new(j, "late", integer(totals.late));
	for (size_t i = 0; h && i < h->nr_subjects; i++) {
		const struct subject *s = h->subjects[i];

		if (service && strcmp(service, s->applied->name) != 0)
			continue;
		for (size_t k = 0; k < s->nr; k++)
			json_array_append_new(list, member_json(s->members[k]));
	}
	if (json_object_set_new(j, "endpoints", list) == 0)
		return j;
	json_decref(j);
	return NULL;
}

int health_counts(const struct health *h, struct health_counts **ret, size_t *ret_nr)
{
	size_t nr = h ? h->nr_subjects : 0;
	struct health_counts *all = calloc(nr + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		const struct subject *s = h->subjects[i];
		struct health_counts *c = &all[i];

		memcpy(c->service, s->applied->name, strnlen(s->applied->name, WEFT_NAME_LEN - 1));
		c->type = s->applied->check.type;
		c->attempts = s->attempts;
		c->successes = s->successes;
		c->failures = s->attempts - s->successes;
		for (size_t k = 0; k < s->nr; k++) {
			enum health_state state = s->members[k]->judge.state;

			c->healthy += state == HEALTH_S_UP;
			c->unhealthy += state == HEALTH_S_DOWN;
			c->unknown += state == HEALTH_S_UNKNOWN;
		}
	}
	*ret = all;
	*ret_nr = nr;
	return 0;
}

void health_totals(const struct health *h, struct health_totals *ret)
{
	uint64_t now = uv_hrtime();

	*ret = (struct health_totals){ 0 };
	if (!h)
		return;
	ret->targets = (uint32_t)h->targets.nr;
	ret->late = h->late;
	for (int i = 0; i < 2; i++) {
		const struct lane *l = &h->lane[i];

		ret->running += l->running;
		/* Only a full lane lets something wait. */
		for (size_t k = 0; l->running == l->max && k < l->heap.nr; k++)
			ret->waiting += l->heap.due[k]->ns <= now;
	}
}

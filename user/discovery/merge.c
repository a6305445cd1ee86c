/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/merge.h"

static void note(struct service **list, size_t *nr, struct service *s, bool *many)
{
	if (*nr == CHANGES_MAX)
		*many = true;
	else
		list[(*nr)++] = s;
}

/*
 * Objects are compared at the same place of both lists. After an insertion the rest counts as gone and come again,
 * which is right if not thrifty.
 */
void changes_note(struct changes *c, const struct model *before, const struct model *after)
{
	size_t nr_before = before ? before->nr : 0, nr_after = after ? after->nr : 0;

	for (size_t i = 0; (i < nr_before || i < nr_after) && !c->many; i++) {
		if (i < nr_before && i < nr_after && before->services[i] == after->services[i])
			continue;
		if (i < nr_before)
			note(c->gone, &c->nr_gone, before->services[i], &c->many);
		if (i < nr_after)
			note(c->come, &c->nr_come, after->services[i], &c->many);
	}
}

static size_t lower(const struct model *m, const char *name)
{
	size_t low = 0, high = m->nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (strcmp(m->services[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int changes_apply(const struct changes *c, const struct model *sealed, struct model **ret)
{
	_cleanup_(model_freep) struct model *m = model_new();
	size_t i, want = sealed->nr + c->nr_come;
	struct service **at;

	if (!m)
		return -ENOMEM;
	m->services = at = calloc(want ? want : 1, sizeof(*at));
	if (!at)
		return -ENOMEM;
	m->capacity = want;
	for (i = 0; i < sealed->nr; i++)
		at[m->nr++] = service_ref(sealed->services[i]);
	for (size_t k = 0; k < c->nr_gone; k++) {
		i = lower(m, c->gone[k]->name);
		if (i == m->nr || at[i] != c->gone[k])
			return -EEXIST; /* the caller sorts anew and says what is the matter */
		service_unref(at[i]);
		memmove(&at[i], &at[i + 1], (--m->nr - i) * sizeof(*at));
	}
	for (size_t k = 0; k < c->nr_come; k++) {
		i = lower(m, c->come[k]->name);
		if (i < m->nr && !strcmp(at[i]->name, c->come[k]->name))
			return -EEXIST;
		memmove(&at[i + 1], &at[i], (m->nr++ - i) * sizeof(*at));
		at[i] = service_ref(c->come[k]);
	}
	*ret = MOVE(m, NULL);
	return 0;
}

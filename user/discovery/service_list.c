/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "discovery/inside.h"

void service_list_done(struct service_list *l)
{
	for (size_t i = 0; i < l->nr; i++)
		service_unref(l->at[i]);
	free(l->at);
	free(l->seen);
	*l = (struct service_list){ 0 };
}

size_t service_list_find(const struct service_list *l, const char *name, bool *ret_there)
{
	size_t low = 0, high = l->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = strcmp(l->at[middle]->name, name);

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

static int grow(struct service_list *l)
{
	size_t want = l->capacity ? l->capacity * 2 : 64;
	void *more;

	if (l->nr < l->capacity)
		return 0;
	more = reallocarray(l->at, want, sizeof(*l->at));
	if (!more)
		return -ENOMEM;
	l->at = more;
	more = reallocarray(l->seen, want, sizeof(*l->seen));
	if (!more)
		return -ENOMEM;
	l->seen = more;
	l->capacity = want;
	return 0;
}

int service_list_put(struct service_list *l, struct service *s)
{
	bool there;
	size_t i = service_list_find(l, s->name, &there);

	if (there) {
		l->seen[i] = true;
		if (service_equal(l->at[i], s))
			return 1;
		service_unref(l->at[i]);
		l->at[i] = service_ref(s);
		return 0;
	}
	if (grow(l))
		return -ENOMEM;
	memmove(&l->at[i + 1], &l->at[i], (l->nr - i) * sizeof(*l->at));
	memmove(&l->seen[i + 1], &l->seen[i], (l->nr - i) * sizeof(*l->seen));
	l->nr++;
	l->at[i] = service_ref(s);
	l->seen[i] = true;
	return 0;
}

void service_list_remove(struct service_list *l, size_t i)
{
	service_unref(l->at[i]);
	l->nr--;
	memmove(&l->at[i], &l->at[i + 1], (l->nr - i) * sizeof(*l->at));
	memmove(&l->seen[i], &l->seen[i + 1], (l->nr - i) * sizeof(*l->seen));
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Instances by the VIP names that they are reached by: a thousand sources do not look at a hundred thousand each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/eureka_inside.h"

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = strncasecmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static int by_name(const void *a, const void *b)
{
	const struct eureka_vip *x = a, *y = b;
	int order = compare_names(x->name, x->len, y->name, y->len);

	return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static int make_room(struct eureka_vips *v)
{
	size_t want = v->capacity ? v->capacity * 2 : 64;
	struct eureka_vip *more;

	if (v->nr < v->capacity)
		return 0;
	more = reallocarray(v->at, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	v->at = more;
	v->capacity = want;
	return 0;
}

int eureka_vips_add(struct eureka_vips *v, const char *list, size_t at)
{
	for (; list && *list; list += strcspn(list, ",")) {
		size_t len;

		list += strspn(list, ", ");
		len = strcspn(list, ", ");
		if (!len)
			continue;
		if (make_room(v))
			return -ENOMEM;
		v->at[v->nr++] = (struct eureka_vip){ list, len, at };
	}
	return 0;
}

void eureka_vips_sort(struct eureka_vips *v)
{
	size_t kept = 0;

	if (v->nr)
		qsort(v->at, v->nr, sizeof(*v->at), by_name);
	for (size_t i = 0; i < v->nr; i++) /* "a,A" */
		if (!kept || by_name(&v->at[kept - 1], &v->at[i]))
			v->at[kept++] = v->at[i];
	v->nr = kept;
	v->built = true;
}

static size_t first_after(const struct eureka_vips *v, const char *name, size_t len, int least)
{
	size_t low = 0, high = v->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(v->at[middle].name, v->at[middle].len, name, len) < least)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t eureka_vips_find(const struct eureka_vips *v, const char *name, size_t *ret_nr)
{
	size_t len = strlen(name), first = first_after(v, name, len, 0);

	*ret_nr = first_after(v, name, len, 1) - first;
	return first;
}

void eureka_vips_done(struct eureka_vips *v)
{
	free(v->at);
	*v = (struct eureka_vips){ 0 };
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/eureka_inside.h"

#define STATUSES 16

static const char *const metadata_weight = "weight";

void eureka_instance_done(struct eureka_instance *i)
{
	free(i->app);
	free(i->id);
	free(i->host);
	free(i->address);
	free(i->vip);
	free(i->secure_vip);
	free(i->group);
	free(i->zone);
	for (size_t k = 0; k < i->nr_metadata; k++) {
		free((char *)i->metadata[k].key);
		free((char *)i->metadata[k].value);
	}
	free(i->metadata);
	*i = (struct eureka_instance){ 0 };
}

void eureka_table_done(struct eureka_table *t)
{
	for (size_t i = 0; i < t->nr; i++)
		eureka_instance_done(&t->at[i]);
	free(t->at);
	eureka_vips_done(&t->vips);
	eureka_vips_done(&t->secure_vips);
	*t = (struct eureka_table){ 0 };
}

int eureka_table_append(struct eureka_table *t, struct eureka_instance *i)
{
	if (t->nr == t->capacity) {
		size_t want = t->capacity ? t->capacity * 2 : 64;
		struct eureka_instance *more = reallocarray(t->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->at = more;
		t->capacity = want;
	}
	i->order = t->nr;
	t->at[t->nr++] = *i;
	*i = (struct eureka_instance){ 0 };
	return 0;
}

/* ---- changes ---- */

static int compare(const struct eureka_instance *a, const struct eureka_instance *b)
{
	int order = strcasecmp(a->app, b->app); /* as first_of() */

	return order ? order : strcmp(a->id, b->id);
}

static int by_name(const void *a, const void *b)
{
	const struct eureka_instance *x = a, *y = b;
	int order = compare(x, y);

	return order ? order : x->order < y->order ? -1 : 1;
}

/* Sorted; the last word on each instance is what stays of it. */
static void settle(struct eureka_table *t)
{
	size_t kept = 0;

	qsort(t->at, t->nr, sizeof(*t->at), by_name);
	for (size_t i = 0; i < t->nr; i++) {
		if (kept && !compare(&t->at[kept - 1], &t->at[i]))
			eureka_instance_done(&t->at[--kept]);
		t->at[kept++] = t->at[i];
	}
	t->nr = kept;
}

static void keep(struct eureka_table *t, struct eureka_instance *i)
{
	if (i->deleted)
		eureka_instance_done(i);
	else
		t->at[t->nr++] = *i;
}

int eureka_table_apply(struct eureka_table *t, struct eureka_table *changes)
{
	struct eureka_table both = { .capacity = t->nr + changes->nr };
	size_t a = 0, b = 0;

	if (!changes->nr)
		return 0;
	both.at = calloc(both.capacity, sizeof(*both.at));
	if (!both.at)
		return -ENOMEM;
	settle(changes);
	while (a < t->nr || b < changes->nr) {
		int order = a == t->nr ? 1 : b == changes->nr ? -1 : compare(&t->at[a], &changes->at[b]);

		if (order == 0)
			eureka_instance_done(&t->at[a++]);
		if (order < 0)
			keep(&both, &t->at[a++]);
		else
			keep(&both, &changes->at[b++]);
	}
	t->nr = changes->nr = 0;
	eureka_table_done(t);
	eureka_table_done(changes);
	*t = both;
	return 0;
}

/* ---- the hash ---- */

struct tally {
	const char *status;
	size_t nr;
};

static int by_status(const void *a, const void *b)
{
	return strcmp(((const struct tally *)a)->status, ((const struct tally *)b)->status);
}

void eureka_hash(const struct eureka_table *t, char *ret, size_t len)
{
	struct tally tally[STATUSES];
	size_t nr = 0, at = 0;

	for (size_t i = 0; i < t->nr; i++) {
		size_t k = 0;

		while (k < nr && strcmp(tally[k].status, t->at[i].status))
			k++;
		if (k == STATUSES)
			continue;
		if (k == nr)
			tally[nr++] = (struct tally){ t->at[i].status, 0 };
		tally[k].nr++;
	}
	qsort(tally, nr, sizeof(*tally), by_status);
	*ret = '\0';
	for (size_t k = 0; k < nr && at < len; k++)
		at += (size_t)snprintf(ret + at, len - at, "%s_%zu_", tally[k].status, tally[k].nr);
}

/* ---- endpoints ---- */

enum use { USE_NOT, USE_LISTED, USE_READY };

static enum use use_of(const struct eureka_instance *i, const struct eureka_filter *f)
{
	static char up[] = "UP";
	static char *const only_up[] = { up, NULL };
	char *const *statuses = f->statuses && f->statuses[0] ? f->statuses : only_up;

	for (; *statuses; statuses++)
		if (!strcasecmp(*statuses, i->status))
			return USE_READY;
	return !strcmp(i->status, "OUT_OF_SERVICE") || !strcmp(i->status, "UP") ? USE_LISTED : USE_NOT;
}

static bool weight_of(const struct eureka_instance *i, uint32_t *ret)
{
	for (size_t k = 0; k < i->nr_metadata; k++) {
		const char *text = i->metadata[k].value;
		char *end;
		unsigned long n;

		if (strcmp(i->metadata[k].key, metadata_weight) || *text < '0' || *text > '9')
			continue;
		n = strtoul(text, &end, 10);
		*ret = n > WEFT_WEIGHT_MAX ? WEFT_WEIGHT_MAX : (uint32_t)n;
		return !*end;
	}
	return false;
}

static int add(const struct eureka_instance *i, const struct eureka_filter *f, struct found *found)
{
	size_t nr = i->nr_metadata, room = nr + 4;
	_cleanup_(freep) struct label *labels = calloc(room, sizeof(*labels));
	uint32_t weight;
	struct found_args args = { .host = i->address && *i->address ? i->address : i->host,
				   .port = f->secure ? i->secure_port : i->port,
				   .weight = weight_of(i, &weight) ? &weight : NULL,
				   .unready = use_of(i, f) != USE_READY,
				   .zone = i->zone,
				   .name = i->id,
				   .labels = labels };

	if (!labels)
		return -ENOMEM;
	if (nr)
		memcpy(labels, i->metadata, nr * sizeof(*labels));
	labels[nr++] = (struct label){ "app", i->app };
	if (i->vip)
		labels[nr++] = (struct label){ "vip", i->vip };
	if (i->group)
		labels[nr++] = (struct label){ "group", i->group };
	labels[nr++] = (struct label){ "status", i->status };
	args.nr_labels = nr;
	return found_add(found, &args);
}

/* Of an application, the first that can be it. */
static size_t first_of(const struct eureka_table *t, const char *app)
{
	size_t low = 0, high = t->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(t->at[middle].app, app) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int consider(const struct eureka_instance *i, const struct eureka_filter *filter, struct found *f, size_t *odd)
{
	int r = use_of(i, filter) == USE_NOT ? 0 : add(i, filter, f);

	if (r == -ENOMEM)
		return r;
	*odd += r != 0;
	return 0;
}

/* The names of all instances, once until something changes. */
static const struct eureka_vips *vips_of(struct eureka_table *t, bool secure)
{
	struct eureka_vips *v = secure ? &t->secure_vips : &t->vips;

	if (v->built)
		return v;
	for (size_t i = 0; i < t->nr; i++)
		if (eureka_vips_add(v, secure ? t->at[i].secure_vip : t->at[i].vip, i)) {
			eureka_vips_done(v);
			return NULL;
		}
	eureka_vips_sort(v);
	return v;
}

int eureka_found(struct eureka_table *t, const struct eureka_filter *filter, struct found *f, size_t *ret_odd)
{
	const struct eureka_vips *v;
	size_t first, nr = 0;
	int r = 0;

	*ret_odd = 0;
	if (filter->app) {
		for (size_t i = first_of(t, filter->app); !r && i < t->nr && !strcasecmp(t->at[i].app, filter->app);
		     i++)
			r = consider(&t->at[i], filter, f, ret_odd);
		return r;
	}
	v = vips_of(t, !filter->vip);
	if (!v)
		return -ENOMEM;
	first = eureka_vips_find(v, filter->vip ? filter->vip : filter->secure_vip, &nr);
	for (size_t i = first; !r && i < first + nr; i++)
		r = consider(&t->at[v->at[i].at], filter, f, ret_odd);
	return r;
}

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
	*t = (struct eureka_table){ 0 };
}

static int compare(const struct eureka_instance *a, const struct eureka_instance *b)
{
	int order = strcasecmp(a->app, b->app); /* as first_of() */

	return order ? order : strcmp(a->id, b->id);
}

/* Where @i is, or would be. */
static size_t place_of(const struct eureka_table *t, const struct eureka_instance *i, bool *ret_there)
{
	size_t low = 0, high = t->nr;

	*ret_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&t->at[middle], i);

		if (order == 0) {
			*ret_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct eureka_table *t)
{
	size_t want = t->capacity ? t->capacity * 2 : 64;
	struct eureka_instance *more;

	if (t->nr < t->capacity)
		return 0;
	more = reallocarray(t->at, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->at = more;
	t->capacity = want;
	return 0;
}

int eureka_table_put(struct eureka_table *t, struct eureka_instance *i)
{
	bool there;
	size_t at = place_of(t, i, &there);

	if (there) {
		eureka_instance_done(&t->at[at]);
	} else {
		if (make_room(t))
			return -ENOMEM;
		memmove(&t->at[at + 1], &t->at[at], (t->nr - at) * sizeof(*t->at));
		t->nr++;
	}
	t->at[at] = *i;
	*i = (struct eureka_instance){ 0 };
	return 0;
}

void eureka_table_drop(struct eureka_table *t, const struct eureka_instance *i)
{
	bool there;
	size_t at = place_of(t, i, &there);

	if (!there)
		return;
	eureka_instance_done(&t->at[at]);
	t->nr--;
	memmove(&t->at[at], &t->at[at + 1], (t->nr - at) * sizeof(*t->at));
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

/* Is @word one of the words of @list, "a,b"? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at && *at; at += strcspn(at, ",")) {
		at += strspn(at, ", ");
		if (!strncasecmp(at, word, len) && (!at[len] || at[len] == ',' || at[len] == ' '))
			return true;
	}
	return false;
}

static bool fits(const struct eureka_instance *i, const struct eureka_filter *f)
{
	if (f->app)
		return !strcasecmp(i->app, f->app);
	if (f->vip)
		return has_word(i->vip, f->vip);
	return has_word(i->secure_vip, f->secure_vip);
}

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

int eureka_found(const struct eureka_table *t, const struct eureka_filter *filter, struct found *f, size_t *ret_odd)
{
	*ret_odd = 0;
	for (size_t i = filter->app ? first_of(t, filter->app) : 0; i < t->nr; i++) {
		int r;

		if (filter->app && !fits(&t->at[i], filter))
			break;
		if (!fits(&t->at[i], filter) || use_of(&t->at[i], filter) == USE_NOT)
			continue;
		r = add(&t->at[i], filter, f);
		if (r == -ENOMEM)
			return r;
		*ret_odd += r != 0;
	}
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "telemetry/callers_inside.h"
#include "weft/abi.h"

struct callers *callers_new(void)
{
	return calloc(1, sizeof(struct callers));
}

void callers_free(struct callers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nr; i++)
		free(c->caller[i].path);
	free(c->caller);
	free(c->noted);
	free(c);
}

int callers_add(struct callers *c, uint64_t id, const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (c->nr == c->capacity) {
		size_t n = c->capacity ? c->capacity * 2 : 64;
		struct caller *more = reallocarray(c->caller, n, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->caller = more;
		c->capacity = n;
	}
	c->caller[c->nr++] = (struct caller){ .id = id, .path = MOVE(copy, NULL) };
	return 0;
}

int callers_note(struct callers *c, uint64_t id)
{
	if (c->nr_noted == c->noted_capacity) {
		size_t n = c->noted_capacity ? c->noted_capacity * 2 : 256;
		uint64_t *more = reallocarray(c->noted, n, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->noted = more;
		c->noted_capacity = n;
	}
	c->noted[c->nr_noted++] = id;
	return 0;
}

static int compare_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int compare(const void *a, const void *b)
{
	const struct caller *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void callers_sort(struct callers *c)
{
	if (c->nr)
		qsort(c->caller, c->nr, sizeof(*c->caller), compare);
	for (size_t i = 0; i < c->nr; i++)
		c->caller[i].same = i;
	if (c->nr_noted)
		qsort(c->noted, c->nr_noted, sizeof(*c->noted), compare_id);
}

int callers_walk(struct callers *c, const char *root)
{
	char *const start[] = { (char *)root, NULL };
	size_t skip = strlen(root);
	FTSENT *e;
	FTS *fts;
	int r = 0;

	fts = fts_open(start, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!fts)
		return -errno;
	while (!r && (e = fts_read(fts)))
		if (e->fts_info == FTS_D)
			r = callers_add(c, e->fts_statp->st_ino, e->fts_pathlen > skip ? e->fts_path + skip : "/");
	fts_close(fts);
	callers_sort(c);
	return r;
}

uint32_t callers_find(const struct callers *c, uint64_t id)
{
	const struct caller key = { .id = id };
	const struct caller *found;

	if (id == 0)
		return CALLER_UNKNOWN;
	if (!c || !c->nr)
		return CALLER_GONE;
	found = bsearch(&key, c->caller, c->nr, sizeof(key), compare);
	return found ? CALLER_FIRST + (uint32_t)found->same : CALLER_GONE;
}

bool callers_is_gone(const struct callers *c, uint64_t id)
{
	if (id == WEFT_CALLER_GONE)
		return true;
	return callers_find(c, id) == CALLER_GONE && c->nr_noted &&
	       bsearch(&id, c->noted, c->nr_noted, sizeof(id), compare_id);
}

const char *callers_text(const struct callers *c, uint32_t index)
{
	static const char *const words[CALLER_FIRST] = { "", "gone", "unknown", "other" };

	return index < CALLER_FIRST ? words[index] : c->caller[index - CALLER_FIRST].path;
}

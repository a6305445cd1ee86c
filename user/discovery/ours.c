/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discovery/inplace.h"
#include "discovery/ours.h"

#define LIST_MOST (64u << 20) /* bytes */

int names_set_add(struct names_set *s, const char *name)
{
	if (s->nr == s->capacity) {
		size_t want = s->capacity ? s->capacity * 2 : 64;
		char **more = reallocarray(s->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->at = more;
		s->capacity = want;
	}
	s->at[s->nr] = strdup(name);
	if (!s->at[s->nr])
		return -ENOMEM;
	s->nr++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_set_sort(struct names_set *s)
{
	size_t kept = 0;

	if (s->nr)
		qsort(s->at, s->nr, sizeof(*s->at), compare);
	for (size_t i = 0; i < s->nr; i++) {
		if (kept && !strcmp(s->at[kept - 1], s->at[i]))
			free(s->at[i]);
		else
			s->at[kept++] = s->at[i];
	}
	s->nr = kept;
}

bool names_set_has(const struct names_set *s, const char *name)
{
	return s->nr && bsearch(&name, s->at, s->nr, sizeof(*s->at), compare);
}

void names_set_done(struct names_set *s)
{
	for (size_t i = 0; i < s->nr; i++)
		free(s->at[i]);
	free(s->at);
	*s = (struct names_set){ 0 };
}

/* Names of our making only: others may have written to the list. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && len < INPLACE_NAME_LEN && *name != '.' && !strchr(name, '/') &&
	       !strcmp(name + len - 5, ".json");
}

int ours_read(struct ours *o, int dir)
{
	struct names_set names = { 0 };
	_cleanup_(freep) char *text = NULL;
	char *rest;
	size_t len = 0;
	int r = 0;

	text = inplace_get(dir, o->list, LIST_MOST, &len);
	if (!text && errno != ENOENT && errno != ELOOP && errno != EFBIG)
		return -errno;
	rest = text;
	for (char *name; !r && rest && (name = strsep(&rest, "\n"));)
		if (is_name(name))
			r = names_set_add(&names, name);
	if (r) {
		names_set_done(&names);
		return r;
	}
	names_set_sort(&names);
	names_set_done(&o->names);
	o->names = names;
	o->known = o->listed = true;
	return 0;
}

int ours_write(struct ours *o, int dir)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f;
	int r;

	if (!o->names.nr) {
		r = unlinkat(dir, o->list, 0) && errno != ENOENT ? -errno : 0;
		o->listed = !r;
		return r;
	}
	f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < o->names.nr; i++)
		fprintf(f, "%s\n", o->names.at[i]);
	r = ferror(f) ? -ENOMEM : 0;
	if (fclose(f))
		r = -ENOMEM;
	if (!r)
		r = inplace_put(dir, o->list, text, len);
	free(text);
	o->listed = !r;
	return r;
}

void ours_done(struct ours *o)
{
	names_set_done(&o->names);
	free(o->list);
	*o = (struct ours){ 0 };
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "discovery/fragment.h"

void fragment_unref(struct fragment *f)
{
	if (!f || --f->refs)
		return;
	free(f->path);
	model_free(f->services);
	free(f);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(struct service *const *)a)->name, (*(struct service *const *)b)->name);
}

/* Two services of one name: an error to come, which needs the lines of both. Also when there is no memory to find out.
 */
static bool has_twins(const struct model *m)
{
	_cleanup_(freep) struct service **sorted = calloc(m->nr + 1, sizeof(*sorted));
	bool twins = !sorted;

	if (sorted && m->nr) {
		memcpy(sorted, m->services, m->nr * sizeof(*sorted));
		qsort(sorted, m->nr, sizeof(*sorted), compare_names);
	}
	for (size_t i = 1; !twins && i < m->nr; i++)
		twins = !strcmp(sorted[i - 1]->name, sorted[i]->name);
	return twins;
}

void keep_unchanged(struct model *fresh, const struct model *sealed)
{
	struct service *s, *old;

	if (!sealed || has_twins(fresh))
		return;
	for (size_t i = 0; i < fresh->nr; i++) {
		s = fresh->services[i];
		old = model_find(sealed, s->name);
		if (!old || strcmp(old->file, s->file) || !service_equal(old, s))
			continue;
		old->line = s->line;
		fresh->services[i] = service_ref(old);
		service_unref(s);
	}
}

static int fail(struct config_error *e, int r, const char *path, const char *text)
{
	*e = (struct config_error){ 0 };
	snprintf(e->file, sizeof(e->file), "%s", path);
	snprintf(e->text, sizeof(e->text), "%s", text);
	return r;
}

/* One try. 1: it changed meanwhile. */
static int read_once(struct fragment *f, struct config_error *ret_error)
{
	_cleanup_(model_freep) struct model *services = model_new();
	struct stamp before = { 0 }, after = { 0 };
	int r;

	if (!services)
		return fail(ret_error, -ENOMEM, f->path, "not enough memory to read it");
	stamp_take(f->path, &before);
	r = config_load_services(f->path, services, ret_error);
	if (!stamp_take(f->path, &after) || !stamp_equal(&before, &after))
		return r ? r : 1; /* a bad file that is being written is reported; the next event brings its end */
	if (r)
		return r;
	f->stamp = after;
	f->services = MOVE(services, NULL);
	return 0;
}

int fragment_read(const char *path, const struct model *sealed, struct fragment **ret, struct config_error *ret_error)
{
	_cleanup_(fragment_unrefp) struct fragment *f = calloc(1, sizeof(*f));
	int r = 1;

	if (!f)
		return fail(ret_error, -ENOMEM, path, "not enough memory to read it");
	f->refs = 1;
	f->path = strdup(path);
	if (!f->path)
		return fail(ret_error, -ENOMEM, path, "not enough memory to read it");
	for (int i = 0; i < READ_TRIES && r == 1; i++)
		r = read_once(f, ret_error);
	if (r == 1)
		return fail(ret_error, -EAGAIN, path, "is being written to");
	if (r)
		return r;
	keep_unchanged(f->services, sealed);
	*ret = MOVE(f, NULL);
	return 0;
}

void fragments_done(struct fragments *l)
{
	for (size_t i = 0; i < l->nr; i++)
		fragment_unref(l->at[i]);
	free(l->at);
}

static int reserve(struct fragments *l, size_t nr)
{
	size_t want = nr < 16 ? 16 : nr * 2;
	struct fragment **more;

	if (nr <= l->capacity)
		return 0;
	more = reallocarray(l->at, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->at = more;
	l->capacity = want;
	return 0;
}

int fragments_append(struct fragments *l, struct fragment *f)
{
	if (reserve(l, l->nr + 1))
		return -ENOMEM;
	f->refs++;
	l->at[l->nr++] = f;
	return 0;
}

int fragments_copy(const struct fragments *from, struct fragments *ret)
{
	if (reserve(ret, from->nr + 1))
		return -ENOMEM;
	for (size_t i = 0; i < from->nr; i++) {
		from->at[i]->refs++;
		ret->at[ret->nr++] = from->at[i];
	}
	return 0;
}

size_t fragments_lower(const struct fragments *l, const char *path)
{
	size_t low = 0, high = l->nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (strcmp(l->at[middle]->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct fragment *fragments_find(const struct fragments *l, const char *path)
{
	size_t i = fragments_lower(l, path);

	return i < l->nr && !strcmp(l->at[i]->path, path) ? l->at[i] : NULL;
}

int fragments_put(struct fragments *l, const char *path, struct fragment *f)
{
	size_t i = fragments_lower(l, path);
	bool there = i < l->nr && !strcmp(l->at[i]->path, path);

	if (!there && f && reserve(l, l->nr + 1))
		return -ENOMEM;
	if (f)
		f->refs++;
	if (there && f) {
		fragment_unref(l->at[i]);
		l->at[i] = f;
	} else if (there) {
		fragment_unref(l->at[i]);
		memmove(&l->at[i], &l->at[i + 1], (--l->nr - i) * sizeof(*l->at));
	} else if (f) {
		memmove(&l->at[i + 1], &l->at[i], (l->nr++ - i) * sizeof(*l->at));
		l->at[i] = f;
	}
	return 0;
}

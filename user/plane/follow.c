/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/devices.h"
#include "plane/follow.h"
#include "plane/state.h"
#include "plane/tc.h"

/* A wanted link. */
struct followed {
	int ifindex;
	bool attached;
	bool seen; /* by the look that is going on */
};

struct plane_follow {
	struct plane *p;
	struct devices *devices;
	plane_follow_fn failed;
	void *ctx;
	char **include, **exclude; /* NULL: nothing */
	struct followed *links;	   /* by ifindex */
	size_t nr;
};

static bool any_matches(const char *name, const char *const *patterns)
{
	for (; patterns && *patterns; patterns++)
		if (fnmatch(*patterns, name, 0) == 0)
			return true;
	return false;
}

bool plane_links_match(const char *name, const char *const *include, const char *const *exclude)
{
	return any_matches(name, include) && !any_matches(name, exclude);
}

/* Where @ifindex is, or would be. */
static size_t position(const struct plane_follow *f, int ifindex)
{
	size_t low = 0, high = f->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->links[mid].ifindex < ifindex)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct followed *find(const struct plane_follow *f, int ifindex)
{
	size_t at = position(f, ifindex);

	return at < f->nr && f->links[at].ifindex == ifindex ? &f->links[at] : NULL;
}

static struct followed *add(struct plane_follow *f, int ifindex)
{
	struct followed *more = reallocarray(f->links, f->nr + 1, sizeof(*more));
	size_t at = position(f, ifindex);

	if (!more)
		return NULL;
	f->links = more;
	memmove(more + at + 1, more + at, (f->nr - at) * sizeof(*more));
	f->nr++;
	more[at] = (struct followed){ .ifindex = ifindex };
	return &more[at];
}

static void drop(struct plane_follow *f, struct followed *l)
{
	size_t at = (size_t)(l - f->links);

	plane_links_detach(f->p, l->ifindex);
	memmove(l, l + 1, (f->nr - at - 1) * sizeof(*l));
	f->nr--;
}

/* A link that is gone meanwhile needs no word: the message that says so is on its way. */
static void try_attach(struct plane_follow *f, struct followed *l, const struct device *d, bool is_new)
{
	struct plane_error err = { "" };
	bool had = l->attached;
	int r = plane_links_attach_type(f->p, d->ifindex, d->arphrd, &err);

	l->attached = r == 0;
	if (r == 0 && !had)
		log_msg(LOG_L_DEBUG, "failover attached to link %s (%d)", d->name, d->ifindex);
	if (r < 0 && r != -ENODEV && (is_new || had))
		f->failed(f->ctx, d->name, &err);
}

static bool is_wanted(const struct plane_follow *f, const struct device *d)
{
	return !d->gone && *d->name &&
	       plane_links_match(d->name, (const char *const *)f->include, (const char *const *)f->exclude);
}

/* @again: also what is attached already. */
static void look(struct plane_follow *f, const struct device *d, bool again)
{
	struct followed *l = find(f, d->ifindex);
	bool is_new = !l;

	if (!is_wanted(f, d)) {
		if (l) {
			log_msg(LOG_L_DEBUG, "failover lets go of link %s (%d)", d->name, d->ifindex);
			drop(f, l);
		}
		return;
	}
	if (!l)
		l = add(f, d->ifindex);
	if (!l)
		return;
	l->seen = true;
	if (again || !l->attached)
		try_attach(f, l, d, is_new);
}

static void on_listed(void *ctx, const struct device *d)
{
	look(ctx, d, true);
}

static void on_event(void *ctx, const struct device *d)
{
	look(ctx, d, false);
}

static bool is_followed(void *ctx, int ifindex)
{
	return find(ctx, ifindex);
}

int plane_follow_sync(struct plane_follow *f)
{
	int r;

	for (size_t i = 0; i < f->nr; i++)
		f->links[i].seen = false;
	r = devices_list(f->devices, on_listed, f);
	if (r == -EBUSY)
		return 0; /* each of the changes is told, too */
	if (r < 0)
		return r;
	for (size_t i = f->nr; i-- > 0;)
		if (!f->links[i].seen)
			drop(f, &f->links[i]);
	/* And what others before us left. */
	return plane_links_sweep(f->p, is_followed, f);
}

int plane_follow_read(struct plane_follow *f)
{
	int r = devices_read(f->devices, on_event, f);

	return r == -ENOBUFS ? plane_follow_sync(f) : r;
}

static void list_free(char **list)
{
	for (char **t = list; t && *t; t++)
		free(*t);
	free(list);
}

static char **list_copy(const char *const *list)
{
	size_t nr = 0;
	char **copy;

	while (list && list[nr])
		nr++;
	copy = calloc(nr + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < nr; i++) {
		copy[i] = strdup(list[i]);
		if (!copy[i]) {
			list_free(copy);
			return NULL;
		}
	}
	return copy;
}

static bool list_equal(char **a, const char *const *b)
{
	size_t i = 0;

	for (; a && a[i] && b && b[i]; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return a && !a[i] && (!b || !b[i]);
}

int plane_follow_want(struct plane_follow *f, const char *const *include, const char *const *exclude)
{
	char **in, **out;

	if (list_equal(f->include, include) && list_equal(f->exclude, exclude))
		return 0;
	in = list_copy(include);
	out = list_copy(exclude);
	if (!in || !out) {
		list_free(in);
		list_free(out);
		return -ENOMEM;
	}
	list_free(f->include);
	list_free(f->exclude);
	f->include = in;
	f->exclude = out;
	return plane_follow_sync(f);
}

int plane_follow_new(struct plane *p, plane_follow_fn failed, void *ctx, struct plane_follow **ret,
		     struct plane_error *err)
{
	struct plane_follow *f = calloc(1, sizeof(*f));
	int r = f ? devices_open(&f->devices) : -ENOMEM;

	if (r < 0) {
		free(f);
		return plane_fail(err, r, "cannot ask the kernel for network links: %s", log_strerror(r));
	}
	f->p = p;
	f->failed = failed;
	f->ctx = ctx;
	*ret = f;
	return 0;
}

int plane_follow_fd(const struct plane_follow *f)
{
	return devices_fd(f->devices);
}

size_t plane_follow_count(const struct plane_follow *f)
{
	size_t nr = 0;

	for (size_t i = 0; i < f->nr; i++)
		nr += f->links[i].attached;
	return nr;
}

void plane_follow_free(struct plane_follow *f)
{
	if (!f)
		return;
	devices_close(f->devices);
	list_free(f->include);
	list_free(f->exclude);
	free(f->links);
	free(f);
}

int plane_follow_once(struct plane *p, const char *const *include, const char *const *exclude, plane_follow_fn failed,
		      void *ctx, struct plane_error *err)
{
	struct plane_follow *f = NULL;
	int r;

	r = plane_follow_new(p, failed, ctx, &f, err);
	if (r < 0)
		return r;
	r = plane_follow_want(f, include, exclude);
	if (r < 0)
		plane_fail(err, r, "cannot look at all network links: %s", log_strerror(r));
	else
		r = (int)plane_follow_count(f);
	plane_follow_free(f);
	return r;
}

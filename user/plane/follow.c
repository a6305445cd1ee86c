/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/devices.h"
#include "plane/follow.h"
#include "plane/state.h"
#include "plane/tc.h"

/* The kernel takes some 10 ms for each program on a link that had none: what waits meanwhile must not wait for all. */
#define STEP_NS 5000000ull

/* A link that is wanted, or that has to be let go. */
struct followed {
	int ifindex;
	unsigned arphrd;
	char name[IF_NAMESIZE];
	bool wanted;
	bool attached;
	bool failed;  /* and that was said */
	bool pending; /* what is and what is wanted have to be compared */
	bool seen;    /* by the look that is going on */
};

struct plane_follow {
	struct plane *p;
	struct devices *devices;
	plane_follow_fn failed;
	void *ctx;
	char **include, **exclude; /* NULL: nothing */
	struct followed *links;	   /* by ifindex */
	size_t nr, nr_pending;
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
	size_t at = position(f, ifindex);
	struct followed *more = reallocarray(f->links, f->nr + 1, sizeof(*more));

	if (!more)
		return NULL;
	f->links = more;
	memmove(more + at + 1, more + at, (f->nr - at) * sizeof(*more));
	f->nr++;
	more[at] = (struct followed){ .ifindex = ifindex };
	return &more[at];
}

static void set_pending(struct plane_follow *f, struct followed *l, bool pending)
{
	f->nr_pending += pending;
	f->nr_pending -= l->pending;
	l->pending = pending;
}

static bool is_wanted(const struct plane_follow *f, const struct device *d)
{
	return !d->gone && *d->name &&
	       plane_links_match(d->name, (const char *const *)f->include, (const char *const *)f->exclude);
}

/* @again: compare also what is attached already. */
static void look(struct plane_follow *f, const struct device *d, bool again)
{
	struct followed *l = find(f, d->ifindex);
	bool wanted = is_wanted(f, d);

	if (!l && wanted)
		l = add(f, d->ifindex);
	if (!l)
		return;
	l->seen = true;
	if (wanted) {
		l->arphrd = d->arphrd;
		memcpy(l->name, d->name, sizeof(l->name));
	}
	if (again || l->wanted != wanted || (wanted && !l->attached))
		set_pending(f, l, true);
	l->wanted = wanted;
}

static void on_listed(void *ctx, const struct device *d)
{
	look(ctx, d, true);
}

static void on_event(void *ctx, const struct device *d)
{
	look(ctx, d, false);
}

/* What an agent before us left on links that nobody wants now, or that are gone. */
static int look_at_pins(struct plane_follow *f)
{
	_cleanup_(freep) int *pinned = NULL;
	struct followed *l;
	size_t nr = 0;
	int r;

	r = plane_links_pinned(f->p, &pinned, &nr);
	for (size_t i = 0; r == 0 && i < nr; i++) {
		if (find(f, pinned[i]))
			continue;
		l = add(f, pinned[i]);
		if (!l)
			return -ENOMEM;
		set_pending(f, l, true);
	}
	return r;
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
	for (size_t i = 0; i < f->nr; i++) {
		if (f->links[i].seen)
			continue;
		f->links[i].wanted = false;
		set_pending(f, &f->links[i], true);
	}
	return look_at_pins(f);
}

/* A link that is gone meanwhile needs no word: the message that says so is on its way. */
static void try_attach(struct plane_follow *f, struct followed *l)
{
	struct plane_error err = { "" };
	int r = plane_links_attach_type(f->p, l->ifindex, l->arphrd, &err);

	if (r == 0 && !l->attached)
		log_msg(LOG_L_DEBUG, "failover attached to link %s (%d)", l->name, l->ifindex);
	l->attached = r == 0;
	if (r < 0 && r != -ENODEV && !l->failed)
		f->failed(f->ctx, l->name, &err);
	l->failed = r < 0 && r != -ENODEV;
}

static void let_go(struct plane_follow *f, struct followed *l)
{
	size_t at = (size_t)(l - f->links);

	log_msg(LOG_L_DEBUG, "failover lets go of link %s (%d)", l->name, l->ifindex);
	plane_links_detach(f->p, l->ifindex);
	memmove(l, l + 1, (f->nr - at - 1) * sizeof(*l));
	f->nr--;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

size_t plane_follow_step(struct plane_follow *f)
{
	uint64_t start = now_ns();

	/* From the lowest index: loopback and the machine's own interfaces are before those of pods. */
	for (size_t i = 0; f->nr_pending && i < f->nr && now_ns() - start < STEP_NS;) {
		struct followed *l = &f->links[i];
		bool unwanted = l->pending && !l->wanted;

		if (l->pending) {
			set_pending(f, l, false);
			if (unwanted)
				let_go(f, l); /* the next one takes its place */
			else
				try_attach(f, l);
		}
		i += !unwanted;
	}
	return f->nr_pending;
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
	while (r == 0 && plane_follow_step(f))
		continue;
	if (r == 0)
		r = (int)plane_follow_count(f);
	plane_follow_free(f);
	return r;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whether a file is still the one that was read. */
#ifndef DISCOVERY_STAMP_H
#define DISCOVERY_STAMP_H

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	bool fresh; /* changed so shortly before it was looked at that another change could bear the same times */
};

/* Coarser than any kernel's clock tick for file times. */
#define STAMP_FRESH_NS 40000000ll

static inline long long stamp_ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000ll + t->tv_nsec;
}

/* Follows symbolic links, so that a swapped link is a change. False: no such file, or not to be seen. */
static inline bool stamp_take(const char *path, struct stamp *ret)
{
	struct timespec now;
	struct stat st;

	if (stat(path, &st) == -1)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct stamp){ .dev = st.st_dev,
			       .ino = st.st_ino,
			       .size = st.st_size,
			       .mtime = st.st_mtim,
			       .ctime = st.st_ctim,
			       .fresh = stamp_ns(&now) - stamp_ns(&st.st_ctim) < STAMP_FRESH_NS };
	return true;
}

static inline bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       stamp_ns(&a->mtime) == stamp_ns(&b->mtime) && stamp_ns(&a->ctime) == stamp_ns(&b->ctime);
}

#endif

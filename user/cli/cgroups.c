/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/cgroups.h"

struct cgroup {
	uint64_t id;
	char *path;
};

struct cgroup_paths {
	struct cgroup *cgroup; /* by id */
	size_t nr, capacity;
};

static int add(struct cgroup_paths *p, uint64_t id, const char *path)
{
	if (p->nr == p->capacity) {
		size_t n = p->capacity ? p->capacity * 2 : 64;
		struct cgroup *more = realloc(p->cgroup, n * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->cgroup = more;
		p->capacity = n;
	}
	p->cgroup[p->nr].path = strdup(*path ? path : "/");
	if (!p->cgroup[p->nr].path)
		return -ENOMEM;
	p->cgroup[p->nr++].id = id;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct cgroup *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int cgroup_paths_read(const char *root, struct cgroup_paths **ret)
{
	_cleanup_(cgroup_paths_freep) struct cgroup_paths *p = calloc(1, sizeof(*p));
	char *const start[] = { (char *)root, NULL };
	size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
	FTSENT *e;
	FTS *fts;
	int r = 0;

	if (!p)
		return -ENOMEM;
	fts = fts_open(start, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!fts)
		return -errno;
	while (!r && (e = fts_read(fts)))
		if (e->fts_info == FTS_D)
			r = add(p, e->fts_statp->st_ino, e->fts_path + skip);
	fts_close(fts);
	if (r < 0)
		return r;
	if (p->nr)
		qsort(p->cgroup, p->nr, sizeof(*p->cgroup), compare);
	*ret = MOVE(p, NULL);
	return 0;
}

void cgroup_paths_free(struct cgroup_paths *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->nr; i++)
		free(p->cgroup[i].path);
	free(p->cgroup);
	free(p);
}

const char *cgroup_paths_find(const struct cgroup_paths *p, uint64_t id)
{
	struct cgroup key = { .id = id };
	const struct cgroup *c;

	if (!p || !p->nr)
		return NULL;
	c = bsearch(&key, p->cgroup, p->nr, sizeof(key), compare);
	return c ? c->path : NULL;
}

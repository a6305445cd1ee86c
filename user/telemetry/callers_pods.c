/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Cgroups of pods by the pods' names, as the agent wrote them down (discovery/workloads.h). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "telemetry/callers_inside.h"

#define LINE_MOST 1024
#define UID_MOST  63

struct pod {
	char uid[UID_MOST + 1];
	char *name;   /* "pod/SPACE/NAME" */
	size_t first; /* the first caller that has it; SIZE_MAX: none yet */
};

struct pods {
	struct pod *at; /* by uid */
	size_t nr, capacity;
};

static void pods_done(struct pods *p)
{
	for (size_t i = 0; i < p->nr; i++)
		free(p->at[i].name);
	free(p->at);
}

static int add(struct pods *p, const char *uid, const char *space, const char *name)
{
	if (p->nr == p->capacity) {
		size_t want = p->capacity ? p->capacity * 2 : 64;
		struct pod *more = reallocarray(p->at, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->at = more;
		p->capacity = want;
	}
	snprintf(p->at[p->nr].uid, sizeof(p->at[0].uid), "%s", uid);
	if (asprintf(&p->at[p->nr].name, "pod/%s/%s", space, name) == -1)
		return -ENOMEM;
	p->at[p->nr++].first = SIZE_MAX;
	return 0;
}

static int by_uid(const void *a, const void *b)
{
	return strcmp(((const struct pod *)a)->uid, ((const struct pod *)b)->uid);
}

static int read_pods(const char *file, struct pods *ret)
{
	_cleanup_(fclosep) FILE *f = fopen(file, "re");
	char line[LINE_MOST];
	int r = 0;

	if (!f)
		return -errno;
	while (!r && fgets(line, sizeof(line), f)) {
		char *save, *uid = strtok_r(line, " \n", &save), *space = strtok_r(NULL, " \n", &save),
			    *name = strtok_r(NULL, " \n", &save);

		if (name && strlen(uid) <= UID_MOST)
			r = add(ret, uid, space, name);
	}
	if (ret->nr)
		qsort(ret->at, ret->nr, sizeof(*ret->at), by_uid);
	return r;
}

/*
 * The uid in the path of a cgroup: ".../pod0a1b-2c3d/..." by the cgroupfs driver,
 * ".../kubepods-burstable-pod0a1b_2c3d.slice/..." by systemd's, which has underscores for dashes. False: it is no
 * pod's.
 */
static bool uid_of(const char *path, char ret[UID_MOST + 1])
{
	for (const char *at = strstr(path, "pod"); at; at = strstr(at + 1, "pod")) {
		const char *uid = at + 3;
		size_t len = strspn(uid, "0123456789abcdef-_");

		if (at == path || (at[-1] != '/' && at[-1] != '-') || len < 32 || len > UID_MOST)
			continue;
		if (uid[len] && uid[len] != '/' && strncmp(uid + len, ".slice", 6))
			continue;
		for (size_t i = 0; i < len; i++)
			ret[i] = uid[i] == '_' ? '-' : uid[i];
		ret[len] = '\0';
		return true;
	}
	return false;
}

int callers_name(struct callers *c, const char *file)
{
	_cleanup_(pods_done) struct pods pods = { 0 };
	int r = read_pods(file, &pods);

	for (size_t i = 0; !r && i < c->nr; i++) {
		struct pod *found;
		struct pod key;
		char *copy;

		if (!pods.nr || !uid_of(c->caller[i].path, key.uid))
			continue;
		found = bsearch(&key, pods.at, pods.nr, sizeof(key), by_uid);
		if (!found)
			continue;
		copy = strdup(found->name);
		if (!copy)
			return -ENOMEM;
		free(c->caller[i].path);
		c->caller[i].path = copy;
		if (found->first == SIZE_MAX)
			found->first = i;
		c->caller[i].same = found->first;
	}
	return r;
}

int callers_name_pods(struct callers *c, const char *dir)
{
	_cleanup_(freep) char *file = NULL;
	const char *instance = strrchr(dir, '/');

	if (!instance || asprintf(&file, "/run/weft/%s.found/workloads", instance + 1) == -1) {
		file = NULL;
		return -EINVAL;
	}
	return callers_name(c, file);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "discovery/paths.h"

/* glob() gives its callback no pointer of ours. */
static __thread struct {
	int error;
	char folder[4096];
} unreadable;

void paths_done(struct paths *p)
{
	for (size_t i = 0; i < p->nr; i++)
		free(p->path[i].text);
	free(p->path);
}

static int add(struct paths *p, const char *text, bool wanted)
{
	size_t want = p->capacity ? p->capacity * 2 : 16;
	struct path *more;

	if (p->nr == p->capacity) {
		more = reallocarray(p->path, want, sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->path = more;
		p->capacity = want;
	}
	p->path[p->nr].text = strdup(text);
	if (!p->path[p->nr].text)
		return -ENOMEM;
	p->path[p->nr++].wanted = wanted;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct path *)a)->text, ((const struct path *)b)->text);
}

static void sort_unique(struct paths *p)
{
	size_t nr = 0;

	if (!p->nr)
		return;
	qsort(p->path, p->nr, sizeof(*p->path), compare);
	for (size_t i = 1; i < p->nr; i++) {
		if (strcmp(p->path[nr].text, p->path[i].text)) {
			p->path[++nr] = p->path[i];
			continue;
		}
		p->path[nr].wanted |= p->path[i].wanted;
		free(p->path[i].text);
	}
	p->nr = nr + 1;
}

bool path_is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

bool path_matches(const char *path, char *const *patterns)
{
	for (; *patterns; patterns++)
		if (path_is_pattern(*patterns) ? !fnmatch(*patterns, path, FNM_PATHNAME | FNM_PERIOD)
					       : !strcmp(*patterns, path))
			return true;
	return false;
}

/* A folder that is not there holds no files. One that cannot be read may hold some: its services must not go away. */
static int note_unreadable(const char *folder, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return 0;
	unreadable.error = error;
	snprintf(unreadable.folder, sizeof(unreadable.folder), "%s", folder);
	return 1;
}

static int add_glob(struct paths *p, const char *pattern, int flags)
{
	glob_t g = { 0 };
	int r;

	r = glob(pattern, GLOB_NOSORT | flags, note_unreadable, &g);
	if (r == GLOB_ABORTED)
		r = unreadable.error ? -unreadable.error : -EIO;
	else
		r = r == GLOB_NOSPACE ? -ENOMEM : 0;
	for (size_t i = 0; !r && i < g.gl_pathc; i++)
		r = add(p, g.gl_pathv[i], false);
	globfree(&g);
	return r;
}

int paths_find(char *const *patterns, struct paths *ret, char *ret_folder, size_t len)
{
	_cleanup_(paths_done) struct paths p = { 0 };
	int r = 0;

	unreadable.error = 0;
	unreadable.folder[0] = '\0';
	for (; *patterns && !r; patterns++)
		r = path_is_pattern(*patterns) ? add_glob(&p, *patterns, 0) : add(&p, *patterns, true);
	if (r) {
		snprintf(ret_folder, len, "%s", unreadable.folder);
		return r;
	}
	sort_unique(&p);
	*ret = p;
	p = (struct paths){ 0 };
	return 0;
}

/* Adds @folder, and its parent when it is a symbolic link, which may be swapped; when it is missing, what is there
 * above it. */
static int add_folder(struct paths *p, char *folder)
{
	char *slash = strrchr(folder, '/');
	struct stat st;
	int r = 0;

	if (!lstat(*folder ? folder : "/", &st)) {
		r = add(p, *folder ? folder : "/", false);
		if (r || !S_ISLNK(st.st_mode))
			return r;
	}
	if (!slash)
		return 0;
	*slash = '\0';
	return add_folder(p, folder);
}

static int add_folders(struct paths *p, const char *pattern)
{
	_cleanup_(freep) char *text = strdup(pattern);
	_cleanup_(freep) char *plain = NULL; /* the longest leading folder without a pattern */
	int r = 0;

	if (!text)
		return -ENOMEM;
	for (char *slash = strchr(text, '/'); slash && !r; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (path_is_pattern(text)) {
			r = add_glob(p, text, GLOB_ONLYDIR);
			if (r != -ENOMEM)
				r = 0; /* reading will report it */
		} else {
			free(plain);
			plain = strdup(text);
			r = plain ? 0 : -ENOMEM;
		}
		*slash = '/';
	}
	return r ? r : add_folder(p, plain);
}

int paths_folders(const char *file, char *const *patterns, struct paths *ret)
{
	_cleanup_(paths_done) struct paths p = { 0 };
	_cleanup_(freep) char *self = NULL, *real = realpath(file, NULL);
	int r;

	r = config_absolute(file, "x", &self);
	if (!r)
		r = add_folders(&p, self);
	if (!r && real) /* behind a symbolic link the text may be edited in place */
		r = add_folders(&p, real);
	for (; *patterns && !r; patterns++)
		r = add_folders(&p, *patterns);
	if (r)
		return r;
	sort_unique(&p);
	*ret = p;
	p = (struct paths){ 0 };
	return 0;
}

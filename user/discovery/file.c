/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The file source. A read prepares everything next to what is (struct attempt) and takes it over in one place (commit),
 * so that any failure leaves the last good state as it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/file.h"
#include "discovery/fragment.h"
#include "discovery/merge.h"
#include "discovery/paths.h"

struct file_source {
	char *file;
	struct stamp stamp; /* of weft.yaml */
	struct config *config;
	struct fragments fragments;
	struct model *sealed;
	struct pool *pool; /* gives addresses to services that lack one, in the models that are handed out */
	struct paths folder_paths;
	char **folders;
	bool stale; /* what files hold is not known: the last read failed, or there was none */
	unsigned parsed;
};

struct attempt {
	struct stamp stamp;
	struct config *config; /* NULL: as it was */
	struct fragments fragments;
	struct changes changes;
	struct model *model;
	unsigned parsed;
};

static void attempt_done(struct attempt *a)
{
	config_free(a->config);
	fragments_done(&a->fragments);
	model_free(a->model);
}

int file_source_new(const char *config_file, struct file_source **ret)
{
	struct file_source *s = calloc(1, sizeof(*s));

	if (s) {
		s->stale = true;
		s->file = strdup(config_file);
		s->folders = calloc(1, sizeof(*s->folders));
	}
	if (!s || !s->file || !s->folders || pool_new(&s->pool)) {
		file_source_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void file_source_free(struct file_source *s)
{
	if (!s)
		return;
	free(s->file);
	config_free(s->config);
	fragments_done(&s->fragments);
	model_free(s->sealed);
	pool_free(s->pool);
	paths_done(&s->folder_paths);
	free(s->folders);
	free(s);
}

static int fail(struct config_error *e, int r, const char *file, const char *text)
{
	*e = (struct config_error){ 0 };
	snprintf(e->file, sizeof(e->file), "%s", file);
	snprintf(e->text, sizeof(e->text), "%s", text);
	return r;
}

static int fail_memory(const struct file_source *s, struct config_error *e)
{
	return fail(e, -ENOMEM, s->file, "not enough memory to read it");
}

/* 1: it was written to meanwhile. */
static int load_config(struct file_source *s, struct attempt *a, struct config_error *ret_error)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct stamp after = { 0 };
	int r;

	r = config_load(s->file, &c, ret_error);
	if (r)
		return r;
	if (!stamp_take(s->file, &after) || !stamp_equal(&after, &a->stamp)) {
		a->stamp = after;
		return 1;
	}
	a->config = MOVE(c, NULL);
	return 0;
}

static int read_config(struct file_source *s, struct attempt *a, struct config_error *ret_error)
{
	int r = 1;

	if (stamp_take(s->file, &a->stamp) && s->config && !s->stamp.fresh && stamp_equal(&a->stamp, &s->stamp))
		return 0;
	for (int i = 0; i < READ_TRIES && r == 1; i++)
		r = load_config(s, a, ret_error);
	if (r == 1)
		return fail(ret_error, -EAGAIN, s->file, "is being written to");
	if (r)
		return r;
	a->parsed++;
	keep_unchanged(a->config->model, s->sealed);
	changes_note(&a->changes, s->config ? s->config->model : NULL, a->config->model);
	return 0;
}

/*
 * The file @path as it is now: what is kept when nothing changed, else read anew. *ret is NULL when it is gone. A
 * reference for the caller.
 */
static int look_at(struct file_source *s, struct attempt *a, const char *path, bool wanted, struct fragment **ret,
		   struct config_error *ret_error)
{
	struct fragment *old = fragments_find(&s->fragments, path), *f = NULL;
	struct stamp now;
	struct stat st;
	int r;

	if (stamp_take(path, &now)) {
		if (now.dev == a->stamp.dev && now.ino == a->stamp.ino)
			return 0; /* weft.yaml itself, caught by a pattern */
		if (old && !old->stamp.fresh && stamp_equal(&now, &old->stamp)) {
			old->refs++;
			*ret = old;
			return 0;
		}
	} else if (!wanted && lstat(path, &st) == -1 && errno == ENOENT) {
		return 0;
	}
	r = fragment_read(path, s->sealed, &f, ret_error);
	if (r)
		return r;
	a->parsed++;
	*ret = f;
	return 0;
}

/* Every file that the sources name. */
static int read_all(struct file_source *s, struct attempt *a, struct config_error *ret_error)
{
	const struct config *c = a->config ? a->config : s->config;
	_cleanup_(paths_done) struct paths paths = { 0 };
	struct fragment *old;
	size_t k = 0;
	int r;

	r = paths_find(c->sources, &paths, ret_error->file, sizeof(ret_error->file));
	if (r) {
		*ret_error->key = '\0';
		ret_error->line = 0;
		snprintf(ret_error->text, sizeof(ret_error->text), "the folder cannot be read: %s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < paths.nr; i++) {
		_cleanup_(fragment_unrefp) struct fragment *f = NULL;

		r = look_at(s, a, paths.path[i].text, paths.path[i].wanted, &f, ret_error);
		if (!r && f && fragments_append(&a->fragments, f))
			r = fail_memory(s, ret_error);
		if (r)
			return r;
	}
	/* Both lists are sorted: walk them side by side. */
	for (size_t i = 0; i < a->fragments.nr || k < s->fragments.nr;) {
		struct fragment *f = i < a->fragments.nr ? a->fragments.at[i] : NULL;
		int order;

		old = k < s->fragments.nr ? s->fragments.at[k] : NULL;
		order = !f ? 1 : !old ? -1 : f == old ? 0 : strcmp(f->path, old->path);
		if (f != old)
			changes_note(&a->changes, order >= 0 ? old->services : NULL, order <= 0 ? f->services : NULL);
		i += order <= 0;
		k += order >= 0;
	}
	return 0;
}

static bool is_wanted(const char *path, char *const *patterns)
{
	for (; *patterns; patterns++)
		if (!path_is_pattern(*patterns) && !strcmp(*patterns, path))
			return true;
	return false;
}

/* Only the files @changed. */
static int read_some(struct file_source *s, struct attempt *a, const char *const *changed,
		     struct config_error *ret_error)
{
	char *const *patterns = s->config->sources;
	int r;

	a->stamp = s->stamp;
	if (fragments_copy(&s->fragments, &a->fragments))
		return fail_memory(s, ret_error);
	for (; *changed; changed++) {
		_cleanup_(fragment_unrefp) struct fragment *f = NULL;
		struct fragment *old = fragments_find(&a->fragments, *changed);

		if (!path_matches(*changed, patterns))
			continue;
		r = look_at(s, a, *changed, is_wanted(*changed, patterns), &f, ret_error);
		if (r)
			return r;
		if (f == old)
			continue;
		changes_note(&a->changes, old ? old->services : NULL, f ? f->services : NULL);
		if (fragments_put(&a->fragments, *changed, f))
			return fail_memory(s, ret_error);
	}
	return 0;
}

/* All services in the order of their files, then sorted: who was there first is known if two collide. */
static int build_anew(struct file_source *s, struct attempt *a, struct config_error *ret_error)
{
	const struct config *c = a->config ? a->config : s->config;
	_cleanup_(model_freep) struct model *m = model_new();
	int r = m ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < c->model->nr; i++)
		r = model_add(m, c->model->services[i]);
	for (size_t k = 0; !r && k < a->fragments.nr; k++)
		for (size_t i = 0; !r && i < a->fragments.at[k]->services->nr; i++)
			r = model_add(m, a->fragments.at[k]->services->services[i]);
	if (r)
		return fail_memory(s, ret_error);
	r = config_seal(m, ret_error);
	if (!r)
		a->model = MOVE(m, NULL);
	return r;
}

static int build(struct file_source *s, struct attempt *a, struct config_error *ret_error)
{
	_cleanup_(model_freep) struct model *m = NULL;
	bool same = !a->changes.nr_gone && !a->changes.nr_come;

	if (!s->sealed || a->changes.many || changes_apply(&a->changes, s->sealed, &m) ||
	    (!same && config_seal(m, ret_error)))
		return build_anew(s, a, ret_error);
	a->model = MOVE(m, NULL);
	return 0;
}

static int check_limits(const struct file_source *s, const struct attempt *a, struct config_error *ret_error)
{
	const struct config *c = a->config ? a->config : s->config;
	int r;

	r = config_fits(a->model, &c->limits, ret_error);
	if (r)
		snprintf(ret_error->file, sizeof(ret_error->file), "%s", s->file);
	return r;
}

/* What to watch, in @ret with pointers to its texts in @ret_list. */
static int list_folders(const struct file_source *s, const struct attempt *a, struct paths *ret, char ***ret_list)
{
	const struct config *c = a->config ? a->config : s->config;
	_cleanup_(paths_done) struct paths folders = { 0 };
	char **list;
	int r;

	r = paths_folders(s->file, c->sources, &folders);
	if (r)
		return r;
	list = calloc(folders.nr + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < folders.nr; i++)
		list[i] = folders.path[i].text;
	*ret = folders;
	*ret_list = list;
	folders = (struct paths){ 0 };
	return 0;
}

/* What is known, to the caller: all services with addresses. */
static int hand_out(struct file_source *s, const struct attempt *a, struct model **ret, struct config_error *ret_error)
{
	static const struct changes none;
	const struct config *c = a->config ? a->config : s->config;
	const struct service *bad = NULL;
	int r;

	if (!c->nr_addresses)
		return changes_apply(&none, a->model, ret) ? fail_memory(s, ret_error) : 0;
	r = pool_set(s->pool, c->addresses, c->nr_addresses);
	if (!r)
		r = pool_fill(s->pool, a->model, ret, &bad);
	if (r == -ENOMEM)
		return fail_memory(s, ret_error);
	return r ? config_fail_addresses(r, bad, ret_error) : 0;
}

/* Takes over what was prepared. The only place where the source changes; fails only before it does. */
static int commit(struct file_source *s, struct attempt *a, bool all, const struct config **ret_config,
		  struct model **ret_model, struct config_error *ret_error)
{
	_cleanup_(model_freep) struct model *copy = NULL;
	struct paths paths = { 0 };
	char **folders = NULL;
	int r;

	r = hand_out(s, a, &copy, ret_error);
	if (r)
		return r;
	if (all && list_folders(s, a, &paths, &folders))
		return fail_memory(s, ret_error);
	if (all) {
		paths_done(&s->folder_paths);
		s->folder_paths = paths;
		free(s->folders);
		s->folders = folders;
	}
	if (a->config) {
		config_free(s->config);
		s->config = MOVE(a->config, NULL);
	}
	s->stamp = a->stamp;
	fragments_done(&s->fragments);
	s->fragments = a->fragments;
	a->fragments = (struct fragments){ 0 };
	model_free(s->sealed);
	s->sealed = MOVE(a->model, NULL);
	s->parsed = a->parsed;
	s->stale = false;
	*ret_config = s->config;
	*ret_model = MOVE(copy, NULL);
	return 0;
}

/* @changed: NULL for all. */
static int read_source(struct file_source *s, const char *const *changed, const struct config **ret_config,
		       struct model **ret_model, struct config_error *ret_error)
{
	_cleanup_(attempt_done) struct attempt a = { 0 };
	int r;

	s->stale = true;
	if (changed) {
		r = read_some(s, &a, changed, ret_error);
	} else {
		r = read_config(s, &a, ret_error);
		if (!r)
			r = read_all(s, &a, ret_error);
	}
	if (!r)
		r = build(s, &a, ret_error);
	if (!r)
		r = check_limits(s, &a, ret_error);
	if (!r)
		r = config_check_registries(a.config ? a.config : s->config, a.model, ret_error);
	if (!r)
		r = config_check_addresses(a.config ? a.config : s->config, a.model, ret_error);
	return r ? r : commit(s, &a, !changed, ret_config, ret_model, ret_error);
}

int file_source_read(struct file_source *s, const struct config **ret_config, struct model **ret_model,
		     struct config_error *ret_error)
{
	return read_source(s, NULL, ret_config, ret_model, ret_error);
}

/* Could more than the one file have changed with @path? */
static bool says_more(const struct file_source *s, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *own = strrchr(s->file, '/');
	size_t len = strlen(path), i;
	struct stat st;

	if (!strncmp(name, "..", 2) || !strcmp(name, own ? own + 1 : s->file))
		return true;
	if (!stat(path, &st))
		return S_ISDIR(st.st_mode);
	/* Gone: a folder, when files are known below it ("/" sorts before letters, but not before everything). */
	for (i = fragments_lower(&s->fragments, path);
	     i < s->fragments.nr && !strncmp(s->fragments.at[i]->path, path, len); i++)
		if (s->fragments.at[i]->path[len] == '/')
			return true;
	return false;
}

int file_source_read_changed(struct file_source *s, const char *const *changed, const struct config **ret_config,
			     struct model **ret_model, struct config_error *ret_error)
{
	bool all = s->stale;
	size_t nr;

	for (nr = 0; !all && changed[nr]; nr++)
		all = nr == CHANGES_MAX || says_more(s, changed[nr]);
	/* A path named twice would be read twice. */
	for (size_t i = 0; !all && i < nr; i++)
		for (size_t k = 0; k < i; k++)
			all |= !strcmp(changed[i], changed[k]);
	return read_source(s, all ? NULL : changed, ret_config, ret_model, ret_error);
}

char *const *file_source_folders(const struct file_source *s)
{
	return s->folders;
}

void file_source_stats(const struct file_source *s, unsigned *ret_parsed, unsigned *ret_files)
{
	*ret_parsed = s->parsed;
	*ret_files = (unsigned)s->fragments.nr + (s->config ? 1 : 0);
}

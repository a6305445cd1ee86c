/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What was found, on file, for an agent that starts while a registry does not answer: as service files in the normal
 * form, one of all services with sources and one per registry that yields whole ones.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"
#include "discovery/workloads.h"

#define SAVE_MS	   20
#define SAVE_SHARE 50 /* saving may take one part in this many of the time */

static int name_file(const struct discovery *d, const char *registry, char **ret)
{
	if (asprintf(ret, "%s/%s%s.yaml", d->state_dir, registry ? "registry." : "sources", registry ? registry : "") <
	    0)
		return -ENOMEM;
	return 0;
}

static struct model *load(const struct discovery *d, const char *registry)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(model_freep) struct model *m = model_new();
	_cleanup_(freep) char *file = NULL;
	const struct service *first, *second;
	const struct frontend *f;
	struct stat st;

	if (!d->state_dir || !m || !e || name_file(d, registry, &file) || stat(file, &st))
		return NULL;
	if (config_load_services(file, m, e) || model_seal(m, &first, &second, &f)) {
		log_msg(LOG_L_WARNING, "%s cannot be read (%s); what was found before this start is not known", file,
			e->text);
		return NULL;
	}
	return MOVE(m, NULL);
}

void state_load_sources(struct discovery *d)
{
	d->prior_sources = load(d, NULL);
}

void state_load_registry(struct discovery *d, struct registry_core *g)
{
	_cleanup_(model_freep) struct model *m = load(d, g->name);

	for (size_t i = 0; m && i < m->nr; i++) {
		struct service *s = m->services[i];

		free(s->file);
		if (asprintf(&s->file, "registry %s", g->name) < 0)
			s->file = NULL;
		s->line = 0;
		service_list_put(&g->services, s);
	}
}

/* Beside it, then moved into place. */
static int save(const struct discovery *d, const char *registry, const struct model *m)
{
	_cleanup_(freep) char *file = NULL, *fresh = NULL;
	FILE *out;
	int r = 0;

	if (name_file(d, registry, &file) || asprintf(&fresh, "%s.new", file) < 0)
		return -ENOMEM;
	if (!m->nr) {
		unlink(file);
		return 0;
	}
	out = fopen(fresh, "we");
	if (!out)
		return -errno;
	config_dump_services(m, out);
	if (fflush(out) || ferror(out))
		r = -EIO;
	fclose(out);
	if (!r && rename(fresh, file))
		r = -errno;
	if (r)
		unlink(fresh);
	return r;
}

static int save_sources(struct discovery *d)
{
	_cleanup_(model_freep) struct model *m = model_new();
	int r = m ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < d->nr_subjects; i++)
		if (d->subjects[i].merged)
			r = model_add(m, d->subjects[i].merged);
	return r ? r : save(d, NULL, m);
}

void discovery_save(struct discovery *d)
{
	uint64_t start = discovery_now_ns();
	int r = 0;

	if (!d->state_dir || !d->unsaved)
		return;
	d->unsaved = false;
	mkdir(d->state_dir, 0755);
	r = save_sources(d);
	for (size_t i = 0; !r && i < d->nr_registries; i++) {
		const struct registry_core *g = d->registries[i];
		struct model m = { .services = g->services.at, .nr = g->services.nr };

		if (!g->closing && (g->services.nr || g->synced))
			r = save(d, g->name, &m);
	}
	if (r)
		log_msg(LOG_L_WARNING, "what was found cannot be kept in %s: %s", d->state_dir, log_strerror(r));
	d->save_cost_ms = (discovery_now_ns() - start) / 1000000;
}

static bool is_ours(const char *name)
{
	size_t len = strlen(name);

	return !strcmp(name, "sources.yaml") || !strcmp(name, WORKLOADS_FILE) || !strcmp(name, WORKLOADS_FILE ".new") ||
	       (!strncmp(name, "registry.", 9) && len > 5 && !strcmp(name + len - 5, ".yaml"));
}

void discovery_forget(const char *state_dir)
{
	DIR *dir = opendir(state_dir);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (is_ours(e->d_name))
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(state_dir);
}

static void on_save(uv_timer_t *timer)
{
	discovery_save(timer->data);
}

/* Soon, and under a storm of changes seldom enough. */
void state_changed(struct discovery *d)
{
	uint64_t rest = d->save_cost_ms * SAVE_SHARE;

	d->unsaved = true;
	if (d->state_dir && !d->closing && !uv_is_active((uv_handle_t *)&d->save_timer))
		uv_timer_start(&d->save_timer, on_save, rest > SAVE_MS ? rest : SAVE_MS, 0);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/backends.h"
#include "discovery/inplace.h"
#include "discovery/ours.h"
#include "discovery/output.h"

#define FILE_MOST (16u << 20) /* bytes */

_Static_assert(3 * WEFT_NAME_LEN + 8 <= INPLACE_NAME_LEN, "the file of any service can be named");

/* A file that is wanted. */
struct entry {
	struct service *service; /* a reference */
	uint64_t stamp;		 /* of what its sources say */
	bool dirty;
};

struct output {
	char *dir;
	struct entry *entries;
	size_t nr, next; /* where writing goes on */
	int failed;	 /* negative errno of the first file that this round could not write */
	char failed_text[512];
	struct ours ours; /* files that may be there */
};

int output_new(const char *dir, const char *instance, struct output **ret)
{
	struct output *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->dir = strdup(dir);
	if (asprintf(&o->ours.list, ".weft-%s.list", instance) < 0)
		o->ours.list = NULL;
	if (!o->dir || !o->ours.list) {
		output_free(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

static void free_entries(struct entry *entries, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		service_unref(entries[i].service);
	free(entries);
}

void output_free(struct output *o)
{
	if (!o)
		return;
	free_entries(o->entries, o->nr);
	ours_done(&o->ours);
	free(o->dir);
	free(o);
}

const char *output_dir(const struct output *o)
{
	return o->dir;
}

char *output_name(const char *service, char *text, size_t len)
{
	size_t n = 0;

	for (const char *c = service; *c && n + 9 < len; c++) {
		bool odd = *c == '/' || *c == '%' || (*c == '.' && !n);

		n += (size_t)snprintf(text + n, len - n, odd ? "%%%02X" : "%c", (unsigned char)*c);
	}
	snprintf(text + n, len - n, ".json");
	return text;
}

int output_set(struct output *o, const struct discovery *d, const struct model *m)
{
	struct entry *fresh = calloc(m->nr + 1, sizeof(*fresh));
	size_t old = 0;

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < m->nr; i++) {
		struct service *s = m->services[i];
		const struct entry *e = NULL;

		while (old < o->nr && strcmp(o->entries[old].service->name, s->name) < 0)
			old++;
		if (old < o->nr && !strcmp(o->entries[old].service->name, s->name))
			e = &o->entries[old];
		fresh[i] = (struct entry){ .service = service_ref(s), .stamp = backends_stamp(d, s->name) };
		fresh[i].dirty = !e || e->dirty || e->service != s || e->stamp != fresh[i].stamp;
	}
	free_entries(o->entries, o->nr);
	o->entries = fresh;
	o->nr = m->nr;
	o->next = 0;
	o->failed = 0;
	return 0;
}

/* ---- one file ---- */

static json_t *load(int dir, const char *name)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;

	text = inplace_get(dir, name, FILE_MOST, &len);
	return text ? json_loadb(text, len, 0, NULL) : NULL;
}

static char *key(const json_t *backend, char *text, size_t len)
{
	const char *host = json_string_value(json_object_get(backend, "host"));

	snprintf(text, len, "%s %lld", host ? host : "",
		 (long long)json_integer_value(json_object_get(backend, "port")));
	return text;
}

/*
 * After a start, before the registries have answered: what the agent before wrote of names, ids and labels stands until
 * they say something else.
 */
static void remember(json_t *backends, int dir, const char *name)
{
	static const char *const kept[] = { "name", "id", "labels" };
	json_t *before = load(dir, name), *known = json_object(), *b;
	char text[128];
	size_t i;

	json_array_foreach(before, i, b) json_object_set(known, key(b, text, sizeof(text)), b);
	json_array_foreach(backends, i, b)
	{
		json_t *old = json_object_get(known, key(b, text, sizeof(text)));

		for (size_t k = 0; old && k < 3; k++) {
			json_t *v = json_object_get(b, kept[k]), *was = json_object_get(old, kept[k]);

			if (was && (json_is_null(v) || (json_is_object(v) && !json_object_size(v))))
				json_object_set(b, kept[k], was);
		}
	}
	json_decref(known);
	json_decref(before);
}

static int write_service(const struct discovery *d, int dir, const struct service *s)
{
	char name[INPLACE_NAME_LEN], *text;
	json_t *j = backends_json(d, s);
	size_t len;
	int r = 0;

	output_name(s->name, name, sizeof(name));
	if (j && !backends_settled(d, s->name))
		remember(j, dir, name);
	text = j ? json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	json_decref(j);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	text[len++] = '\n'; /* in place of its end */
	if (!inplace_holds(dir, name, text, len))
		r = inplace_put(dir, name, text, len);
	free(text);
	return r;
}

/* ---- step by step ---- */

/* Before a file is written it is in the list: an agent that dies leaves none behind that nobody knows. */
static int announce(struct output *o)
{
	char name[INPLACE_NAME_LEN];
	size_t before = o->ours.names.nr;
	struct names_set fresh = { 0 };
	int r = 0;

	for (size_t i = o->next; !r && i < o->nr; i++)
		if (o->entries[i].dirty &&
		    !names_set_has(&o->ours.names, output_name(o->entries[i].service->name, name, sizeof(name))))
			r = names_set_add(&fresh, name);
	for (size_t i = 0; !r && i < fresh.nr; i++)
		r = names_set_add(&o->ours.names, fresh.at[i]);
	names_set_done(&fresh);
	names_set_sort(&o->ours.names);
	if (o->ours.names.nr != before)
		o->ours.listed = false;
	return r;
}

/* One file that cannot be written keeps no other from it; it is tried again in the next round. */
static int write_some(struct output *o, const struct discovery *d, int dir, unsigned *most, char *text, size_t len)
{
	int r;

	for (; o->next < o->nr; o->next++) {
		struct entry *e = &o->entries[o->next];

		if (!e->dirty)
			continue;
		if (!*most)
			return 1;
		(*most)--;
		r = write_service(d, dir, e->service);
		e->dirty = r != 0;
		if (r && !o->failed) {
			o->failed = r;
			snprintf(o->failed_text, sizeof(o->failed_text),
				 "the file of service %s in %s cannot be written: %s", e->service->name, o->dir,
				 log_strerror(r));
		}
	}
	if (!o->failed)
		return 0;
	snprintf(text, len, "%s", o->failed_text);
	o->next = 0;
	return MOVE(o->failed, 0);
}

static int list_wanted(const struct output *o, struct names_set *ret)
{
	char name[INPLACE_NAME_LEN];
	int r = 0;

	for (size_t i = 0; !r && i < o->nr; i++)
		r = names_set_add(ret, output_name(o->entries[i].service->name, name, sizeof(name)));
	names_set_sort(ret);
	return r;
}

/* Files of services that are gone. */
static int remove_some(struct output *o, int dir, unsigned *most, char *text, size_t len)
{
	struct names_set wanted = { 0 }, *names = &o->ours.names;
	size_t kept = 0;
	int r;

	if (names->nr == o->nr)
		return 0; /* all that are wanted are among them */
	r = list_wanted(o, &wanted);
	for (size_t i = 0; i < names->nr; i++) {
		char *name = names->at[i];

		names->at[kept++] = name;
		if (r || !*most || names_set_has(&wanted, name))
			continue;
		(*most)--;
		if (unlinkat(dir, name, 0) && errno != ENOENT) {
			r = -errno;
			snprintf(text, len, "%s/%s cannot be removed: %s", o->dir, name, log_strerror(r));
			continue;
		}
		free(name);
		kept--;
		o->ours.listed = false;
	}
	names->nr = kept;
	names_set_done(&wanted);
	return r ? r : names->nr > o->nr;
}

/* The folder; one that is missing is made, for all to read. */
static int open_dir(const struct output *o)
{
	int fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && !mkdir(o->dir, 0755)) {
		chmod(o->dir, 0755);
		fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* What must be done before the first file is touched. */
static int prepare(struct output *o, int dir)
{
	int r = 0;

	if (!o->ours.known)
		r = ours_read(&o->ours, dir);
	if (!r)
		r = announce(o);
	if (!r && !o->ours.listed)
		r = ours_write(&o->ours, dir);
	return r;
}

int output_step(struct output *o, const struct discovery *d, unsigned most, char *text, size_t len)
{
	_cleanup_(closep) int dir = open_dir(o);
	int r = dir < 0 ? dir : prepare(o, dir), next = 0;

	snprintf(text, len, "%s cannot be written to: %s", o->dir, log_strerror(r));
	if (r)
		return r;
	r = write_some(o, d, dir, &most, text, len);
	if (r > 0)
		return r;
	if (!r)
		r = remove_some(o, dir, &most, text, len);
	if (!o->ours.listed)
		next = ours_write(&o->ours, dir);
	if (next && r >= 0) {
		snprintf(text, len, "%s cannot be written to: %s", o->dir, log_strerror(next));
		r = next;
	}
	return r;
}

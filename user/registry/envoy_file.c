/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Answers in files, as Envoy reads them: JSON or YAML. A file is looked at when something happens in its folder, and
 * now and then in any case. What is broken or gone leaves all as it is, and is said when it is still so after a moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/envoy.h"

#define LOOK_MS	  2000
#define SOON_MS	  50
#define GRACE_MS  300 /* a file may be gone or broken for so long while it is exchanged */
#define QUIET_NS  1000000000ll
#define FILE_MOST (256u * 1024 * 1024)

static void on_timer(uv_timer_t *timer);

static void look_in(struct envoy_file *f, uint32_t ms)
{
	uv_timer_start(&f->timer, on_timer, ms, 0);
}

/* With very many files each is looked at less often; inotify tells all the same. */
static uint32_t pause_of(const struct envoy_file *f)
{
	uint64_t ms = f->e->nr_files;

	return jitter(ms < LOOK_MS ? LOOK_MS : ms > 60000 ? 60000 : (uint32_t)ms);
}

/* ---- the folder ---- */

static void watch_folder(struct envoy_file *f)
{
	struct stat st;

	if (stat(f->dir, &st)) {
		f->wd = -1;
		return;
	}
	if (f->wd >= 0 && st.st_ino == f->dir_ino && st.st_dev == f->dir_dev)
		return;
	f->wd = envoy_inotify_watch(f->e, f->dir);
	f->dir_ino = st.st_ino;
	f->dir_dev = st.st_dev;
}

/* Kubernetes exchanges the files of a ConfigMap by a link whose name begins with two dots. */
void envoy_file_moved(struct envoy_file *f, const char *name, bool done)
{
	uint64_t now = uv_now(f->e->r.loop);

	if (name && strcmp(name, strrchr(f->path, '/') + 1) != 0 && strncmp(name, "..", 2) != 0)
		return;
	f->told |= done;
	if (!done)
		look_in(f, SOON_MS);
	else
		look_in(f, f->rest_ms > now ? (uint32_t)(f->rest_ms - now) : 0);
}

/* ---- what is in it ---- */

static void failed(struct envoy_file *f, const char *why)
{
	if (f->clusters)
		registry_failed(&f->e->r, "%s: %s", f->path, why);
	for (struct envoy_want *w = f->wants, *following; w; w = following) {
		char text[256];

		following = w->next;
		snprintf(text, sizeof(text), "%s: %s", f->path, why);
		w->failed(w, text);
	}
}

/* An error that may pass by itself, such as that of a file which is being exchanged. @read: what was read is bad, and
 * need not be read again. */
static void suspect(struct envoy_file *f, const char *why, bool read)
{
	uint64_t now = uv_now(f->e->r.loop);
	bool early;

	if (!f->bad_ms)
		f->bad_ms = now ? now : 1;
	early = now - f->bad_ms < GRACE_MS;
	f->stamped = read && !early;
	f->told |= read;
	look_in(f, early ? SOON_MS : pause_of(f));
	if (!early)
		failed(f, why);
}

static const json_t *resource_of(json_t *index, const struct envoy_want *w)
{
	return json_object_get(index, w->key);
}

static void answer_wants(struct envoy_file *f, const json_t *resources)
{
	json_t *index = json_object();
	const json_t *at, *assignment;
	char why[256];
	size_t i;

	json_array_foreach(resources, i, at)
	{
		assignment = envoy_resource(at, "ClusterLoadAssignment");
		if (assignment && envoy_text(assignment, "cluster_name") &&
		    !json_object_get(index, envoy_text(assignment, "cluster_name")))
			json_object_set(index, envoy_text(assignment, "cluster_name"), (json_t *)assignment);
	}
	for (struct envoy_want *w = f->wants, *following; w; w = following) {
		following = w->next;
		assignment = resource_of(index, w);
		if (assignment) {
			w->answer(w, assignment);
		} else {
			snprintf(why, sizeof(why), "%s has no cluster %s", f->path, w->key);
			w->failed(w, why);
		}
	}
	json_decref(index);
}

static int take(struct envoy_file *f, const char *text, size_t len, char *why, size_t why_len)
{
	json_t *root = envoy_parse(text, len, why, why_len);
	struct envoy_answer a;
	int r = root ? envoy_answer(root, f->clusters ? "Cluster" : "ClusterLoadAssignment", &a, why, why_len)
		     : -EBADMSG;

	if (!r && f->clusters)
		r = envoy_entries_take(f->e, a.resources, why, why_len);
	else if (!r)
		answer_wants(f, a.resources);
	json_decref(root);
	return r;
}

/* ---- reading ---- */

static int read_whole(int fd, char **ret, size_t *ret_len)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0, capacity = 0;
	ssize_t n;

	do {
		if (len == capacity) {
			char *more = realloc(text, capacity ? capacity * 2 : 16384);

			if (!more)
				return -ENOMEM;
			text = more;
			capacity = capacity ? capacity * 2 : 16384;
		}
		n = read(fd, text + len, capacity - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len <= FILE_MOST);
	if (n < 0 || len > FILE_MOST)
		return n < 0 ? -errno : -EFBIG;
	*ret = MOVE(text, NULL);
	*ret_len = len;
	return 0;
}

/* Nothing but a plain file is read: others might never end. */
static int read_file(const char *path, char **ret, size_t *ret_len)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) ? read_whole(fd, ret, ret_len) : -EINVAL;
}

static bool is_quiet(const struct stamp *s)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return llabs(stamp_ns(&now) - stamp_ns(&s->mtime)) >= QUIET_NS;
}

static void read_it(struct envoy_file *f, const struct stamp *before)
{
	bool told = MOVE(f->told, false);
	_cleanup_(freep) char *text = NULL;
	struct stamp after;
	char why[192];
	size_t len = 0;
	int r = read_file(f->path, &text, &len);

	if (r) {
		suspect(f, r == -EINVAL ? "it is no plain file" : log_strerror(r), false);
		return;
	}
	if (!stamp_take(f->path, &after) || !stamp_equal(before, &after) ||
	    (!told && envoy_may_be_half(text, len) && !is_quiet(before))) {
		look_in(f, SOON_MS);
		return;
	}
	f->stamp = *before;
	f->stamped = true;
	if (take(f, text, len, why, sizeof(why))) {
		suspect(f, why, true);
		return;
	}
	f->bad_ms = 0;
	/* Another write could bear the same times; its end was or will be told, too. */
	f->told = before->fresh;
	look_in(f, before->fresh ? SOON_MS : pause_of(f));
}

static void on_timer(uv_timer_t *timer)
{
	struct envoy_file *f = timer->data;
	uint64_t start = uv_hrtime();
	struct stamp now;

	watch_folder(f);
	if (!stamp_take(f->path, &now))
		suspect(f, log_strerror(-errno), false);
	else if (f->stamped && stamp_equal(&f->stamp, &now) && (!f->stamp.fresh || now.fresh))
		look_in(f, now.fresh ? SOON_MS : pause_of(f));
	else
		read_it(f, &now);
	f->rest_ms = uv_now(f->e->r.loop) + (uv_hrtime() - start) / 1000000 * 4;
}

/* ---- who wants it ---- */

static void on_closed(uv_handle_t *handle)
{
	struct envoy_file *f = handle->data;
	struct envoy *e = f->e;

	free(f->path);
	free(f->dir);
	free(f);
	envoy_handle_closed(e);
}

static void file_close(struct envoy_file *f)
{
	struct envoy_file **at = &f->e->files;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->e->nr_files--;
	f->closing = true;
	uv_close((uv_handle_t *)&f->timer, on_closed);
}

static struct envoy_file *file_new(struct envoy *e, const char *path, bool clusters)
{
	struct envoy_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->path = strdup(path);
	f->dir = f->path ? strndup(path, (size_t)(strrchr(path, '/') - path) + 1) : NULL;
	if (!f->dir) {
		free(f->path);
		free(f);
		return NULL;
	}
	f->e = e;
	f->clusters = clusters;
	f->wd = -1;
	f->told = true; /* what is there at the start is taken as it is */
	uv_timer_init(e->r.loop, &f->timer);
	f->timer.data = f;
	e->handles++;
	e->nr_files++;
	f->next = e->files;
	e->files = f;
	return f;
}

int envoy_file_add(struct envoy *e, struct envoy_want *w, const char *path)
{
	struct envoy_file *f = e->files;

	while (f && (f->clusters != !w || strcmp(f->path, path) != 0))
		f = f->next;
	if (!f)
		f = file_new(e, path, !w);
	if (!f)
		return -ENOMEM;
	if (w) {
		w->file = f;
		w->next = f->wants;
		f->wants = w;
	}
	f->stamped = false;
	f->told = true;
	look_in(f, 0);
	return 0;
}

void envoy_file_remove(struct envoy *e, struct envoy_want *w)
{
	struct envoy_file *f = MOVE(w->file, NULL);
	struct envoy_want **at = &f->wants;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!f->wants)
		file_close(f);
}

void envoy_files_close(struct envoy *e)
{
	while (e->files)
		file_close(e->files);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/import_files.h"

#define FILE_BYTES_MAX (16u << 20)
#define FILES_MAX      10000

static int fail(struct config_error *e, int r, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(struct config_error *e, int r, const char *file, const char *fmt, ...)
{
	va_list ap;

	*e = (struct config_error){ .line = 0 };
	snprintf(e->file, sizeof(e->file), "%s", file);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return r;
}

static void part_done(struct import_part *p)
{
	free((char *)p->name);
	free((char *)p->text);
	free((char *)p->service);
	*p = (struct import_part){ 0 };
}

void import_files_done(struct import_files *f)
{
	part_done(&f->file);
	for (size_t i = 0; i < f->nr; i++)
		part_done(&f->services[i]);
	free(f->services);
	*f = (struct import_files){ 0 };
}

/* The whole of @fd, at most FILE_BYTES_MAX of it. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0, room = 0;
	ssize_t n = 1;

	while (n > 0) {
		if (len == room) {
			char *more = realloc(text, room = room ? room * 2 : 65536);

			if (!more)
				return -ENOMEM;
			text = more;
		}
		n = read(fd, text + len, room - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len > FILE_BYTES_MAX)
			return -EFBIG;
	}
	*ret = MOVE(text, NULL);
	*ret_len = len;
	return 0;
}

static int read_part(const char *path, struct import_part *ret, struct config_error *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return fail(e, -errno, path, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return fail(e, -EINVAL, path, "is no file");
	if (fcntl(fd, F_SETFL, 0)) /* a FIFO, such as the shell's <(...), is waited for */
		return fail(e, -errno, path, "cannot be read: %s", strerror(errno));
	r = read_all(fd, &text, &ret->len);
	ret->text = text;
	if (r)
		return r == -EFBIG ? fail(e, r, path, "has more than 16 MiB")
				   : fail(e, r, path, "cannot be read: %s", strerror(-r));
	ret->name = strdup(path);
	return ret->name ? 0 : fail(e, -ENOMEM, path, "not enough memory to read it");
}

/* "web.json", "web.yaml": as Nerve and Synapse have it. */
static int is_service_file(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return *d->d_name != '.' && len > 5 &&
	       (!strcmp(d->d_name + len - 5, ".json") || !strcmp(d->d_name + len - 5, ".yaml"));
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_service(const char *folder, const char *name, struct import_files *f, struct config_error *e)
{
	_cleanup_(freep) char *path = NULL;
	struct import_part *p = &f->services[f->nr];
	int r;

	if (asprintf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name) < 0)
		return fail(e, -ENOMEM, name, "not enough memory to read it");
	f->nr++;
	r = read_part(path, p, e);
	if (r)
		return r;
	p->service = strndup(name, strlen(name) - 5);
	return p->service ? 0 : fail(e, -ENOMEM, path, "not enough memory to read it");
}

static int read_folder(const char *folder, struct import_files *f, struct config_error *e)
{
	struct dirent **list = NULL;
	int nr = scandir(folder, &list, is_service_file, compare_names), r = 0;

	if (nr < 0)
		return fail(e, -errno, folder, "cannot be read: %s", strerror(errno));
	if (nr > FILES_MAX)
		r = fail(e, -E2BIG, folder, "holds more than %d files", FILES_MAX);
	f->services = calloc((size_t)nr + 1, sizeof(*f->services));
	if (!r && !f->services)
		r = fail(e, -ENOMEM, folder, "not enough memory to read it");
	for (int i = 0; !r && i < nr; i++)
		r = add_service(folder, list[i]->d_name, f, e);
	for (int i = 0; i < nr; i++)
		free(list[i]);
	free(list);
	return r;
}

/* Relative to the file; when it is not there, to the current folder, which is what Nerve and Synapse mean. */
static int find_folder(const char *path, const char *dir, char **ret)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *beside = NULL;

	if (*dir != '/' && slash && asprintf(&beside, "%.*s/%s", (int)(slash - path), path, dir) < 0)
		return -ENOMEM;
	if (beside && access(beside, F_OK) && !access(dir, F_OK))
		free(MOVE(beside, NULL));
	*ret = beside ? MOVE(beside, NULL) : strdup(dir);
	return *ret ? 0 : -ENOMEM;
}

int import_files_read(const char *path, struct import_files *ret, struct config_error *ret_error)
{
	_cleanup_(freep) char *dir = NULL, *folder = NULL;
	int r;

	*ret = (struct import_files){ 0 };
	r = read_part(path, &ret->file, ret_error);
	if (!r)
		r = import_conf_dir(&ret->file, &dir, ret_error);
	if (!r && dir)
		r = find_folder(path, dir, &folder) ? fail(ret_error, -ENOMEM, path, "not enough memory to read it")
						    : read_folder(folder, ret, ret_error);
	if (r)
		import_files_done(ret);
	return r;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/pins.h"
#include "plane/state.h"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static int make_folder(const char *path, struct plane_error *err)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	return plane_fail(err, -errno, "cannot make the folder '%s': %s", path, log_strerror(-errno));
}

int pins_make(const char *bpffs, const char *dir, struct plane_error *err)
{
	char path[4096];
	int r;

	if (!is_bpffs(bpffs)) {
		r = make_folder(bpffs, err);
		if (r)
			return r;
		if (mount("bpf", bpffs, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == -1)
			return plane_fail(err, -errno, "'%s' is no BPF file system and mounting one there fails: %s",
					  bpffs, log_strerror(-errno));
	}
	snprintf(path, sizeof(path), "%s/weft", bpffs);
	r = make_folder(path, err);
	if (!r)
		r = make_folder(dir, err);
	snprintf(path, sizeof(path), "%s/links", dir);
	return r ? r : make_folder(path, err);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

bool pins_attached(const char *dir)
{
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;
	char path[4096];

	snprintf(path, sizeof(path), "%s/links", dir);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			return true;
	return false;
}

/* All files of one folder; sub-folders are left. */
static int remove_files(const char *dir)
{
	_cleanup_(closedirp) DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM && !r)
			r = -errno;
	}
	return r;
}

int pins_remove(const char *dir)
{
	char path[4096];
	int r, links;

	snprintf(path, sizeof(path), "%s/links", dir);
	links = remove_files(path);
	if (rmdir(path) == -1 && errno != ENOENT)
		links = -errno;
	r = remove_files(dir);
	if (rmdir(dir) == -1 && !r)
		r = -errno;
	if (links && links != -ENOENT)
		return links;
	return r;
}

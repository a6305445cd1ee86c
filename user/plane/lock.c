/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One writer per instance: an flock() on <lock_dir>/<instance>.lock, which ends with its holder, however that dies. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/state.h"

/* Was the file removed, or replaced, between open() and flock()? */
static bool is_stale(int fd, const char *path)
{
	struct stat held, there;

	return fstat(fd, &held) == -1 || stat(path, &there) == -1 || held.st_ino != there.st_ino ||
	       held.st_dev != there.st_dev;
}

/* Who holds it, by its own word; 0: it has not signed yet. */
static long lock_holder(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

static void lock_sign(int fd)
{
	/* For messages only: the lock is the lock. */
	if (ftruncate(fd, 0) == -1 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		return;
}

int lock_take(const char *lock_dir, const char *instance, int *ret_fd, char **ret_path, struct plane_error *err)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s.lock", lock_dir, instance) < 0)
		return plane_fail(err, -ENOMEM, "no memory");
	for (int tries = 0; tries < 16; tries++) {
		_cleanup_(closep) int fd = -1;

		if (mkdir(lock_dir, 0755) == -1 && errno != EEXIST)
			return plane_fail(err, -errno, "cannot make the folder '%s': %s", lock_dir,
					  log_strerror(-errno));
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1)
			return plane_fail(err, -errno, "cannot open '%s': %s", path, log_strerror(-errno));
		r = flock(fd, LOCK_EX | LOCK_NB);
		if (r == -1 && errno == EWOULDBLOCK)
			return plane_fail(err, -EBUSY,
					  "another weft agent (pid %ld) holds instance '%s' (%s); stop it first",
					  lock_holder(fd), instance, path);
		if (r == -1)
			return plane_fail(err, -errno, "cannot lock instance '%s' (%s): %s", instance, path,
					  log_strerror(-errno));
		if (is_stale(fd, path))
			continue;
		lock_sign(fd);
		*ret_fd = MOVE(fd, -1);
		*ret_path = MOVE(path, NULL);
		return 0;
	}
	return plane_fail(err, -EBUSY, "'%s' keeps being removed; is another weft starting and stopping?", path);
}

/* While it is held. The folder goes, too, when nothing else is in it. */
void lock_remove(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);

	unlink(path);
	if (copy)
		rmdir(dirname(copy));
}

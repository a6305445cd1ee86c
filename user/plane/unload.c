/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/pins.h"
#include "plane/programs.h"
#include "plane/state.h"
#include "plane/tc.h"

#define LOCK_DIR "/run/weft"

/* Detached at once, and not only when the last who has the link open closes it. */
static void detach(const char *dir, int i)
{
	_cleanup_(closep) int fd = -1;
	char path[4096];

	snprintf(path, sizeof(path), "%s/links/%s", dir, plane_program_pins[i]);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		bpf_link_detach(fd);
	unlink(path);
}

static int unload(const char *bpffs, const char *dir, struct plane_error *err)
{
	char parent[4096];
	struct stat s;
	int r;

	if (stat(dir, &s) == -1) {
		r = -errno;
		return plane_fail(err, r, r == -ENOENT ? "nothing is loaded in %s" : "cannot look into %s", dir);
	}
	/* What chooses endpoints goes first: no new connection while the rest goes. */
	for (int i = PLANE_PROGRAM_MAX - 1; i >= 0; i--)
		detach(dir, i);
	r = tc_detach_all(dir);
	if (r)
		return plane_fail(err, r, "cannot detach failover from network links: %s; root can", log_strerror(r));
	r = pins_remove(dir);
	if (r)
		return plane_fail(err, r, "cannot remove %s: %s", dir, log_strerror(r));
	snprintf(parent, sizeof(parent), "%s/weft", bpffs);
	rmdir(parent); /* fails when another instance is there */
	return 0;
}

int plane_unload(const char *bpffs, const char *instance, struct plane_error *err)
{
	_cleanup_(freep) char *lock_path = NULL;
	_cleanup_(closep) int lock = -1;
	char dir[3072];
	int r;

	if (!plane_dir(bpffs, instance, dir, sizeof(dir)))
		return plane_fail(err, -ENAMETOOLONG, "the name of the instance is too long");
	r = lock_take(LOCK_DIR, instance, &lock, &lock_path, err);
	if (r)
		return r;
	r = unload(bpffs, dir, err);
	lock_remove(lock_path);
	return r;
}

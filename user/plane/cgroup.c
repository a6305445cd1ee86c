/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where cgroup2 is, and which cgroup an id means. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plane/cgroup.h"
#include "plane/plane.h"

#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS: a handle that is the 64-bit id */

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The first cgroup2 mount in /proc/self/mountinfo: "ID PARENT DEV ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS". */
static int find_in_mountinfo(char *path, size_t len)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], point[2048];

	while (f && fgets(line, sizeof(line), f)) {
		const char *type = strstr(line, " - cgroup2 ");

		if (!type || sscanf(line, "%*s %*s %*s %*s %2047s", point) != 1 || strlen(point) >= len)
			continue;
		memcpy(path, point, strlen(point) + 1);
		return 0;
	}
	return -ENOENT;
}

int plane_find_cgroup(char *path, size_t len)
{
	static const char *const usual[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		if (!is_cgroup2(usual[i]) || strlen(usual[i]) >= len)
			continue;
		memcpy(path, usual[i], strlen(usual[i]) + 1);
		return 0;
	}
	return find_in_mountinfo(path, len);
}

int cgroup_id(int fd, uint64_t *ret)
{
	struct stat s;

	if (fstat(fd, &s) == -1)
		return -errno;
	*ret = s.st_ino;
	return 0;
}

int cgroup_path(uint64_t id, char *path, size_t len)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} h = { .handle = { .handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS } };
	_cleanup_(closep) int root = -1;
	_cleanup_(closep) int fd = -1;
	char mount[512], link[64];
	ssize_t n;

	if (plane_find_cgroup(mount, sizeof(mount)))
		return -ENOENT;
	root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root == -1)
		return -errno;
	memcpy(h.room + sizeof(struct file_handle), &id, sizeof(id));
	fd = open_by_handle_at(root, &h.handle, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, len - 1);
	if (n == -1)
		return -errno;
	path[n] = '\0';
	return 0;
}

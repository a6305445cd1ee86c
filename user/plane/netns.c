/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plane/netns.h"

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

bool netns_is_own(uint32_t inode)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 && st.st_ino == inode;
}

/* A descriptor when it is the one, else -1. */
static int try_file(const char *path, uint32_t inode)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (stat(path, &st) == -1 || st.st_ino != inode)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Another one may be mounted there by now. */
	if (fd == -1 || fstat(fd, &st) == -1 || st.st_ino != inode)
		return -1;
	return MOVE(fd, -1);
}

static int try_folder(const char *folder, const char *below, uint32_t inode)
{
	_cleanup_(closedirp) DIR *d = opendir(folder);
	char path[512];
	struct dirent *e;
	int fd;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || (*below && (e->d_name[0] < '0' || e->d_name[0] > '9')))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", folder, e->d_name, below);
		fd = try_file(path, inode);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* "ID PARENT DEV net:[INODE] POINT ...": container runtimes keep namespaces without a process like this. */
static int try_mounts(uint32_t inode)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], root[64], point[2048], wanted[64];
	int fd;

	snprintf(wanted, sizeof(wanted), "net:[%u]", inode);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %63s %2047s", root, point) != 2 || strcmp(root, wanted) != 0)
			continue;
		fd = try_file(point, inode);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

int netns_open(uint32_t inode)
{
	int fd = try_file("/proc/self/ns/net", inode);

	if (fd < 0)
		fd = try_folder("/run/netns", "", inode);
	if (fd < 0)
		fd = try_mounts(inode);
	if (fd < 0)
		fd = try_folder("/proc", "/ns/net", inode);
	return fd < 0 ? -ENOENT : fd;
}

int netns_enter_fd(int fd, int *ret_back)
{
	_cleanup_(closep) int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (back == -1 || setns(fd, CLONE_NEWNET) == -1)
		return -errno;
	*ret_back = MOVE(back, -1);
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/input.h"

static const char *kind(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a folder";
	if (S_ISFIFO(mode))
		return "is a FIFO";
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return "is a device";
	return "is no file";
}

int input_open(const char *file, struct reader_input *ret, struct config_error *ret_error)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && errno == ENOENT)
		return error_set(ret_error, -ENOENT, file, 0, NULL, "there is no such file");
	if (fd == -1 && errno == ELOOP)
		return error_set(ret_error, -ELOOP, file, 0, NULL, "symbolic links that lead in a circle");
	if (fd == -1 && errno == ENXIO) /* a socket */
		return error_set(ret_error, -EINVAL, file, 0, NULL, "is no file; a regular file is wanted");
	if (fd == -1 || fstat(fd, &st) == -1)
		return error_set(ret_error, -errno, file, 0, NULL, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(ret_error, -EINVAL, file, 0, NULL, "%s; a regular file is wanted", kind(st.st_mode));
	if ((uint64_t)st.st_size > READER_FILE_MAX)
		return error_set(ret_error, -EFBIG, file, 0, NULL, "is %llu MiB large, 256 MiB are the most",
				 (unsigned long long)st.st_size >> 20);
	*ret = (struct reader_input){ .fd = MOVE(fd, -1) };
	return 0;
}

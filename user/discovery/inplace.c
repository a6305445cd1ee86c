/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discovery/inplace.h"

static int write_all(int fd, const char *text, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return n ? -errno : -EIO;
	}
	return 0;
}

int inplace_put(int dir, const char *name, const char *text, size_t len)
{
	_cleanup_(closep) int fd = -1;
	char fresh[INPLACE_NAME_LEN + 8];
	int r;

	snprintf(fresh, sizeof(fresh), ".%s.tmp", name);
	/* What is left of an agent that died goes first: it could be a link. */
	unlinkat(dir, fresh, 0);
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, len);
	if (!r && (fchmod(fd, 0644) || renameat(dir, fresh, dir, name)))
		r = -errno;
	if (r)
		unlinkat(dir, fresh, 0);
	return r;
}

char *inplace_get(int dir, const char *name, size_t most, size_t *ret_len)
{
	_cleanup_(closep) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_(freep) char *text = NULL;
	size_t len = 0, size;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
		errno = EFBIG;
		return NULL;
	}
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (!text)
		return NULL;
	while (len < size && (n = read(fd, text + len, size - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	*ret_len = len;
	return MOVE(text, NULL);
}

bool inplace_holds(int dir, const char *name, const char *text, size_t len)
{
	_cleanup_(freep) char *there = NULL;
	size_t there_len = 0;

	there = inplace_get(dir, name, len, &there_len);
	return there && there_len == len && !memcmp(there, text, len);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Cleanup attributes: an error path is a plain return. Descriptors start at -1, pointers at NULL. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Takes the value out of @v and leaves @empty: ownership moves on. */
#define MOVE(v, empty)                                                                                                 \
	({                                                                                                             \
		__typeof__(v) _moved = (v);                                                                            \
		(v) = (empty);                                                                                         \
		_moved;                                                                                                \
	})

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Small files in an open folder, read whole and replaced whole. Inside discovery/ only. */
#ifndef DISCOVERY_INPLACE_H
#define DISCOVERY_INPLACE_H

#include <stdbool.h>
#include <stddef.h>

#define INPLACE_NAME_LEN 400 /* of a name, with its end */

/* Puts @text in place of the file @name, by way of .NAME.tmp; all may read it. 0 or negative errno. */
int inplace_put(int dir, const char *name, const char *text, size_t len);
/* A regular file of at most @most bytes, with a NUL behind; free() it. NULL: errno says why. */
char *inplace_get(int dir, const char *name, size_t most, size_t *ret_len);
/* Does the file hold just this? */
bool inplace_holds(int dir, const char *name, const char *text, size_t len);

#endif

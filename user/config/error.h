/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Building config_error. Inside config/ only. */
#ifndef CONFIG_ERROR_H
#define CONFIG_ERROR_H

#include <stdarg.h>

#include "config/config.h"

/* Fills @e and returns @r. @key may be NULL. */
int error_set(struct config_error *e, int r, const char *file, unsigned line, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
int error_vset(struct config_error *e, int r, const char *file, unsigned line, const char *key, const char *fmt,
	       va_list ap) __attribute__((format(printf, 6, 0)));

/* Text from outside as it may be shown: in quotes, cut, everything but printable ASCII as \xNN. Returns @out->text. */
struct quoted {
	char text[4 * 64 + 8];
};
const char *quote(const char *text, struct quoted *out);

/* The word of @words (@nr of them, @stride bytes apart) that @word was probably meant to be, or NULL. */
const char *nearest(const char *word, const char *const *words, size_t nr, size_t stride);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Base64 as RFC 4648 has it, with "+/" and padding. Pure. */
#ifndef REGISTRY_BASE64_H
#define REGISTRY_BASE64_H

#include <stddef.h>

/* NUL terminated; free() it. NULL: no memory. */
char *base64_encode(const void *data, size_t len);
/* The bytes with a NUL behind them; free() it. NULL: not base64, or no memory. */
char *base64_decode(const char *text, size_t *ret_len);

#endif

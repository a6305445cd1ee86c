/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const uint8_t *in = data;
	char *text = malloc((len + 2) / 3 * 4 + 1), *at = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			three |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			three |= in[i + 2];
		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[three & 63] : '=';
	}
	*at = '\0';
	return text;
}

/* 0..63; 64: none. */
static uint32_t value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (uint32_t)(at - digits) : 64;
}

char *base64_decode(const char *text, size_t *ret_len)
{
	size_t len = strlen(text), padding = 0, nr = 0;
	uint8_t *out;

	if (len % 4)
		return NULL;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	out = malloc(len / 4 * 3 + 1);
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t four = 0;

		for (size_t k = 0; k < 4; k++) {
			uint32_t v = i + k >= len - padding ? 0 : value_of(text[i + k]);

			if (v == 64) {
				free(out);
				return NULL;
			}
			four = four << 6 | v;
		}
		out[nr++] = (uint8_t)(four >> 16);
		out[nr++] = (uint8_t)(four >> 8);
		out[nr++] = (uint8_t)four;
	}
	nr -= padding;
	out[nr] = '\0';
	*ret_len = nr;
	return (char *)out;
}

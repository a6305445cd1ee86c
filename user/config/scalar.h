/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Values of one word: each read function refuses what is not exactly its type. Inside config/ only. */
#ifndef CONFIG_SCALAR_H
#define CONFIG_SCALAR_H

#include "config/yaml.h"

int scalar_number(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret);
int scalar_bool(struct reader *rd, bool *ret);
/* Integer and ms, s, m, h or d; 0..: @zero allows "0" and "off" as 0. */
int scalar_duration(struct reader *rd, uint32_t min_ms, uint32_t max_ms, bool zero, uint32_t *ret_ms);
/* One of @words; *ret is its index. */
int scalar_choice(struct reader *rd, const char *const *words, size_t nr, unsigned *ret);
/* An absolute path of at most @max bytes. Replaces *ret. */
int scalar_path(struct reader *rd, size_t max, char **ret);

/* Address and port that a connection can be made to. */
struct address {
	struct weft_addr addr;
	uint16_t port;
};
/* @any: 0.0.0.0 and :: will do, to listen on. */
int scalar_address(struct reader *rd, bool any, struct address *ret);

/* Replaces *ret by a copy of @text. */
int scalar_copy(struct reader *rd, const char *text, char **ret);

/* The largest unit that says it exactly: "3h", "1500ms", "0". */
#define DURATION_TEXT_LEN 16
char *duration_format(uint32_t ms, char *text, size_t len);

#endif

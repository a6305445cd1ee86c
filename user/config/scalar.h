/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Values of one word: each read function refuses what is not exactly its type. Inside config/ only. */
#ifndef CONFIG_SCALAR_H
#define CONFIG_SCALAR_H

#include "config/yaml.h"

int scalar_number(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret);
int scalar_bool(struct reader *rd, bool *ret);
/* Integer and ms, s, m, h or d; 0..: @zero allows "0" and "off" as 0. */
int scalar_duration(struct reader *rd, uint32_t min_ms, uint32_t max_ms, bool zero, uint32_t *ret_ms);
/* "30s" in ms. False: it is none. */
bool duration_parse(const char *text, uint64_t *ret_ms);
/* "on" or "off". */
int scalar_switch(struct reader *rd, bool *ret);
/* A number, or "off" as 0; @min > 0. */
int scalar_number_or_off(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret);
/* A decimal of at most three places, in thousandths: "1.9" is 1900. */
int scalar_thousandths(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret);
/* Is the current event the plain word "off"? */
bool scalar_is_off(const struct reader *rd);
bool scalar_is_on(const struct reader *rd);
/* Text of 1 to @max bytes without control characters. Replaces *ret. */
int scalar_text(struct reader *rd, size_t max, char **ret);
/* Likewise of printable ASCII without blanks, quotes and backslashes. */
int scalar_plain_text(struct reader *rd, size_t max, char **ret);
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

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys with values whose meaning only one kind of registry knows. Checked when they are read (config/registry_keys.c),
 * so that whoever asks gets what he expects. */
#ifndef MODEL_OPTIONS_H
#define MODEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct option {
	char *key;
	char **values; /* NULL terminated; one of them unless it is a list */
	unsigned line;
};

struct options {
	struct option *at; /* in the order written */
	size_t nr;
};

void options_done(struct options *o);
/* Adds @value to @key, which is made when it is not there. 0 or -ENOMEM. */
int options_add(struct options *o, const char *key, const char *value, unsigned line);
int options_copy(const struct options *from, struct options *ret);    /* 0 or -ENOMEM */
bool options_equal(const struct options *a, const struct options *b); /* but for lines */
/* Nor do the keys count that @but names; NULL terminated, or NULL. */
bool options_equal_but(const struct options *a, const struct options *b, const char *const *but);

const struct option *options_find(const struct options *o, const char *key); /* NULL: not written */
/* What was written for @key, or @def. Borrowed. */
const char *options_text(const struct options *o, const char *key, const char *def);
uint32_t options_number(const struct options *o, const char *key, uint32_t def);
uint32_t options_ms(const struct options *o, const char *key, uint32_t def); /* durations; "off" and "0" are 0 */
bool options_bool(const struct options *o, const char *key, bool def);
char *const *options_list(const struct options *o, const char *key); /* NULL terminated, never NULL */

#endif

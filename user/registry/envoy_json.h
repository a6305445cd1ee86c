/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Values of messages in JSON, by the rules of proto3: keys in snake_case or camelCase, numbers as text, enums as words
 * or numbers, what is not there or null has its default. Pure.
 */
#ifndef REGISTRY_ENVOY_JSON_H
#define REGISTRY_ENVOY_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What cannot be used: how much, and the first of it in words. */
struct envoy_odd {
	unsigned nr;
	char text[192];
};
void envoy_odd_say(struct envoy_odd *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* @key in snake_case. NULL: not there, or null. */
json_t *envoy_get(const json_t *object, const char *key);
const char *envoy_text(const json_t *object, const char *key); /* NULL: not there, no text, or empty */

/* 0 or -EINVAL: it is there, and is no such value; *ret is @def then as well. */
int envoy_number(const json_t *object, const char *key, uint32_t def, uint32_t *ret);
int envoy_real(const json_t *object, const char *key, double def, double *ret);
int envoy_bool(const json_t *object, const char *key, bool def, bool *ret);
int envoy_ms(const json_t *object, const char *key, uint32_t def, uint32_t *ret); /* "1.5s"; rounded up */
/* @words by number, NULL terminated; those without a word are "". */
int envoy_enum(const json_t *object, const char *key, const char *const *words, unsigned *ret);

/* Does "@type" say that @object is a @message ("Cluster")? Without one it is taken for what is expected. */
bool envoy_is_a(const json_t *object, const char *message);

/* JSON or YAML (a YAML file of one document; no tags) as a value. NULL, with a clause in @why. */
json_t *envoy_parse(const char *text, size_t len, char *why, size_t why_len);
/* Could @text be the first half of a file, and pass for a whole one? */
bool envoy_may_be_half(const char *text, size_t len);

#endif

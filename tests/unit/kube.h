/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Objects of Kubernetes from text, for tests. Single quotes stand for double ones. */
#ifndef UNIT_KUBE_H
#define UNIT_KUBE_H

#include <stdio.h>
#include <string.h>

#include "registry/kube_map.h"
#include "unit.h"

static char kube_said[4096]; /* oddities, one a line */

static void kube_on_odd(void *ctx, const char *text)
{
	size_t len = strlen(kube_said);

	snprintf(kube_said + len, sizeof(kube_said) - len, "%s\n", text);
}

static const struct kube_odd kube_odd = { kube_on_odd, NULL };

static inline json_t *kube_json(const char *text)
{
	char copy[16384];
	json_error_t error;
	json_t *o;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	o = json_loads(copy, JSON_DECODE_ANY, &error);
	ck_assert_msg(o != NULL, "%s: %s", error.text, copy);
	return o;
}

static inline struct kube_service *kube_service_of(const char *text)
{
	struct kube_service *s = NULL;
	json_t *o = kube_json(text);

	ck_assert_int_eq(kube_service_decode(o, &kube_odd, &s), 0);
	json_decref(o);
	return s;
}

static inline struct kube_slice *kube_slice_of(const char *text, const char *node, const char *zone)
{
	const struct kube_place place = { node, zone };
	struct kube_slice *s = NULL;
	json_t *o = kube_json(text);

	ck_assert_int_eq(kube_slice_decode(o, &place, &kube_odd, &s), 0);
	json_decref(o);
	return s;
}

#endif

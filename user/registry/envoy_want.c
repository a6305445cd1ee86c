/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "registry/envoy.h"

int envoy_want_start(struct envoy *e, struct envoy_want *w, const char *key, const char *path)
{
	w->key = key;
	return path ? envoy_file_add(e, w, path) : envoy_names_add(e, w);
}

void envoy_want_stop(struct envoy *e, struct envoy_want *w)
{
	if (w->file)
		envoy_file_remove(e, w);
	if (w->name)
		envoy_names_remove(e, w);
}

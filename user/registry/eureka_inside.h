/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Between eureka_read.c, eureka_table.c and eureka_vips.c. */
#ifndef REGISTRY_EUREKA_INSIDE_H
#define REGISTRY_EUREKA_INSIDE_H

#include "registry/eureka_table.h"

void eureka_instance_done(struct eureka_instance *i);
/* At the end of @t, which is not sorted; takes its contents. 0 or -ENOMEM. */
int eureka_table_append(struct eureka_table *t, struct eureka_instance *i);
/* Applies @changes in their order and leaves them empty; without @t's own what they put is all there is. 0; -ENOMEM:
 * @t is as it was. */
int eureka_table_apply(struct eureka_table *t, struct eureka_table *changes);

/* Of instance @at; list: "a,b". 0 or -ENOMEM. */
int eureka_vips_add(struct eureka_vips *v, const char *list, size_t at);
void eureka_vips_sort(struct eureka_vips *v);
/* The first with @name, and how many there are. */
size_t eureka_vips_find(const struct eureka_vips *v, const char *name, size_t *ret_nr);
void eureka_vips_done(struct eureka_vips *v);

#endif

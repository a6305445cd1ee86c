/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Between eureka_read.c and eureka_table.c. */
#ifndef REGISTRY_EUREKA_INSIDE_H
#define REGISTRY_EUREKA_INSIDE_H

#include "registry/eureka_table.h"

void eureka_instance_done(struct eureka_instance *i);
int eureka_table_put(struct eureka_table *t, struct eureka_instance *i); /* takes its contents; 0 or -ENOMEM */
void eureka_table_drop(struct eureka_table *t, const struct eureka_instance *i);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What services are called in the DNS, and addresses for those that have none. Inside config/ only. */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "config/yaml.h"

#define ADDRESSES_MAX 8

int settings_read_names(struct reader *rd, void *into);	    /* @into: struct config */
int settings_read_addresses(struct reader *rd, void *into); /* likewise */
int service_read_port(struct reader *rd, void *into);	    /* a key of a service */

void dump_names(const struct config *c, FILE *out);

#endif

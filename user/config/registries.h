/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* `registries:`, `discover:` and `register:`. Inside config/ only. */
#ifndef CONFIG_REGISTRIES_H
#define CONFIG_REGISTRIES_H

#include "config/registry_keys.h"
#include "config/services.h"

int settings_read_registries(struct reader *rd, void *into); /* @into is the config */
int settings_read_register(struct reader *rd, void *into);   /* likewise */

int service_read_discover(struct reader *rd, void *into); /* @into is the services_reading */
int service_read_combine(struct reader *rd, void *into);

/* Where options stand, for messages. */
struct options_place {
	const char *file;
	unsigned line;
	const char *key; /* "registries[0]" */
};

/* Holds what was written against the keys of @type in place @use. @own: keys besides, NULL terminated. */
int options_check(const struct options *o, enum option_use use, const struct registry_type *type,
		  const char *const *own, const struct options_place *at, struct config_error *ret_error);

/* Holds registries and announcements against the keys of their types. */
int config_finish_registries(const struct config *c, struct config_error *ret_error);

/* The type of registry @name, NULL: there is none. */
const char *config_registry_type(const struct config *c, const char *name);

/* health_check.c: one that is not a service's. */
int health_check_read(struct reader *rd, struct health_check *c);

#endif

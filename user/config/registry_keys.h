/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which keys each kind of registry knows, in `registries:`, in `discover:` and in `register:`. Inside config/ only. */
#ifndef CONFIG_REGISTRY_KEYS_H
#define CONFIG_REGISTRY_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind { OPTION_TEXT, OPTION_LIST, OPTION_NUMBER, OPTION_DURATION, OPTION_BOOL, OPTION_PATH, OPTION_CHOICE };

enum option_use { USE_REGISTRY, USE_SOURCE, USE_REGISTER, USE_MAX };

struct option_key {
	const char *key;
	enum option_kind kind;
	bool required;
	uint32_t min, max;	    /* of a number; of a duration, in ms (0 as min allows "off") */
	const char *const *choices; /* NULL terminated */
};

struct registry_type {
	const char *type;
	const struct option_key *keys[USE_MAX]; /* each ends with a key NULL; NULL: not possible here */
};

/* NULL: there is none. */
const struct registry_type *registry_type(const char *type);
extern const struct registry_type registry_types[]; /* ends with a type NULL */
/* Keys that all types have in that place. */
extern const struct option_key *const common_keys[USE_MAX];

#endif

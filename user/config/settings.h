/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The keys of weft.yaml that are not services, as tables that reading, the dump and tests share. Inside config/ only.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config/yaml.h"

/* Keys under "limits". Columns: key, field of struct config_limits, default, least, most. */
#define CONFIG_LIMITS(X)                                                                                               \
	X("services", services, WEFT_DEF_SERVICES, 2, 1048576)                                                         \
	X("frontends", frontends, WEFT_DEF_FRONTENDS, 2, 4194304)                                                      \
	X("specs", specs, WEFT_DEF_SPECS, 4, 2097152)                                                                  \
	X("endpoints", backends, WEFT_DEF_BACKENDS, 2, 4194304)                                                        \
	X("slots", slots, WEFT_DEF_SLOTS, 1024, 268435456)                                                             \
	X("affinity", affinity, WEFT_DEF_AFFINITY, 16, 16777216)                                                       \
	X("edges", edges, WEFT_DEF_EDGES, 16, 16777216)                                                                \
	X("handshakes", handshakes, WEFT_DEF_HANDSHAKES, 16, 16777216)                                                 \
	X("nat", nat, WEFT_DEF_NAT, 16, 16777216)

#define CONFIG_SOURCES_MAX 256
#define CONFIG_LINKS_MAX   256 /* patterns of one list */
#define CONFIG_LINK_LEN	   64  /* bytes of a pattern; a name has 15 at most */
#define CONFIG_ZONE_MAX	   63

int settings_read_zone(struct reader *rd, void *into);	     /* @into: struct config */
int settings_read_interfaces(struct reader *rd, void *into); /* likewise */

/* Sets what was not written. 0 or -ENOMEM. */
int config_set_defaults(struct config *c);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Between callers.c and callers_pods.c. */
#ifndef TELEMETRY_CALLERS_INSIDE_H
#define TELEMETRY_CALLERS_INSIDE_H

#include <stddef.h>

#include "telemetry/callers.h"

struct caller {
	uint64_t id;
	char *path;
	size_t same; /* the first one of this name: all cgroups of a pod are one caller */
};

struct callers {
	struct caller *caller; /* by id */
	size_t nr, capacity;
	uint64_t *noted; /* sorted by callers_sort() */
	size_t nr_noted, noted_capacity;
};

#endif

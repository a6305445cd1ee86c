/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Waits until no program is running any more that was running when it was called. */
#ifndef PLANE_GRACE_H
#define PLANE_GRACE_H

#include <stdbool.h>

struct grace {
	int outer, inner; /* descriptors of the fallback; -1: membarrier() does it */
};

int grace_init(struct grace *g); /* 0; negative errno: this kernel offers neither way */
void grace_done(struct grace *g);
int grace_pass(struct grace *g);
bool grace_has_membarrier(void);

#endif

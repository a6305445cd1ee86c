/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Discovery in the agent: what the files want is asked of registries, and what those say is published. */
#ifndef AGENT_FOUND_H
#define AGENT_FOUND_H

#include "agent/state.h"

/* Opens what @c names, for the services of @written, which is taken over; *ret_model: with what is known by now. 0 or
 * negative errno. */
int found_apply(struct agent *a, const struct config *c, struct model **written, struct model **ret_model);
void found_close(struct agent *a); /* ends with the loop */

#endif

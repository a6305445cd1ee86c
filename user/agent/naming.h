/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The responder for names of services (`names:`), as the files want it at the moment. */
#ifndef AGENT_NAMING_H
#define AGENT_NAMING_H

#include <uv.h>

#include "config/config.h"
#include "dns/responder.h"

struct naming;

int naming_new(uv_loop_t *loop, struct naming **ret); /* 0 or -ENOMEM */
/* Opens, closes or moves it as @c says, and answers for the services of @m from now on (NULL: for those it had). A
 * listener that cannot be had is said once and tried again. */
void naming_apply(struct naming *n, const struct config *c, const struct model *m);
void naming_free(struct naming *n); /* NULL is fine; the loop must run once more */

/* NULL: it is off. Borrowed until the loop runs. */
const struct responder_seen *naming_seen(const struct naming *n);

#endif

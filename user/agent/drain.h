/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ends the connections of endpoints that drain, when their time is over. Inside agent/ only. */
#ifndef AGENT_DRAIN_H
#define AGENT_DRAIN_H

struct agent;

/* Looks at once, and from then on whenever a deadline comes; to be called after each publish. */
void drain_look(struct agent *a);
void drain_done(struct agent *a);
void drain_free(struct agent *a); /* when its loop is closed */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the agent adds to the ejection that the kernel does: returns in time though no connect comes, and the success
 * rate. */
#ifndef AGENT_OUTLIER_H
#define AGENT_OUTLIER_H

struct agent;

/* After events_start(). Also ends ejections whose time passed while no agent ran. */
void outlier_start(struct agent *a);
/* After a->model was published: which services want ejection by success rate. */
void outlier_apply(struct agent *a);
/* Something was ejected: look every second until nothing is. */
void outlier_expect_return(struct agent *a);
void outlier_done(struct agent *a);

#endif

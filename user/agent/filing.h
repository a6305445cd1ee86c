/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* `file-output`: the services that are in force, as files for other programs. Inside agent/ only. */
#ifndef AGENT_FILING_H
#define AGENT_FILING_H

struct agent;

/* To be called whenever the settings, the model or what was found may be another: what differs is written soon, some at
 * a time. */
void filing_look(struct agent *a);
void filing_done(struct agent *a); /* ends with the loop; the files stay */

#endif

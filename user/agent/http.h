/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Questions to the agent: HTTP on the metrics address and on the Unix socket, in the agent's own loop. */
#ifndef AGENT_HTTP_H
#define AGENT_HTTP_H

struct agent;
struct http;

/*
 * Listens as the settings say. An address that cannot be had is no reason not to balance: it is said, and tried again
 * every few seconds. 0 or -ENOMEM.
 */
int http_new(struct agent *a, struct http **ret);
/* Not while agent.jobs > 0. Freed in the loop's next turn. NULL is fine. */
void http_free(struct http *h);

#endif

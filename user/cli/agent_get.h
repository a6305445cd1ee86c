/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A question to the agent, HTTP on its Unix socket. */
#ifndef CLI_AGENT_GET_H
#define CLI_AGENT_GET_H

#include <stddef.h>

/*
 * GET @path at @socket. 0 and the body in *ret, to be freed; -ECONNREFUSED: nobody answers; other negative errno:
 * somebody does, but not as an agent would.
 */
int agent_get(const char *socket, const char *path, char **ret, size_t *ret_len);

#endif

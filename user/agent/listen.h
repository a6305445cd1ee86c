/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Listening sockets, non-blocking. Inside agent/ only. */
#ifndef AGENT_LISTEN_H
#define AGENT_LISTEN_H

/* On "ADDRESS:PORT". The descriptor or negative errno. */
int listen_tcp(const char *address);
/* On a socket file of mode 0600; a stale one is replaced, its folder made. The descriptor; -EADDRINUSE: somebody
 * answers there. */
int listen_unix(const char *path);

#endif

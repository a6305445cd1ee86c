/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Other hosts and pods: network namespaces with servers in them, and the links between them and the test's own. */
#ifndef TESTS_LINK_NET_H
#define TESTS_LINK_NET_H

#include "nic.h"

/* A namespace that somebody lives in, until the test ends. */
struct place {
	pid_t pid;
	int ns;
};

/* A command line of the shell, which must succeed. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool shell_has(const char *command);

/* With lo up, and addresses of IPv6 usable at once. */
struct place given_place(void);
/* The calling thread goes there; its sockets stay where they were made. */
void enter(int ns);
void shell_in(const struct place *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void given_servers_in(const struct place *p, const struct listener *l, size_t n);

/*
 * A veth from here (@near, with addresses 10.@net.0.1/24 and fd70:@net::1/64) to @p (@far, with .2 to .9, ::2 to ::9
 * and a default route back). Returns the near end.
 */
int given_street(const struct place *p, unsigned net, const char *near, const char *far);

/* Somebody who listens in the calling thread's namespace and answers no SYN: the queue is full, as of a server that
 * hangs. */
int given_deaf(const char *ip, uint16_t port);
/* It wakes up, and answers from now on: takes what waits. */
void deaf_wakes(int listener);

/* ethtool -K LINK tx VALUE rx VALUE */
void link_checksums(const char *name, bool offload);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ending the connections of endpoints that drain. Works on the pinned maps alone: for the agent, and without one. */
#ifndef PLANE_DRAIN_H
#define PLANE_DRAIN_H

#include "plane/maps.h"

/* Pins in the folder of the instance. */
#define DRAIN_ITER_TCP "iter_drain_tcp"
#define DRAIN_ITER_UDP "iter_drain_udp"

struct drain_result {
	unsigned closed;    /* TCP connections past their deadline */
	unsigned released;  /* connected UDP sockets whose endpoint is gone */
	unsigned armed;	    /* TCP connections that will notice their deadline even when nobody calls this again */
	unsigned left;	    /* due, and still there: a handshake under way, or a namespace that could not be entered */
	unsigned endpoints; /* with a deadline and connections */
	uint64_t next_ns;   /* CLOCK_MONOTONIC: the next deadline; 0: none */
	int error;	    /* why some are left: negative errno of the first that went wrong, or 0 */
};

/*
 * One look at all sockets in all network namespaces. Closes TCP that is past the deadline of its endpoint, releases
 * connected UDP whose endpoint left its service or is drained, and prepares the others for their deadline. Never
 * touches unconnected UDP. It moves the calling thread from one network namespace to another and back: not for a thread
 * that others' sockets are made in. 0, or negative errno: nothing could be done. Needs CAP_SYS_ADMIN, CAP_BPF,
 * CAP_NET_ADMIN, and writable maps.
 */
int maps_drain(const struct maps *m, struct drain_result *ret);

/* How many endpoints have a deadline and connections, and the next deadline after @now_ns (0: none). No system call. */
unsigned maps_drain_next(const struct maps *m, uint64_t now_ns, uint64_t *ret_next_ns);

/*
 * The operator's drain: no new connections from now on, and those that are left are closed at @until_ns
 * (CLOCK_MONOTONIC; 0: never). 0; -ENOENT: {backend, gen} is no endpoint any more; -EPERM: the maps are read-only.
 * maps_drain() after it does the rest.
 */
int maps_drain_begin(const struct maps *m, uint32_t backend, uint32_t gen, uint64_t until_ns);
/* Takes it back. 1: done; 0: it was not drained by the operator; -ENOENT, -EPERM. */
int maps_drain_end(const struct maps *m, uint32_t backend, uint32_t gen, uint64_t now_ns);

/* Inside plane/: the program that stops packets of connections that are past their deadline. */
int drain_fence_up(const struct maps *m);
void drain_fence_down(const struct maps *m);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Why a program ended as it did. One list makes the enum, the index into weft_counts, the sentence that an operator
 * reads and the row in docs/MAPS.md. Append only: the numbers are in pinned maps. Columns: id, name in metrics,
 * sentence.
 */
#ifndef WEFT_REASON_H
#define WEFT_REASON_H

#define WEFT_REASONS(X)                                                                                                \
	X(FORWARDED, "forwarded", "a connect or a first datagram was sent to an endpoint")                             \
	X(NO_SERVICE, "no_service", "the address is no service; passed untouched")                                     \
	X(NO_BACKEND, "no_backend",                                                                                    \
	  "the service has no endpoint that takes new connections; refused with ECONNREFUSED")                         \
	X(NO_STORAGE, "no_storage", "no memory for the socket's record; refused with ECONNREFUSED")                    \
	X(REFUSED, "refused", "the endpoint refused the connection")                                                   \
	X(TIMED_OUT, "timed_out", "the endpoint did not answer the handshake")                                         \
	X(UNREACHABLE, "unreachable", "the network said that the endpoint cannot be reached")                          \
	X(ABORTED, "aborted", "the application gave up before the handshake was done")                                 \
	X(NOT_SENT, "not_sent",                                                                                        \
	  "connect() failed on this node before a packet left, for want of a route or of a port")                      \
	X(RESET, "reset", "an established connection was reset")                                                       \
	X(CLOSED, "closed", "an established connection ended in order")                                                \
	X(STICKY, "sticky", "a datagram followed the endpoint that its socket already talks to")                       \
	X(AFFINITY, "affinity", "session affinity chose the endpoint")                                                 \
	X(RECONNECTED, "reconnected", "a socket was connected again and its former endpoint let go")                   \
	X(PEERS_REPLACED, "peers_replaced",                                                                            \
	  "an unconnected socket talks to more services at once than are remembered")                                  \
	X(EDGES_FULL, "edges_full", "the table of callers and endpoints is full; traffic flows, its metrics are lost") \
	X(STALE, "stale", "the endpoint of a socket is gone; the next one was chosen")

enum weft_reason {
#define X(id, name, text) WEFT_R_##id,
	WEFT_REASONS(X)
#undef X
		WEFT_R_MAX
};

#endif

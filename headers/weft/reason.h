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
	X(STALE, "stale", "the endpoint of a socket is gone; the next one was chosen")                                 \
	X(BREAKER_OPEN, "breaker_open", "the breaker of the service is open; refused with ECONNREFUSED")               \
	X(MAX_CONNECTIONS, "max_connections",                                                                          \
	  "the service has as many connections as it may have; refused with ECONNREFUSED")                             \
	X(MAX_PENDING, "max_pending",                                                                                  \
	  "the service has as many unfinished handshakes as it may have; refused with ECONNREFUSED")                   \
	X(ENDPOINTS_FULL, "endpoints_full",                                                                            \
	  "every endpoint that takes connections is at its own limit; refused with ECONNREFUSED")                      \
	X(RATE_LIMITED, "rate_limited",                                                                                \
	  "the service gets as many connects per second as it may get; refused with ECONNREFUSED")                     \
	X(PANIC, "panic", "no healthy endpoint was left; one that is ejected or unhealthy was tried")                  \
	X(EJECTED, "ejected", "an endpoint failed too often and was ejected")                                          \
	X(RETURNED, "returned", "an ejected endpoint takes connections again")                                         \
	X(EJECT_OVERFLOW, "eject_overflow",                                                                            \
	  "an endpoint failed too often, but so many are ejected already that it stays")                               \
	X(RESET_EARLY, "reset_early", "an established connection was reset before its first byte")                     \
	X(EVENTS_LOST, "events_lost", "nobody reads the ring buffer of events; one was lost")                          \
	X(MOVED_REFUSED, "moved_refused", "the endpoint refused; the connect went on to another one")                  \
	X(MOVED_SILENT, "moved_silent", "the endpoint did not answer in time; the connect went on to another one")     \
	X(MOVED_UNREACHABLE, "moved_unreachable",                                                                      \
	  "the network could not reach the endpoint; the connect went on to another one")                              \
	X(MOVE_EXHAUSTED, "move_exhausted", "the connect failed, and there was no other endpoint to try")              \
	X(MOVE_NO_PATH, "move_no_path",                                                                                \
	  "the next endpoint cannot be reached from where this connect began; it stays with its first one")            \
	X(MOVE_FAILED, "move_failed", "a packet could not be rewritten; TCP retransmits")                              \
	X(HANDSHAKES_FULL, "handshakes_full", "the table of connects under way is full; this one cannot fail over")    \
	X(NAT_FULL, "nat_full", "the table of connections that failed over is full; this one cannot")                  \
	X(LATE_ANSWER, "late_answer", "an endpoint answered after the connect had gone on; its answer was dropped")    \
	X(ICMP_TRANSLATED, "icmp_translated", "an ICMP error about a connection that failed over was translated")      \
	X(DRAIN_CLOSED, "drain_closed", "a connection outlived the drain timeout of its endpoint and was closed")      \
	X(VANISHED_CLOSED, "vanished_closed",                                                                          \
	  "a connected UDP socket whose endpoint is gone was released, so that it chooses anew")

enum weft_reason {
#define X(id, name, text) WEFT_R_##id,
	WEFT_REASONS(X)
#undef X
		WEFT_R_MAX
};

#endif

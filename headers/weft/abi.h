/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The layout of every map, for both compilers. A pinned map outlives the binary that made it: change nothing here
 * without a new WEFT_ABI. Sizes and offsets are asserted; padding has a name and is zero; 64-bit fields lie on 8 bytes.
 * Times are CLOCK_MONOTONIC. "_be" is network byte order, everything else the host's.
 */
#ifndef WEFT_ABI_H
#define WEFT_ABI_H

#include <linux/types.h>

#include "weft/addr.h"
#include "weft/limits.h"
#include "weft/reason.h"

#define WEFT_ABI 1

#define ABI_SIZE(t, n)	_Static_assert(sizeof(t) == (n), #t " must be " #n " bytes")
#define ABI_AT(t, f, n) _Static_assert(__builtin_offsetof(t, f) == (n), #t "." #f " must be at " #n)

/* How an endpoint is chosen. Columns: id, word in weft.yaml, sentence for help and docs. */
#define WEFT_LBS(X)                                                                                                    \
	X(P2C_EWMA, "p2c-ewma", "two by weight at random, the one with the lower latency x (connections + 1)")         \
	X(LEAST_REQUEST, "least-request", "two by weight at random, the one with fewer connections for its weight")    \
	X(ROUND_ROBIN, "round-robin", "in turn, in proportion to the weights")                                         \
	X(RANDOM, "random", "at random, in proportion to the weights")                                                 \
	X(MAGLEV, "maglev", "by a consistent hash of the caller; few callers move when endpoints change")              \
	X(SOURCE_HASH, "source-hash", "by a hash of the caller over the endpoints in order")

enum weft_lb {
#define X(id, name, text) WEFT_LB_##id,
	WEFT_LBS(X)
#undef X
		WEFT_LB_MAX
};

/* Who "the caller" is, for hashing and for affinity. */
enum weft_client {
	WEFT_CLIENT_NONE = 0,	  /* affinity off */
	WEFT_CLIENT_ADDRESS = 1,  /* the address the socket is bound to; when it is not bound, its network namespace */
	WEFT_CLIENT_WORKLOAD = 2, /* the cgroup of the calling process */
};

/* Key of weft_frontends: an address that applications connect to. Every byte is compared. */
struct weft_frontend_key {
	struct weft_addr addr;
	__be16 port_be;
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 scope; /* 0; other values are reserved */
};
ABI_SIZE(struct weft_frontend_key, 20);
ABI_AT(struct weft_frontend_key, port_be, 16);

/* Value of weft_frontends. Never rewritten in place: an address changes hands by removal, a grace period, and
 * insertion. */
struct weft_frontend {
	__u32 service; /* index into weft_services, > 0 */
};
ABI_SIZE(struct weft_frontend, 4);

#define WEFT_SERVICE_F_USED 1u

/* Element of weft_services. Index 0 is never used. The store to .spec is what publishes a change. */
struct weft_service {
	char name[WEFT_NAME_LEN]; /* NUL terminated */
	__u32 spec;		  /* index into weft_specs; 0: nothing published, connects are refused */
	__u32 flags;		  /* WEFT_SERVICE_F_* */
	__u32 serial;		  /* + 1 with every publish of this service */
	__u32 pad;
};
ABI_SIZE(struct weft_service, 144);
ABI_AT(struct weft_service, spec, 128);

#define WEFT_SPEC_F_USED 1u

/*
 * Element of weft_specs: one published version of a service. Immutable from the moment a service points to it until a
 * grace period after the last one stopped doing so. Index 0 is never used.
 */
struct weft_spec {
	__u32 service;
	__u8 lb;	 /* enum weft_lb */
	__u8 hash_by;	 /* enum weft_client, for maglev and source-hash; never NONE */
	__u8 affinity;	 /* enum weft_client */
	__u8 flags;	 /* WEFT_SPEC_F_* */
	__u32 slot_base; /* first of .nr_slots entries of weft_slots, each a backend id, as often as its weight asks for
			  */
	__u32 nr_slots;	 /* 0: no endpoint, connects are refused */
	__u32 table_base; /* first entry of the maglev table in weft_slots */
	__u32 table_size; /* 0 but for maglev */
	__u32 affinity_ms;
	__u32 avg_weight; /* of the endpoints with weight > 0, rounded, at least 1 */
	__u32 nr_backends;
	__u32 serial; /* the service's serial when this was published */
	__u32 pad[2];
};
ABI_SIZE(struct weft_spec, 48);
ABI_AT(struct weft_spec, slot_base, 8);

/*
 * Element of weft_slots: slot i of the arena is .id[i % 8] of element i / 8. In memory, and so in the agent's mapping,
 * that is one dense array of backend ids; groups of eight because the kernel rounds every element up to 8 bytes.
 */
#define WEFT_SLOT_GROUP 8
struct weft_slot_group {
	__u32 id[WEFT_SLOT_GROUP];
};
ABI_SIZE(struct weft_slot_group, 32);

#define WEFT_BACKEND_F_USED	1u
#define WEFT_BACKEND_F_READY	2u /* takes new connections */
#define WEFT_BACKEND_F_DRAINING 4u /* taken out of its service; waits for its connections to end */

/* Element of weft_backends: one endpoint of one service. Index 0 is never used. Ids are kept across agent restarts. */
struct weft_backend {
	struct weft_addr addr;
	__be16 port_be;
	__u16 weight;
	__u32 flags; /* WEFT_BACKEND_F_* */
	__u32 service;
	__u32 gen; /* + 1 each time the id is given to another endpoint; {id, gen} never comes back */
};
ABI_SIZE(struct weft_backend, 32);
ABI_AT(struct weft_backend, flags, 20);

/* Smoothed latency and when it was last fed, stored as one 64-bit word so that no reader sees half of it. */
struct weft_ewma {
	__u32 us;    /* 0: never measured */
	__u32 at_ms; /* low 32 bits of the clock in ms */
} __attribute__((aligned(8)));
ABI_SIZE(struct weft_ewma, 8);

/* Element of weft_bstate, same index as weft_backends: what the kernel knows of an endpoint. One cache line. */
struct weft_bstate {
	__u32 active; /* connections now: TCP from connect() to close, connected UDP likewise */
	__u32 failures_in_row;
	struct weft_ewma ewma;
	__u64 opened;	   /* connects sent here */
	__u64 established; /* handshakes done (TCP) */
	__u64 failed;	   /* connects that did not come to stand */
	__u64 last_failure_ns;
	__u32 last_handshake_us;
	__u32 last_rtt_us;
	__u64 pad;
};
ABI_SIZE(struct weft_bstate, 64);
ABI_AT(struct weft_bstate, ewma, 8);

/* Element of weft_sstate, same index as weft_services. One cache line. */
struct weft_sstate {
	__u32 next; /* round-robin position */
	__u32 pad;
	__u64 refused; /* connects refused for want of an endpoint */
	__u64 pad2[6];
};
ABI_SIZE(struct weft_sstate, 64);

/* Where a flow is in its life. */
enum weft_flow_state {
	WEFT_FLOW_NONE = 0,	   /* nothing of ours: never was, or let go */
	WEFT_FLOW_CONNECTING = 1,  /* the hook chose an endpoint; TCP: no handshake yet */
	WEFT_FLOW_SYN_SENT = 2,	   /* TCP sent a SYN */
	WEFT_FLOW_ESTABLISHED = 3, /* TCP: handshake done; UDP: connected */
	WEFT_FLOW_ALIAS = 4,	   /* on an MPTCP socket: names what its first subflow holds; holds nothing itself */
};

/*
 * Value of weft_flows (socket storage): the connection that this socket has to a service. .held is the exactly-once
 * token: whoever exchanges it from 1 to 0 takes the connection off weft_bstate.active.
 */
struct weft_flow {
	struct weft_addr vip; /* what the application asked for */
	__be16 vip_port_be;
	__u8 proto;
	__u8 state; /* enum weft_flow_state */
	__u32 service;
	__u32 backend;
	__u32 gen; /* the backend's, when it was chosen */
	__u32 held;
	__u32 retransmits; /* already added to weft_edges */
	__u64 caller;	   /* cgroup id, 0 when callers are not told apart */
	__u64 start_ns;	   /* when the hook ran */
	__u64 bytes_sent;  /* already added to weft_edges */
	__u64 bytes_received;
	__u32 rtt_samples; /* handed to the EWMA so far; sampling stops after a few */
	__u32 pad;
};
ABI_SIZE(struct weft_flow, 80);
ABI_AT(struct weft_flow, held, 32);
ABI_AT(struct weft_flow, caller, 40);

/* In weft_peer.service: an endpoint that the socket also writes to by its own address; .vip is that address. */
#define WEFT_PEER_DIRECT 0xffffffffu

/* One service that an unconnected UDP socket talks to. */
struct weft_peer {
	struct weft_addr vip;
	struct weft_addr addr; /* the endpoint's, to recognise its answers */
	__be16 vip_port_be;
	__be16 port_be;
	__u32 service; /* 0: free */
	__u32 backend;
	__u32 gen;
	__u64 sent_ns; /* of the last datagram */
};
ABI_SIZE(struct weft_peer, 56);

/* Value of weft_peers (socket storage). */
struct weft_peers {
	__u32 next; /* entry to replace when all are taken */
	__u32 pad;
	struct weft_peer peer[WEFT_PEERS];
};
ABI_SIZE(struct weft_peers, 8 + 56 * WEFT_PEERS);

/* Key and value of weft_affinity. */
struct weft_affinity_key {
	__u64 client[2]; /* what enum weft_client says; address: the 16 bytes, else {cookie or cgroup id, 0} */
	__u32 service;
	__u32 kind; /* 0 namespace, 1 address, 2 workload: keeps the three number spaces apart */
};
ABI_SIZE(struct weft_affinity_key, 24);

struct weft_affinity {
	__u32 backend;
	__u32 gen;
	__u64 used_ns;
};
ABI_SIZE(struct weft_affinity, 16);

/* In weft_edge_key.caller: all callers whose cgroup is no more. */
#define WEFT_CALLER_GONE 0xffffffffffffffffull

/* Key of weft_edges. */
struct weft_edge_key {
	__u64 caller; /* cgroup id; 0: callers are not told apart; WEFT_CALLER_GONE */
	__u32 service;
	__u32 backend; /* 0: all endpoints that the service had and has no more */
	__u32 gen;
	__u32 pad;
};
ABI_SIZE(struct weft_edge_key, 24);

/* Failures of an edge, by reason. Columns: id (also a reason), word in metrics. */
#define WEFT_FAILURES(X)                                                                                               \
	X(REFUSED, "refused")                                                                                          \
	X(TIMED_OUT, "timed_out")                                                                                      \
	X(UNREACHABLE, "unreachable")                                                                                  \
	X(ABORTED, "aborted")                                                                                          \
	X(NOT_SENT, "not_sent")                                                                                        \
	X(RESET, "reset")

enum weft_failure {
#define X(id, name) WEFT_FAIL_##id,
	WEFT_FAILURES(X)
#undef X
		WEFT_FAIL_MAX
};

/* Value of weft_edges: what went from a caller to an endpoint. All counters only grow; written with atomic adds. */
struct weft_edge {
	__u64 opened;		     /* connects and first datagrams */
	__u64 established;	     /* TCP handshakes done, UDP connects */
	__u64 closed;		     /* connections that had been established and ended, in order or by reset */
	__u64 failed[WEFT_FAIL_MAX]; /* RESET: after the handshake, also in .closed; the others: before it */
	__u64 bytes_sent;	     /* TCP payload acknowledged by the endpoint */
	__u64 bytes_received;	     /* TCP payload */
	__u64 retransmits;	     /* TCP segments */
	__u64 handshake_us;	     /* sum over .handshake */
	__u64 rtt_us;		     /* sum over .rtt */
	__u64 handshake[WEFT_HIST];  /* connect() to established */
	__u64 rtt[WEFT_HIST];	     /* smoothed round trip time at the end of each connection */
};
ABI_SIZE(struct weft_edge, (3 + WEFT_FAIL_MAX + 5 + 2 * WEFT_HIST) * 8);

#define WEFT_CONFIG_F_CALLERS 1u /* tell callers apart in weft_edges */

/* The one element of weft_config. */
struct weft_config {
	__u32 abi;	  /* WEFT_ABI of who made the maps */
	__u32 flags;	  /* WEFT_CONFIG_F_* */
	__u64 serial;	  /* + 1 with every change that was applied */
	__u64 applied_ns; /* when the last change was applied; CLOCK_BOOTTIME */
	__u64 pad[5];
};
ABI_SIZE(struct weft_config, 64);

/* What the iterator weft_iter_flow writes for each socket that holds an endpoint, one record after the other. */
struct weft_flow_record {
	struct weft_flow flow;
	struct weft_addr local;
	struct weft_addr remote;
	__be16 local_port_be;
	__be16 remote_port_be;
	__u8 sk_state; /* TCP_* of the kernel; a connected UDP socket is TCP_ESTABLISHED */
	__u8 pad[3];
	__u32 srtt_us;
	__u32 netns;	  /* inode of the network namespace, as in /proc/PID/ns/net */
	__u64 cookie;	  /* socket cookie, 0 when it has none yet */
	__u64 bytes_sent; /* of this connection so far */
	__u64 bytes_received;
};
ABI_SIZE(struct weft_flow_record, 152);

#endif

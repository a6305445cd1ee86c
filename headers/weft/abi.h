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

#define WEFT_ABI 2

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

#define WEFT_SERVICE_F_USED	    1u
#define WEFT_SERVICE_F_FORCE_OPEN   2u /* the operator holds the breaker open: all connects are refused */
#define WEFT_SERVICE_F_FORCE_CLOSED 4u /* the operator holds it closed: the error rate is counted and has no effect */

/* Element of weft_services. Index 0 is never used. The store to .spec is what publishes a change. */
struct weft_service {
	char name[WEFT_NAME_LEN]; /* NUL terminated */
	__u32 spec;		  /* index into weft_specs; 0: nothing published, connects are refused */
	__u32 flags;		  /* WEFT_SERVICE_F_*, changed with atomic or/and: agent and CLI both write */
	__u32 serial;		  /* + 1 with every publish of this service */
	__u32 pad;
};
ABI_SIZE(struct weft_service, 144);
ABI_AT(struct weft_service, spec, 128);

#define WEFT_LEVEL_F_LOCAL 1u /* the endpoints of this node's zone; the rest of that priority is the level after it */

/*
 * Endpoints that are chosen among with the same preference: those of one priority, or of one priority and zone. Levels
 * are sorted by preference; headers/weft/level.h says how load spills from one to the next.
 */
struct weft_level {
	__u32 slot_base; /* first of .nr_slots entries of weft_slots, each a backend id, as often as its weight asks */
	__u32 nr_slots;
	__u32 table_base;  /* first entry of the maglev table in weft_slots */
	__u32 table_size;  /* 0 but for maglev */
	__u32 nr_backends; /* endpoints, also those that take no connections now */
	__u32 avg_weight;  /* of the endpoints with weight > 0, rounded, at least 1 */
	__u16 cap;	   /* most that it may take of the load that reaches it, in 1/10000; 10000: no limit */
	__u8 priority;	   /* as written in the config, to be shown */
	__u8 flags;	   /* WEFT_LEVEL_F_* */
	__u32 pad;
};
ABI_SIZE(struct weft_level, 32);

#define WEFT_SPEC_F_USED     1u
#define WEFT_SPEC_F_FAILOVER 2u /* a connect whose endpoint refuses or is silent goes on to the next one (TCP) */

/*
 * Element of weft_specs: one published version of a service. Immutable from the moment a service points to it until a
 * grace period after the last one stopped doing so. Index 0 is never used. Limits of 0 are no limits.
 */
struct weft_spec {
	__u32 service;
	__u8 lb;		  /* enum weft_lb */
	__u8 hash_by;		  /* enum weft_client, for maglev and source-hash; never NONE */
	__u8 affinity;		  /* enum weft_client */
	__u8 flags;		  /* WEFT_SPEC_F_* */
	__u8 nr_levels;		  /* of .level in use; 0: no endpoint, connects are refused */
	__u8 panic_percent;	  /* see bpf/lib/pick.h; 0: never */
	__u8 eject_percent;	  /* most of the endpoints that may be ejected at once; one always may */
	__u8 breaker_percent;	  /* of connects that failed in the window, from which on the breaker opens; 0: off */
	__u32 affinity_ms;	  /* 16 */
	__u32 nr_backends;	  /* of all levels */
	__u32 serial;		  /* the service's serial when this was published */
	__u32 connect_timeout_ms; /* TCP; 0: the kernel's own */
	__u32 max_connections;	  /* 32: of all callers on this node */
	__u32 max_pending;	  /* handshakes */
	__u32 max_endpoint_connections;
	__u32 max_endpoint_pending;
	__u32 pad;
	__u64 rate_interval_ns; /* 48: one connect per this time; 0: no limit */
	__u64 rate_burst_ns;	/* how far ahead of that connects may run: (burst - 1) * interval */
	__u32 breaker_volume;	/* 64: connects in the window before the breaker may open */
	__u32 breaker_sleep_ms;
	__u32 eject_failures; /* consecutive; 0: no ejection in the kernel */
	__u32 eject_base_ms;  /* x number of ejections */
	__u32 eject_max_ms;
	__u32 eject_interval_ms;  /* healthy for so long, the number of ejections goes down by one */
	__u32 slow_start_ms;	  /* 0: off */
	__u32 slow_start_percent; /* of its share, what a new endpoint starts with */
	__u32 drain_ms;		  /* 96: after this what is left on a leaving endpoint is closed; 0: never */
	__u32 pad2[7];
	struct weft_level level[WEFT_LEVELS]; /* 128 */
};
ABI_SIZE(struct weft_spec, 128 + 32 * WEFT_LEVELS);
ABI_AT(struct weft_spec, affinity_ms, 12);
ABI_AT(struct weft_spec, rate_interval_ns, 48);
ABI_AT(struct weft_spec, level, 128);

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
#define WEFT_BACKEND_F_READY	2u /* in the published set of its service, weight > 0 */
#define WEFT_BACKEND_F_DRAINING 4u /* taken out of its service; waits for its connections to end */

/* Element of weft_backends: one endpoint of one service. Index 0 is never used. Ids are kept across agent restarts. */
struct weft_backend {
	struct weft_addr addr;
	__be16 port_be;
	__u16 weight;
	__u16 flags; /* WEFT_BACKEND_F_* */
	__u8 level;  /* index into weft_spec.level */
	__u8 zone;   /* 1: that of this node; 0: another, or none */
	__u32 service;
	__u32 gen; /* + 1 each time the id is given to another endpoint; {id, gen} never comes back */
};
ABI_SIZE(struct weft_backend, 32);
ABI_AT(struct weft_backend, flags, 20);
ABI_AT(struct weft_backend, service, 24);

/* Smoothed latency and when it was last fed, stored as one 64-bit word so that no reader sees half of it. */
struct weft_ewma {
	__u32 us;    /* 0: never measured */
	__u32 at_ms; /* low 32 bits of the clock in ms */
} __attribute__((aligned(8)));
ABI_SIZE(struct weft_ewma, 8);

/*
 * Why a READY endpoint takes no new connections, as bits of weft_bstate.out. Columns: id, bit, word, sentence.
 * In panic (bpf/lib/pick.h) EJECTED and UNHEALTHY are overlooked, the others never.
 */
#define WEFT_OUTS(X)                                                                                                   \
	X(EJECTED, 1u, "ejected", "it failed too often; it comes back by itself")                                      \
	X(UNHEALTHY, 2u, "unhealthy", "its health check fails, or has not succeeded yet")                              \
	X(DRAINED, 4u, "drained", "the operator drains it")                                                            \
	X(UNREADY, 8u, "not-ready", "its source says that it is not ready")

enum weft_out {
#define X(id, bit, name, text) WEFT_OUT_##id = bit,
	WEFT_OUTS(X)
#undef X
};
#define WEFT_OUT_PANIC (1u | 2u) /* what panic overlooks */

/*
 * Element of weft_bstate, same index as weft_backends: what the kernel knows of an endpoint. Two cache lines; choosing
 * reads the first. Writers: programs, agent and CLI, all with atomic operations on single words.
 */
struct weft_bstate {
	__u32 active;  /* connections now: TCP from connect() to close, connected UDP likewise */
	__u32 pending; /* of them, TCP whose handshake is not done */
	struct weft_ewma ewma;
	__u32 out; /* WEFT_OUT_*; whoever makes it 0 or not 0 tells weft_sstate.unavailable */
	__u32 failures_in_row;
	__u64 ejected_until_ns; /* 24; 0: not ejected. Changed by compare-and-exchange only: see weft/outlier.h */
	__u64 since_ns;		/* when it began to take connections; slow start counts from here. 0: long ago */
	__u32 ejections;	/* in a row, as the multiplier of the base time */
	__u32 eject_cause;	/* enum weft_cause of the last one */
	__u64 returned_ns;	/* from the last ejection */
	__u64 drain_ns;		/* when what is left is closed; 0: no deadline */
	__u64 opened;		/* 64: connects sent here */
	__u64 established;	/* handshakes done (TCP) */
	__u64 failed;		/* connects that did not come to stand */
	__u64 last_failure_ns;
	__u32 last_handshake_us;
	__u32 last_rtt_us;
	__u32 ejected;	     /* how often */
	__u32 resets_in_row; /* early resets, until a connection carries bytes */
	__u64 moved;	     /* connects that went on to another endpoint inside connect() */
	__u64 reset_early;   /* connections reset before their first byte */
};
ABI_SIZE(struct weft_bstate, 128);
ABI_AT(struct weft_bstate, ewma, 8);
ABI_AT(struct weft_bstate, ejected_until_ns, 24);
ABI_AT(struct weft_bstate, opened, 64);

/* Who or what ejected. Columns: id, word, sentence. */
#define WEFT_CAUSES(X)                                                                                                 \
	X(NONE, "none", "never")                                                                                       \
	X(REFUSED, "refused", "it refused connections")                                                                \
	X(TIMED_OUT, "timed-out", "it did not answer handshakes")                                                      \
	X(UNREACHABLE, "unreachable", "the network said that it cannot be reached")                                    \
	X(RESET_EARLY, "reset-early", "it reset connections before their first byte")                                  \
	X(SUCCESS_RATE, "success-rate", "its success rate was far below that of its service")

enum weft_cause {
#define X(id, name, text) WEFT_CAUSE_##id,
	WEFT_CAUSES(X)
#undef X
		WEFT_CAUSE_MAX
};

/* The error-rate breaker of a service: see weft/breaker.h. Both words change by compare-and-exchange only. */
struct weft_breaker {
	__u64 word;			    /* state and since when */
	__u64 bucket[WEFT_BREAKER_BUCKETS]; /* second, successes and failures of each */
	__u64 opened;			    /* how often */
};
ABI_SIZE(struct weft_breaker, 8 * (2 + WEFT_BREAKER_BUCKETS));

/* Element of weft_sstate, same index as weft_services. Four cache lines. */
struct weft_sstate {
	__u32 next; /* round-robin position */
	__u32 pad;
	__u64 refused; /* connects refused, for whatever reason */
	__u32 active;  /* connections now, when the service has a limit on them; see weft/limit.h */
	__u32 pending;
	__u64 rate_at_ns;	    /* 24: token bucket, see weft/limit.h */
	struct weft_ewma handshake; /* 32: of all its endpoints; what an endpoint without samples is thought to take */
	__u32 ejected;		    /* endpoints now */
	__u32 pad2;
	__u32 unavailable[WEFT_LEVELS]; /* 48: endpoints whose .out is not 0, by level */
	struct weft_breaker breaker;	/* 80 */
	__u64 pad3[10];
};
ABI_SIZE(struct weft_sstate, 256);
ABI_AT(struct weft_sstate, rate_at_ns, 24);
ABI_AT(struct weft_sstate, unavailable, 48);
ABI_AT(struct weft_sstate, breaker, 80);

/* Where a flow is in its life. */
enum weft_flow_state {
	WEFT_FLOW_NONE = 0,	   /* nothing of ours: never was, or let go */
	WEFT_FLOW_CONNECTING = 1,  /* the hook chose an endpoint; TCP: no handshake yet */
	WEFT_FLOW_SYN_SENT = 2,	   /* TCP sent a SYN */
	WEFT_FLOW_ESTABLISHED = 3, /* TCP: handshake done; UDP: connected */
	WEFT_FLOW_ALIAS = 4,	   /* on an MPTCP socket: names what its first subflow holds; holds nothing itself */
	WEFT_FLOW_PASS = 5, /* set by the agent on sockets of its own: connect to the very address, count nothing */
};

#define WEFT_FLOW_F_WAITING 1u /* holds a place in .pending of service and endpoint */
#define WEFT_FLOW_F_TRIAL   2u /* its outcome decides a half-open breaker */
#define WEFT_FLOW_F_LIMITED                                                                                            \
	4u /* holds a place in weft_sstate.active; kept until TCP is done, not only until close()                      \
	    */
#define WEFT_FLOW_F_HANDSHAKE 8u   /* an entry of weft_handshakes belongs to it */
#define WEFT_FLOW_F_SILENT    32u  /* its first SYN got no answer in time, and that was counted */
#define WEFT_FLOW_F_ARMED     64u  /* its keepalive was set for draining: see weft/drain.h */
#define WEFT_FLOW_F_KEPT      128u /* and it had one of its own before */
#define WEFT_FLOW_F_MOVED     16u  /* it failed over: its packets are translated, see weft/handshake.h */

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
	__u32 backend; /* that carries it; after a failover another one than the socket was connected to */
	__u32 gen;     /* the backend's, when it was chosen */
	__u32 held;
	__u32 retransmits; /* already added to weft_edges */
	__u64 caller;	   /* cgroup id, 0 when callers are not told apart */
	__u64 start_ns;	   /* when the hook ran */
	__u64 bytes_sent;  /* already added to weft_edges */
	__u64 bytes_received;
	__u32 rtt_samples;     /* handed to the EWMA so far; sampling stops after a few */
	__u32 flags;	       /* 76: WEFT_FLOW_F_*, changed with atomic or/and */
	struct weft_addr dest; /* where the kernel thinks that the socket is connected to */
	__be16 dest_port_be;
	__u8 syn_count; /* TCP_SYNCNT as it was */
	__u8 pad;
	__u32 deadline_ms; /* of connect(), when weft set one: TCP_SYNCNT and TCP_USER_TIMEOUT are put back afterwards
			    */
};
ABI_SIZE(struct weft_flow, 104);
ABI_AT(struct weft_flow, held, 32);
ABI_AT(struct weft_flow, caller, 40);
ABI_AT(struct weft_flow, dest, 80);

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
	__u64 netns;  /* cookie of the network namespace whose links the failover programs are attached to; 0: none */
	__u32 moved;  /* entries of weft_nat; while 0, failover looks no packet up but SYN, RST and ICMP errors */
	__u32 drains; /* + 1 when the operator drained an endpoint or took that back: the agent looks at it */
	__u64 pad[3];
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
ABI_SIZE(struct weft_flow_record, 176);

/* What happened, for the operator's log. Columns: id, word, sentence. Append only. */
#define WEFT_EVENTS(X)                                                                                                 \
	X(EJECTED, "ejected", "an endpoint was ejected")                                                               \
	X(RETURNED, "returned", "an ejected endpoint takes connections again")                                         \
	X(EJECT_OVERFLOW, "eject-overflow", "an endpoint was due for ejection, but too many are ejected already")      \
	X(BREAKER_OPEN, "breaker-open", "the error rate of a service opened its breaker")                              \
	X(BREAKER_HALF_OPEN, "breaker-half-open", "a single connect tries whether the service works again")            \
	X(BREAKER_CLOSED, "breaker-closed", "the trial succeeded; the breaker is closed")

enum weft_event_type {
#define X(id, name, text) WEFT_EVENT_##id,
	WEFT_EVENTS(X)
#undef X
		WEFT_EVENT_MAX
};

/* Record of the ring buffer weft_events. */
struct weft_event {
	__u64 ns;
	__u32 type;  /* enum weft_event_type */
	__u32 cause; /* enum weft_cause, of ejections */
	__u32 service;
	__u32 backend; /* 0: of the service as a whole */
	__u32 gen;
	__u32 number;	/* ejections in a row; breaker: percent of errors */
	__u64 until_ns; /* of an ejection */
};
ABI_SIZE(struct weft_event, 40);

#endif

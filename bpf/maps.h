/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map. Weak, so that each .bpf.c may include this and the linker makes one of each. docs/MAPS.md has a row for
 * each; sizes here are placeholders that the loader replaces.
 */
#ifndef WEFT_BPF_MAPS_H
#define WEFT_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weft/abi.h"

#define SLOT_GROUPS (WEFT_DEF_SLOTS / WEFT_SLOT_GROUP)

/* Node-wide switches. Writer: agent. Readers: all. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weft_config);
} weft_config __weak SEC(".maps");

/*
 * Service addresses. Writer: agent. Readers: connect, datagram. Preallocated: an element that was removed is used again
 * at once, so the agent inserts nothing between a removal and the end of a grace period. Full: the agent refuses the
 * change; nothing is half there.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEFT_DEF_FRONTENDS);
	__type(key, struct weft_frontend_key);
	__type(value, struct weft_frontend);
} weft_frontends __weak SEC(".maps");

/* Services by id. Writer: agent; the store to .spec publishes. Readers: connect, datagram, CLI. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEFT_DEF_SERVICES);
	__type(key, __u32);
	__type(value, struct weft_service);
} weft_services __weak SEC(".maps");

/* Published versions. Writer: agent, never in place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEFT_DEF_SPECS);
	__type(key, __u32);
	__type(value, struct weft_spec);
} weft_specs __weak SEC(".maps");

/* The arena of slots and maglev tables. Writer: agent, never in place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOT_GROUPS);
	__type(key, __u32);
	__type(value, struct weft_slot_group);
} weft_slots __weak SEC(".maps");

/* Endpoints by id. Writer: agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEFT_DEF_BACKENDS);
	__type(key, __u32);
	__type(value, struct weft_backend);
} weft_backends __weak SEC(".maps");

/* What the kernel knows of each endpoint. Writers: connect, sockops, release; the agent zeroes it when an id changes
 * hands. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEFT_DEF_BACKENDS);
	__type(key, __u32);
	__type(value, struct weft_bstate);
} weft_bstate __weak SEC(".maps");

/* What the kernel knows of each service. Writers: connect, datagram, sockops, release, failover; the agent and the CLI
 * change single words atomically. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEFT_DEF_SERVICES);
	__type(key, __u32);
	__type(value, struct weft_sstate);
} weft_sstate __weak SEC(".maps");

/* The connection of a socket to a service. Freed with the socket: nothing can evict it. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct weft_flow);
} weft_flows __weak SEC(".maps");

/* The services that an unconnected UDP socket talks to. Freed with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct weft_peers);
} weft_peers __weak SEC(".maps");

/* Session affinity. A lost entry only rebalances its caller, so this may be an LRU. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEFT_DEF_AFFINITY);
	__type(key, struct weft_affinity_key);
	__type(value, struct weft_affinity);
} weft_affinity __weak SEC(".maps");

/* How often each reason applied. Index: enum weft_reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEFT_R_MAX);
	__type(key, __u32);
	__type(value, __u64);
} weft_counts __weak SEC(".maps");

/*
 * Traffic from each caller to each endpoint. Writers: connect, sockops, release, the iterator; the agent removes rows
 * of endpoints that are gone. One row for all CPUs, fed with atomic adds: a per-CPU row would cost 400 B times the
 * CPUs, and be unreadable. Full: the row's metrics are lost and counted as edges_full; traffic does not care.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEFT_DEF_EDGES);
	__type(key, struct weft_edge_key);
	__type(value, struct weft_edge);
} weft_edges __weak SEC(".maps");

/* What the operator's log is told. Writers: all programs; reader: the agent. Full: counted as events_lost. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WEFT_EVENTS_BYTES);
} weft_events __weak SEC(".maps");

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every metric that weft exports: the page, docs/METRICS.md and their test read this one list. Names are OpenMetrics
 * family names: a counter's samples get "_total" behind them. Columns: id, name, type, unit (the last word of the name,
 * or ""), labels, help.
 */
#ifndef TELEMETRY_FAMILIES_H
#define TELEMETRY_FAMILIES_H

#define EDGE_LABELS "service, endpoint, caller"

#define METRICS_FAMILIES(X)                                                                                            \
	X(OPENED, "weft_connections_opened", COUNTER, "", EDGE_LABELS,                                                 \
	  "Connections to a service that were sent to an endpoint, whatever became of them; the first datagram of an " \
	  "unconnected UDP socket to a service counts as one.")                                                        \
	X(ESTABLISHED, "weft_connections_established", COUNTER, "", EDGE_LABELS,                                       \
	  "Connections whose TCP handshake was completed, and UDP sockets that were connected.")                       \
	X(CLOSED, "weft_connections_closed", COUNTER, "", EDGE_LABELS,                                                 \
	  "Established connections that have ended, in order or by a reset.")                                          \
	X(FAILURES, "weft_connection_failures", COUNTER, "", EDGE_LABELS ", reason",                                   \
	  "Connections that failed. Reason reset: after the handshake; every other reason: before it was completed.")  \
	X(ACTIVE, "weft_connections_active", GAUGE, "", "service, endpoint",                                           \
	  "Connections that are open or being opened now.")                                                            \
	X(PENDING, "weft_connections_pending", GAUGE, "", "service, endpoint",                                         \
	  "Connections whose TCP handshake is not done.")                                                              \
	X(HANDSHAKE, "weft_handshake_seconds", HISTOGRAM, "seconds", EDGE_LABELS,                                      \
	  "Time from the application's connect() to the completed TCP handshake.")                                     \
	X(RTT, "weft_rtt_seconds", HISTOGRAM, "seconds", EDGE_LABELS,                                                  \
	  "Smoothed TCP round trip time, observed once at the end of each connection.")                                \
	X(SENT, "weft_sent_bytes", COUNTER, "bytes", EDGE_LABELS,                                                      \
	  "TCP payload that callers sent and the endpoint acknowledged.")                                              \
	X(RECEIVED, "weft_received_bytes", COUNTER, "bytes", EDGE_LABELS,                                              \
	  "TCP payload that callers received from the endpoint.")                                                      \
	X(RETRANSMITS, "weft_retransmits", COUNTER, "", EDGE_LABELS,                                                   \
	  "TCP segments that callers had to send again to the endpoint.")                                              \
	X(LATENCY, "weft_endpoint_latency_seconds", GAUGE, "seconds", "service, endpoint",                             \
	  "Smoothed latency of the endpoint when it was last measured; what p2c-ewma compares.")                       \
	X(OUT, "weft_endpoint_out", GAUGE, "", "service, endpoint, why",                                               \
	  "1 while the endpoint takes no new connections, by why: ejected, unhealthy, drained, "                       \
	  "not-ready. Without the label endpoint: how many.")                                                          \
	X(EJECTIONS, "weft_endpoint_ejections", COUNTER, "", "service, endpoint",                                      \
	  "Times the endpoint was ejected because it failed too often.")                                               \
	X(MOVED, "weft_endpoint_moved", COUNTER, "", "service, endpoint",                                              \
	  "Connects that the endpoint did not take and that went on to another one inside "                            \
	  "connect().")                                                                                                \
	X(RESET_EARLY, "weft_endpoint_reset_early", COUNTER, "", "service, endpoint",                                  \
	  "Established connections that were reset before their first byte.")                                          \
	X(SERVICE_ENDPOINTS, "weft_service_endpoints", GAUGE, "", "service, state",                                    \
	  "Endpoints of the service. State ready: takes new connections; ejected, unhealthy, "                         \
	  "drained, not-ready: does not now, the first of these that applies in the order "                            \
	  "drained, not-ready, unhealthy, ejected; draining: removed, its last connections have "                      \
	  "not ended; disabled: weight 0.")                                                                            \
	X(SERVICE_REFUSED, "weft_service_refused", COUNTER, "", "service",                                             \
	  "Connects that weft refused: no endpoint takes new connections, a limit is reached, or "                     \
	  "the breaker is open. weft_decisions tells the reasons apart.")                                              \
	X(LIMIT, "weft_service_limit", GAUGE, "", "service, limit",                                                    \
	  "What the service may have at most. Limit connections: at once; pending: unfinished "                        \
	  "handshakes; rate: connects per second. No series: no limit.")                                               \
	X(LIMIT_USED, "weft_service_limit_used", GAUGE, "", "service, limit",                                          \
	  "How much of it is used, with or without a limit: connections, pending.")                                    \
	X(BREAKER, "weft_service_breaker", GAUGE, "", "service, state",                                                \
	  "1 for the state that the breaker of the service is in, 0 for the others: closed, "                          \
	  "open, half-open, forced-open, forced-closed. Services without a breaker have no "                           \
	  "series.")                                                                                                   \
	X(BREAKER_OPENED, "weft_service_breaker_opened", COUNTER, "", "service",                                       \
	  "Times the error rate opened the breaker of the service.")                                                   \
	X(BREAKER_ERRORS, "weft_service_breaker_error_ratio", GAUGE, "", "service",                                    \
	  "Share of the connects of the last 10 s that failed, as the breaker sees it.")                               \
	X(DECISIONS, "weft_decisions", COUNTER, "", "reason",                                                          \
	  "What the programs in the kernel decided or saw, by reason; the reasons are explained in docs/MAPS.md.")     \
	X(MAP_ENTRIES, "weft_map_entries", GAUGE, "", "map", "Entries of the kernel map that are in use.")             \
	X(MAP_CAPACITY, "weft_map_capacity", GAUGE, "", "map", "Entries that the kernel map can hold.")                \
	X(MAP_BYTES, "weft_map_bytes", GAUGE, "bytes", "map", "Kernel memory of the map.")                             \
	X(SERIES_DROPPED, "weft_series_dropped", GAUGE, "", "",                                                        \
	  "Label sets beyond metrics.max-series on this page, summed into the series labelled other.")                 \
	X(RELOADS, "weft_reloads", COUNTER, "", "result",                                                              \
	  "Times the agent read its configuration. Result failed: it was wrong or did not fit, nothing changed.")      \
	X(RELOAD_OK_TIME, "weft_reload_last_success_timestamp_seconds", GAUGE, "seconds", "",                          \
	  "When the configuration was last read and applied, in Unix time.")                                           \
	X(RELOAD_FAILED, "weft_reload_last_failed", GAUGE, "", "",                                                     \
	  "1 while the newest configuration could not be applied and an older one is in force, else 0.")               \
	X(APPLY, "weft_apply_seconds", GAUGE, "seconds", "",                                                           \
	  "How long the newest applied configuration took from reading the files to being visible in the kernel.")     \
	X(CONFIG_SERVICES, "weft_config_services", GAUGE, "", "", "Services in the configuration in force.")           \
	X(CONFIG_ENDPOINTS, "weft_config_endpoints", GAUGE, "", "", "Endpoints in the configuration in force.")        \
	X(AUDIT_RUNS, "weft_audit_runs", COUNTER, "", "",                                                              \
	  "Times the agent counted the open connections anew and compared them with the kernel's counters.")           \
	X(AUDIT_DRIFT, "weft_audit_drift", GAUGE, "", "",                                                              \
	  "Connections by which the kernel's counters were wrong at the newest audit. Anything but 0 is a bug; "       \
	  "`weft check --repair` sets them right.")                                                                    \
	X(EJECTED_BY, "weft_ejections", COUNTER, "", "service, cause",                                                 \
	  "Ejections that the agent heard of, by cause: refused, timed-out, unreachable, "                             \
	  "reset-early, success-rate.")                                                                                \
	X(CHECKS, "weft_health_checks", COUNTER, "", "service, result",                                                \
	  "Active health checks that were done. Result: success or failure.")                                          \
	X(CHECKED, "weft_health_endpoints", GAUGE, "", "service, state",                                               \
	  "Endpoints by what their health checks say. State unknown: not checked yet.")                                \
	X(CHECKS_LATE, "weft_health_checks_late", COUNTER, "", "",                                                     \
	  "Health checks that began late because too much is checked for this machine.")                               \
	X(REGISTRY_UP, "weft_registry_up", GAUGE, "", "registry, type",                                                \
	  "1 while the registry answers, 0 while it fails or has not answered yet.")                                   \
	X(REGISTRY_HEARD, "weft_registry_heard_seconds", GAUGE, "seconds", "registry, type",                           \
	  "Time since the last sign of life of the registry. No series: none yet.")                                    \
	X(REGISTRY_ANSWERS, "weft_registry_answers", COUNTER, "", "registry, type",                                    \
	  "Answers of the registry that were taken over: sets of endpoints and lists of services.")                    \
	X(REGISTRY_FAILURES, "weft_registry_failures", COUNTER, "", "registry, type",                                  \
	  "Questions to the registry that failed.")                                                                    \
	X(REGISTRY_ODD, "weft_registry_odd", COUNTER, "", "registry, type",                                            \
	  "Things that the registry said and that cannot be used.")                                                    \
	X(SOURCE_UP, "weft_source_up", GAUGE, "", "service, source, registry",                                         \
	  "1 while what the source says is in force; 0: it fails, waits, or an empty answer is held back.")            \
	X(SOURCE_ENDPOINTS, "weft_source_endpoints", GAUGE, "", "service, source, registry",                           \
	  "Endpoints that the source names.")                                                                          \
	X(SOURCE_AGE, "weft_source_age_seconds", GAUGE, "seconds", "service, source, registry",                        \
	  "Time since the last answer for the source. No series: none yet.")                                           \
	X(NAMES, "weft_names", GAUGE, "", "", "Names that the agent's DNS responder has addresses for.")               \
	X(NAMES_QUERIES, "weft_names_queries", COUNTER, "", "transport",                                               \
	  "Questions to the agent's DNS responder. Transport: udp or tcp.")                                            \
	X(NAMES_REPLIES, "weft_names_replies", COUNTER, "", "result",                                                  \
	  "What became of them: answer, no-data (no address of that family), no-name, refused (another "               \
	  "zone), bad (no right question), dropped (no question at all), lost (could not be sent).")                   \
	X(FAILOVER_LINKS, "weft_failover_links", GAUGE, "", "",                                                        \
	  "Network links that have the programs of failover; 0: a connect that fails does not go "                     \
	  "on to another endpoint.")                                                                                   \
	X(START, "weft_agent_start_timestamp_seconds", GAUGE, "seconds", "", "When the agent started, in Unix time.")  \
	X(BUILD, "weft_build_info", INFO, "", "version, commit, abi",                                                  \
	  "Version of weft and of the layout of its maps; the value is always 1.")

enum metrics_family {
#define X(id, name, type, unit, labels, help) METRICS_##id,
	METRICS_FAMILIES(X)
#undef X
		METRICS_FAMILY_MAX
};

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM, METRICS_INFO };

struct metrics_family_row {
	const char *name;
	enum metrics_type type;
	const char *unit;
	const char *labels;
	const char *help;
};
extern const struct metrics_family_row metrics_families[METRICS_FAMILY_MAX];

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a service wants when its endpoints are slow, full or broken: values, part of struct service. */
#ifndef MODEL_RESILIENCE_H
#define MODEL_RESILIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits; 0: none. */
struct limits {
	uint32_t connections, pending;
	uint32_t endpoint_connections, endpoint_pending;
	uint32_t rate, burst; /* connects per second, and at once; burst >= 1 when rate is set */
};

/* Passive ejection. */
struct ejection {
	bool on;
	uint32_t failures; /* in a row; 0: not by these */
	uint32_t base_ms, max_ms, interval_ms;
	uint8_t percent;
	/* by success rate, computed by the agent every interval_ms; endpoints 0: off */
	uint32_t rate_endpoints; /* least number of endpoints with enough connects */
	uint32_t rate_volume;	 /* connects of an endpoint in an interval to be enough */
	uint32_t rate_stdev;	 /* 1/1000 of the standard deviation below the mean */
};

/* The error-rate breaker. */
struct breaker {
	uint8_t percent; /* 0: off */
	uint32_t volume;
	uint32_t sleep_ms;
};

/* Columns: id, word in weft.yaml, sentence. */
#define HEALTH_CHECKS(X)                                                                                               \
	X(NONE, "none", "no active check")                                                                             \
	X(TCP, "tcp", "a connection comes to stand")                                                                   \
	X(HTTP, "http", "GET of a path is answered with a good status")                                                \
	X(HTTPS, "https", "likewise, over TLS")                                                                        \
	X(GRPC, "grpc", "grpc.health.v1.Health/Check answers SERVING")                                                 \
	X(EXEC, "exec", "a command exits with 0")

enum health_type {
#define X(id, name, text) HEALTH_##id,
	HEALTH_CHECKS(X)
#undef X
		HEALTH_MAX
};

/* An active health check. Strings are owned by the service; NULL: not given. */
struct health_check {
	uint8_t type;			 /* enum health_type */
	uint8_t jitter;			 /* percent of the interval */
	uint16_t port;			 /* 0: the endpoint's */
	uint16_t status_min, status_max; /* http */
	bool tls_verify;		 /* https and grpc over TLS */
	bool tls;			 /* grpc */
	uint32_t interval_ms, timeout_ms;
	uint32_t rise, fall;
	char *path, *host; /* http; host is also the TLS server name */
	char *expect;	   /* http: text that the body must have */
	char *grpc_service;
	char *ca_file;	/* https, grpc */
	char **command; /* exec: NULL-terminated, absolute path first */
};

/* The settings of a new service. */
void limits_init(struct limits *l);
void ejection_init(struct ejection *e);
void breaker_init(struct breaker *b);
void health_check_init(struct health_check *c);
void health_check_done(struct health_check *c); /* frees the strings */

bool limits_equal(const struct limits *a, const struct limits *b);
bool ejection_equal(const struct ejection *a, const struct ejection *b);
bool breaker_equal(const struct breaker *a, const struct breaker *b);
bool health_check_equal(const struct health_check *a, const struct health_check *b);

const char *health_name(unsigned type); /* word of weft.yaml; "unknown" */
const char *health_text(unsigned type); /* one sentence */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The few bytes of grpc.health.v1.Health/Check: its request, its answer, its status. No I/O. Inside health/ only. */
#ifndef HEALTH_GRPC_H
#define HEALTH_GRPC_H

#include <stddef.h>
#include <stdint.h>

#define GRPC_PATH "/grpc.health.v1.Health/Check"

/* HealthCheckRequest.service of at most this many bytes: the length of the message takes two bytes then. */
#define GRPC_SERVICE_MAX 4096
#define GRPC_REQUEST_MAX (5 + 3 + GRPC_SERVICE_MAX)

/* Writes the message with its prefix to @to (of GRPC_REQUEST_MAX bytes). Its length, or -EMSGSIZE. @service NULL: "".
 */
int grpc_request(const char *service, uint8_t *to);

/* HealthCheckResponse.ServingStatus */
enum grpc_serving { GRPC_UNKNOWN = 0, GRPC_SERVING = 1, GRPC_NOT_SERVING = 2, GRPC_SERVICE_UNKNOWN = 3 };

/*
 * Of a body with one message. The status, a number of enum grpc_serving or another one. -ENODATA: too short; -ENOTSUP:
 * compressed; -EBADMSG: no such message.
 */
int grpc_response(const uint8_t *body, size_t len);
const char *grpc_serving_name(int status); /* "SERVING"; "an unknown status" */

/* The value of header or trailer "grpc-status": 0..16, or another number; -EINVAL: none. */
int grpc_status(const char *text, size_t len);
const char *grpc_status_name(int status); /* "UNIMPLEMENTED"; "an unknown code" */

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* GET /v1/...: services, their endpoints and the registries, as JSON; docs/API.md is the manual. Inside agent/ only. */
#ifndef AGENT_API_H
#define AGENT_API_H

#include <jansson.h>
#include <stdbool.h>

struct agent;

#define API_PREFIX "/v1"

bool api_has(const char *url); /* is it the business of api_get()? */
/* The body, and in *ret_code the status of HTTP. A new reference; NULL: no memory. */
json_t *api_get(const struct agent *a, const char *url, unsigned *ret_code);
/* {"error": "..."} */
json_t *api_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

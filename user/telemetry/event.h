/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An event as people and programs read it: ids turned into names at the moment it came, since ids are used again. Its
 * fields are those of Envoy's outlier event log.
 */
#ifndef TELEMETRY_EVENT_H
#define TELEMETRY_EVENT_H

#include <jansson.h>

#include "model/service.h"
#include "plane/maps.h"

struct event {
	uint64_t id;		      /* 1, 2, ... since the agent started */
	double unix_time;	      /* when it happened */
	double until_unix;	      /* when the ejection, or the sleep of the breaker, is over; 0: not said */
	double seconds;		      /* until then, from when it happened */
	uint32_t type;		      /* enum weft_event_type */
	uint32_t cause;		      /* enum weft_cause */
	uint32_t number;	      /* ejections in a row; breaker: percent of errors */
	char service[WEFT_NAME_LEN];  /* "?": is no more */
	char endpoint[ADDR_TEXT_LEN]; /* "": of the service as a whole; "?": is no more */
};

/* The two clocks at the same moment. */
struct event_now {
	uint64_t ns; /* CLOCK_MONOTONIC */
	double unix_time;
};
struct event_now event_now(void);

/* Looks names up in the maps. .id stays 0. */
struct event event_resolve(const struct maps *m, const struct weft_event *e, struct event_now now);

const char *event_type_name(uint32_t type);   /* "ejected"; "unknown" */
const char *event_cause_name(uint32_t cause); /* "refused"; "none" */
#define EVENT_TEXT_LEN 384
/* "endpoint 10.0.0.1:80 of service web was ejected for 30 s: it refused connections (2nd time in a row)". Returns
 * @text. */
const char *event_text(const struct event *e, char *text, size_t len);

json_t *event_json(const struct event *e); /* a new reference; NULL: no memory */

#endif

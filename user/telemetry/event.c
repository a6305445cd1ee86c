/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "telemetry/event.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static const char *const types[] = {
#define X(id, name, text) name,
	WEFT_EVENTS(X)
#undef X
};

static const struct {
	const char *name, *text;
} causes[] = {
#define X(id, name, text) { name, text },
	WEFT_CAUSES(X)
#undef X
};

const char *event_type_name(uint32_t type)
{
	return type < NR(types) ? types[type] : "unknown";
}

const char *event_cause_name(uint32_t cause)
{
	return cause < NR(causes) ? causes[cause].name : "none";
}

struct event_now event_now(void)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	return (struct event_now){ (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec,
				   (double)real.tv_sec + (double)real.tv_nsec / 1e9 };
}

static double to_unix(uint64_t ns, struct event_now now)
{
	return now.unix_time + (double)(int64_t)(ns - now.ns) / 1e9;
}

struct event event_resolve(const struct maps *m, const struct weft_event *e, struct event_now now)
{
	struct event ret = {
		.unix_time = to_unix(e->ns, now), .type = e->type, .cause = e->cause, .number = e->number
	};
	const struct weft_backend *b;

	if (e->until_ns) {
		ret.until_unix = to_unix(e->until_ns, now);
		ret.seconds = (double)(int64_t)(e->until_ns - e->ns) / 1e9;
	}
	snprintf(ret.service, sizeof(ret.service), "%.*s", WEFT_NAME_LEN - 1,
		 e->service && e->service < m->capacity[PLANE_MAP_SERVICES] && *m->services[e->service].name
			 ? m->services[e->service].name
			 : "?");
	if (!e->backend)
		return ret;
	b = e->backend < m->capacity[PLANE_MAP_BACKENDS] ? &m->backends[e->backend] : NULL;
	if (b && b->flags & WEFT_BACKEND_F_USED && b->gen == e->gen && b->service == e->service)
		addr_port_format(&b->addr, ntohs(b->port_be), ret.endpoint, sizeof(ret.endpoint));
	else
		snprintf(ret.endpoint, sizeof(ret.endpoint), "?");
	return ret;
}

static const char *ordinal(uint32_t n)
{
	if (n % 100 >= 11 && n % 100 <= 13)
		return "th";
	return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

static const char *duration(double seconds, char *text, size_t len)
{
	if (seconds < 10 && fabs(seconds - round(seconds)) > 0.05)
		snprintf(text, len, "%.1f s", seconds);
	else if (seconds < 600)
		snprintf(text, len, "%.0f s", seconds);
	else
		snprintf(text, len, "%.0f min", seconds / 60);
	return text;
}

const char *event_text(const struct event *e, char *text, size_t len)
{
	const char *why = e->cause && e->cause < NR(causes) ? causes[e->cause].text : "for a cause that is not known";
	char lasts[32];

	duration(e->seconds, lasts, sizeof(lasts));
	switch (e->type) {
	case WEFT_EVENT_EJECTED:
		snprintf(text, len, "endpoint %s of service %s was ejected for %s: %s (%u%s time in a row)",
			 e->endpoint, e->service, lasts, why, e->number, ordinal(e->number));
		break;
	case WEFT_EVENT_RETURNED:
		snprintf(text, len, "endpoint %s of service %s takes connections again", e->endpoint, e->service);
		break;
	case WEFT_EVENT_EJECT_OVERFLOW:
		snprintf(text, len,
			 "endpoint %s of service %s should be ejected (%s), but as many are as max-ejected-percent "
			 "allows",
			 e->endpoint, e->service, why);
		break;
	case WEFT_EVENT_BREAKER_OPEN:
		if (e->number)
			snprintf(text, len,
				 "the breaker of service %s opened: %u %% of its connects failed; all are refused for "
				 "%s",
				 e->service, e->number, lasts);
		else
			snprintf(text, len,
				 "the breaker of service %s stays open: the trial failed; all connects are refused for "
				 "%s",
				 e->service, lasts);
		break;
	case WEFT_EVENT_BREAKER_HALF_OPEN:
		snprintf(text, len, "the breaker of service %s is half-open: one connect tries whether it works again",
			 e->service);
		break;
	case WEFT_EVENT_BREAKER_CLOSED:
		snprintf(text, len, "the breaker of service %s closed: the trial succeeded", e->service);
		break;
	default:
		snprintf(text, len, "event %u of service %s, which this weft does not know", e->type, e->service);
		break;
	}
	return text;
}

json_t *event_json(const struct event *e)
{
	bool breaker = e->type >= WEFT_EVENT_BREAKER_OPEN && e->type <= WEFT_EVENT_BREAKER_CLOSED;
	char text[EVENT_TEXT_LEN];
	json_t *j = json_object();

	if (!j)
		return NULL;
	json_object_set_new(j, "id", json_integer((json_int_t)e->id));
	json_object_set_new(j, "time_unix", json_real(round(e->unix_time * 1e3) / 1e3));
	json_object_set_new(j, "type", json_string(event_type_name(e->type)));
	json_object_set_new(j, "service", json_string(e->service));
	json_object_set_new(j, "endpoint", *e->endpoint ? json_string(e->endpoint) : json_null());
	json_object_set_new(j, "cause", e->cause ? json_string(event_cause_name(e->cause)) : json_null());
	json_object_set_new(j, "ejections", breaker ? json_null() : json_integer(e->number));
	json_object_set_new(j, "error_percent",
			    e->type == WEFT_EVENT_BREAKER_OPEN && e->number ? json_integer(e->number) : json_null());
	json_object_set_new(j, "until_unix",
			    e->until_unix > 0 ? json_real(round(e->until_unix * 1e3) / 1e3) : json_null());
	json_object_set_new(j, "text", json_string(event_text(e, text, sizeof(text))));
	return j;
}

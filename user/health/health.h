/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Active health checks: probes of each endpoint whose service asks for them, in the agent's loop, without threads.
 * Knows no map: what it finds out goes to the hooks. One thread only, the loop's.
 *
 * An endpoint is known by service, address and port: as long as these stay, so does what is known of it, whatever else
 * a reload changes. Checks that are alike (of several services, same address and port) are done once.
 */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include <jansson.h>
#include <uv.h>

#include "model/model.h"

#define HEALTH_TEXT_LEN 128

/* Columns: id, word, sentence. */
#define HEALTH_STATES(X)                                                                                               \
	X(UNKNOWN, "unknown", "not checked yet; takes no connections")                                                 \
	X(UP, "healthy", "takes connections")                                                                          \
	X(DOWN, "unhealthy", "its check fails; takes no connections")

enum health_state {
#define X(id, name, text) HEALTH_S_##id,
	HEALTH_STATES(X)
#undef X
};
const char *health_state_name(enum health_state state);

/* One result, of one endpoint. Pointers live as long as the call. */
struct health_result {
	const char *service;
	struct weft_addr addr;
	uint16_t port; /* the endpoint's, host order; the check's may be another */
	bool passed;   /* this check */
	bool healthy;  /* the endpoint, after rise and fall */
	bool changed;  /* healthy is another than before */
	unsigned row;  /* checks in a row with this result */
	const char *text;
};

struct health_hooks {
	void *ctx;
	/* A socket of a check, before connect(). May be NULL. */
	void (*open_socket)(void *ctx, int fd, const struct weft_addr *addr, uint16_t port);
	/* Whether an endpoint that is checked from now on takes connections meanwhile; NULL: it does not. */
	bool (*is_healthy)(void *ctx, const char *service, const struct weft_addr *addr, uint16_t port);
	/* After each check. Must not call health_apply() or health_free(). */
	void (*result)(void *ctx, const struct health_result *r);
};

struct health;

/* 0 or negative errno. *hooks is copied. */
int health_new(uv_loop_t *loop, const struct health_hooks *hooks, struct health **ret);
/*
 * What is to be checked from now on; @m stays the caller's (services are referenced). 0; -ENOMEM: then some services
 * are checked as before, and calling again goes on.
 */
int health_apply(struct health *h, const struct model *m);
/* Freed in the loop's next turns; running commands are killed. NULL is fine. */
void health_free(struct health *h);

/* ---- what is known; all fine with NULL: nothing is ---- */

/*
 * {"targets": N, "running": N, "waiting": N, "endpoints": [{"service", "endpoint", "check", "state", "since_unix",
 * "last_unix", "last_passed", "last_text", "in_row", "duration_ms", "attempts", "successes", "failures"}...]}; those of
 * @service, or all (NULL). A new reference; NULL: no memory.
 */
json_t *health_json(const struct health *h, const char *service);

/* Of one service. Counters start with the agent. */
struct health_counts {
	char service[WEFT_NAME_LEN];
	uint8_t type; /* enum health_type */
	uint64_t attempts, successes, failures;
	uint32_t healthy, unhealthy, unknown; /* endpoints now */
};
/* Of every service with a check, by name; free() *ret. A copy: another thread may read it. 0 or -ENOMEM. */
int health_counts(const struct health *h, struct health_counts **ret, size_t *ret_nr);

struct health_totals {
	uint32_t targets; /* that are probed */
	uint32_t running; /* probes now: sockets and processes */
	uint32_t waiting; /* that are due, and wait for others to end */
	uint64_t late;	  /* probes that began more than a tenth of their interval (at least 100 ms) late */
};
void health_totals(const struct health *h, struct health_totals *ret);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of the provider "eureka" share. */
#ifndef REGISTRY_EUREKA_H
#define REGISTRY_EUREKA_H

#include "discovery/registry.h"
#include "registry/eureka_read.h"
#include "registry/eureka_text.h"
#include "registry/servers.h"

struct eureka {
	struct registry r;
	struct http_servers servers; /* "http://10.0.0.1:8761/eureka/v2" */
	size_t current;
	size_t tried; /* that have failed in a row */
	struct http_tls tls;
	uint32_t timeout_ms, backoff_ms, refresh_ms;

	struct eureka_table table;
	bool known;	     /* the table holds an answer */
	bool want_all;	     /* not only what has changed */
	bool no_deltas;	     /* they are not wanted */
	uint64_t without_ms; /* the server has none; ask for everything until then */
	long refused;	     /* status instead of changes; what it means is known when everything was asked for */
	uint64_t good_ms;    /* of the last answer */
	unsigned misses;     /* full answers in a row that deltas did not lead to */
	struct http_call *call;
	struct eureka_reader reader; /* of its answer */
	bool asked_all;
	uv_timer_t timer; /* until the next question */
	struct backoff backoff;
	struct pace pace; /* of full answers */
	struct eureka_lookup *lookups;
	bool closing;
};

struct eureka_lookup {
	struct lookup l;
	struct eureka_lookup *next;
	struct eureka_filter filter;
};

struct eureka_announcement {
	struct announcement a;
	struct eureka_entry entry;
	char address[ADDR_TEXT_LEN];
	char *id;
	uv_timer_t timer; /* until the next heartbeat, or try */
	struct http_call *call;
	size_t server, tried; /* tried: that have failed in a row */
	bool known;	      /* the server has taken it, and has not said since that it does not know it */
	bool said;	      /* what the last call said: up */
	bool leaving;
	struct backoff backoff;
};

/* ---- eureka.c ---- */
struct eureka_ask {
	const char *method, *path, *body; /* NULL: GET; no body */
	size_t server;
	int (*on_data)(void *ctx, const char *data, size_t len); /* or NULL */
	void (*on_done)(void *ctx, const struct http_response *res);
	void *ctx;
};
/* 0, or negative errno with a sentence in @why: it cannot even be asked. */
int eureka_ask(struct eureka *e, const struct eureka_ask *a, struct http_call **ret, char *why, size_t why_len);
/* Why @res is no answer to build on, as a sentence that stays the same while the reason does. */
void eureka_why(const struct eureka *e, size_t server, const struct http_response *res, char *ret, size_t len);

/* ---- eureka_watch.c ---- */
int eureka_start(struct lookup *l);
void eureka_stop(struct lookup *l);
void eureka_watch_open(struct eureka *e);
void eureka_watch_close(struct eureka *e); /* registry_closed() follows */

/* ---- eureka_register.c ---- */
int eureka_announce(struct announcement *a);
void eureka_announce_changed(struct announcement *a);
void eureka_announce_withdraw(struct announcement *a);

#endif

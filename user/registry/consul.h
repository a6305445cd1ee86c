/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of the provider "consul" share. */
#ifndef REGISTRY_CONSUL_H
#define REGISTRY_CONSUL_H

#include "discovery/registry.h"
#include "registry/consul_decode.h"
#include "registry/consul_text.h"
#include "registry/servers.h"

struct consul_lookup {
	struct lookup l;
	struct consul_lookup *next;	  /* of all */
	struct consul_lookup *next_ready; /* of those that wait for their turn */
	bool ready, failing;
	uint64_t failing_ms; /* since */
	uv_timer_t timer;    /* until the next try */
	struct http_call *call;
	size_t server;	   /* that is asked */
	uint64_t began_ms; /* when */
	struct consul_query query;
	struct consul_reading reading;
	struct backoff backoff; /* of failures */
	struct backoff idle;	/* of answers that should have waited */
	struct pace pace;	/* of changes */
};

struct consul_announcement {
	struct announcement a;
	uv_timer_t timer; /* until the next word to the server */
	struct http_call *call;
	size_t server;
	char *id, *check; /* check: "service:ID" */
	char address[ADDR_TEXT_LEN];
	struct consul_entry entry;
	struct consul_scope scope;
	bool known;	     /* the server has taken it, and has not said since that it does not know it */
	bool said;	     /* what the last call said: up */
	uint64_t failing_ms; /* since; 0: not */
	struct backoff backoff;
};

struct consul {
	struct registry r;
	struct http_servers servers;
	size_t current; /* current: the one that answered last, or is tried next */
	struct http_tls tls;
	struct consul_scope scope;
	uint32_t timeout_ms, wait_ms, backoff_ms;

	struct consul_lookup *lookups;
	size_t nr_lookups, nr_waiting; /* waiting: calls that run */
	size_t most;		       /* that may */
	struct consul_lookup *ready, **ready_end;
	struct pace pace;
	uv_timer_t timer; /* until there is a token */
	bool down;	  /* a server did not answer, and none has since */
	uint64_t well_ms; /* when one last did as it should */

	uv_timer_t probe_timer;
	struct http_call *probe;
	size_t probed;	 /* the server */
	unsigned silent; /* probes in a row without an answer */
	unsigned closing;
};

/* ---- consul.c ---- */
struct consul_ask {
	const char *method, *path, *body; /* NULL: GET; no body */
	size_t server;
	uint32_t total_ms;
	void (*on_done)(void *ctx, const struct http_response *res);
	void *ctx;
};
/* 0, or negative errno with a sentence in @why: it cannot even be asked. */
int consul_ask(struct consul *c, const struct consul_ask *a, struct http_call **ret, char *why, size_t why_len);
/* Why @res is no answer to build on, as a sentence that stays the same while the reason does. */
void consul_why(const struct consul *c, size_t server, const struct http_response *res, char *ret, size_t len);
/* @server has failed: another one is tried next, if there is. */
void consul_leave(struct consul *c, size_t server);
/* Does @res say that the server itself is unwell, and not only that it does not like what it was asked? */
bool consul_is_unwell(const struct http_response *res);

/* ---- consul_watch.c ---- */
int consul_watch_start(struct lookup *l);
void consul_watch_stop(struct lookup *l);
void consul_watch_pump(struct consul *c); /* calls for those that are ready */
/* Ends the calls to @server, as failed for reason @why. */
void consul_watch_abandon(struct consul *c, size_t server, const char *why);

/* ---- consul_register.c ---- */
int consul_announce(struct announcement *a);
void consul_announce_changed(struct announcement *a);
void consul_announce_withdraw(struct announcement *a);

#endif

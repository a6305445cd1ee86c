/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of the provider "etcd" share. */
#ifndef REGISTRY_ETCD_H
#define REGISTRY_ETCD_H

#include "discovery/registry.h"
#include "registry/etcd_decode.h"
#include "registry/servers.h"

struct etcd_call;

struct etcd {
	struct registry r;
	struct http_servers servers; /* "http://127.0.0.1:2379" */
	size_t current;
	struct http_tls tls;
	uint32_t timeout_ms, backoff_ms;
	struct pace pace;
	char *token;	    /* NULL: none yet, or none needed */
	char *token_header; /* "Authorization: ..." */
	struct http_call *auth, *ping;
	uv_timer_t ping_timer, auth_timer;
	struct backoff auth_backoff;
	struct etcd_lookup *lookups;
	struct etcd_announcement *announcements;
	unsigned handles; /* of ours that are open */
};

struct etcd_lookup {
	struct lookup l;
	struct etcd_lookup *next;
	const char *prefix;
	uv_timer_t timer; /* until the next step */
	struct http_call *call;
	bool watching, stopping;
	struct etcd_keys keys, fresh; /* fresh: while pages come in */
	int64_t revision;
	char *line; /* of the watch, as far as it has come */
	size_t len, room;
	struct backoff backoff;
};

struct etcd_announcement {
	struct announcement a;
	struct etcd_announcement *next;
	uv_timer_t timer;
	struct http_call *call;
	char *key, *value;
	uint32_t ttl_s;
	int64_t lease; /* 0: none */
	bool written;  /* the key is there with our lease */
	bool wiped;    /* the key is known to be gone */
	bool leaving;  /* withdrawn */
	struct backoff backoff;
};

/* ---- etcd.c ---- */
struct etcd_request {
	const char *path; /* "/v3/kv/range" */
	char *body;	  /* taken; NULL: no memory */
	bool stream;
	int (*on_data)(void *ctx, const char *data, size_t len);
	void (*on_done)(void *ctx, const struct http_response *res);
	void *ctx;
};
/* 0; -EAGAIN: there is no token yet, all are told to go on when there is; other negative errno. */
int etcd_ask(struct etcd *e, struct etcd_request *q, struct http_call **ret);
/* Was it a good answer? Else @text (one clause) says why, and a token that is not taken any more is dropped. */
bool etcd_good(struct etcd *e, const struct http_response *res, char *text, size_t len);
/* The server of the moment does not answer: the next one is asked. */
void etcd_next_server(struct etcd *e);
void etcd_handle_closed(struct etcd *e);

/* ---- etcd_watch.c ---- */
int etcd_start(struct lookup *l);
void etcd_stop(struct lookup *l);
void etcd_lookup_restart(struct etcd_lookup *l, uint32_t ms); /* from the range on, after so long */

/* ---- etcd_register.c ---- */
int etcd_announce(struct announcement *a);
void etcd_changed(struct announcement *a);
void etcd_withdraw(struct announcement *a);
void etcd_announcement_restart(struct etcd_announcement *a, uint32_t ms);

#endif

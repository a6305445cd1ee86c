/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * HTTP as registries need it: libcurl on the agent's loop. Connections are kept and shared per client; long polls and
 * streams of any length; TLS with own CAs and client certificates; authentication by headers.
 */
#ifndef DISCOVERY_HTTP_H
#define DISCOVERY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/options.h"

struct http_client;
struct http_call;

int http_client_new(uv_loop_t *loop, struct http_client **ret); /* 0 or -ENOMEM */
/* All calls have ended or been cancelled before. @closed runs when its handles are gone. */
void http_client_free(struct http_client *c, void (*closed)(void *ctx), void *ctx);

/* All NULL: the system's CAs, no client certificate. Borrowed while the call runs. Files are read with each connection.
 */
struct http_tls {
	const char *ca, *cert, *key; /* files (PEM) */
	bool insecure;		     /* neither chain nor name are checked */
};
/* From the options tls-ca, tls-cert, tls-key, tls-verify that all registries have. */
void http_tls_from(const struct options *o, struct http_tls *ret);

struct http_response {
	int error;   /* 0: a response came, whatever its status; negative errno: none, or not all of it; see text */
	long status; /* 200, ... */
	const char *text; /* one clause: what went wrong ("connection refused", "timed out", "certificate ..."); "" */
	const char *body; /* when the caller gave no on_data; NUL terminated; "" */
	size_t body_len;
	struct http_call *call;
};

struct http_request {
	const char *method; /* NULL: GET */
	const char *url;
	const char *const *headers; /* "Name: value", NULL terminated; NULL: none */
	const char *body;	    /* NULL: none; copied */
	size_t body_len;
	const struct http_tls *tls;  /* NULL: the system's */
	const char *user, *password; /* basic authentication; NULL: none */
	bool gzip;		     /* ask for compressed answers; on_data gets them unpacked */
	uint32_t connect_ms;	     /* 0: 5000 */
	uint32_t total_ms;	     /* the whole exchange; 0: no limit (streams) */
	uint32_t quiet_ms;	     /* no byte for that long ends it with -ETIMEDOUT; 0: no limit */
	size_t most;		     /* bytes of a body without on_data; more: -E2BIG. 0: 64 MiB */
	/* Called with each piece of a body of status 200..299 as it comes; negative errno ends the call with it. May
	 * not cancel. NULL: it is collected. Bodies of other statuses are always collected (up to 64 KiB). */
	int (*on_data)(void *ctx, const char *data, size_t len);
	/* Once, from the loop, never from within http_start(). The call is freed after it returns. New calls may be
	 * started in it. */
	void (*on_done)(void *ctx, const struct http_response *res);
	void *ctx;
};

/* Everything of @q but ctx and tls' strings is copied. 0, -ENOMEM, -EINVAL (url). */
int http_start(struct http_client *c, const struct http_request *q, struct http_call **ret);
/* on_done is not called any more. NULL is fine. Not from within on_data. */
void http_cancel(struct http_call *call);
/* Of a response, in on_done only; NULL: not there. Borrowed. */
const char *http_header(const struct http_call *call, const char *name);

/* A server as it is written: "127.0.0.1:8500", "https://consul.mesh:8501/" as "http://..." without a slash at the end;
 * free() it. 0, -EINVAL, -ENOMEM. */
int http_server_parse(const char *text, char **ret);

/* @text as a part of a path or a query: everything but unreserved characters as %XX. free() it; NULL: no memory. */
char *http_escape(const char *text);

#endif

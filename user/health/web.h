/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One HTTP exchange of a check, and what it came to. Inside health/ only. */
#ifndef HEALTH_WEB_H
#define HEALTH_WEB_H

#include <curl/curl.h>

#include "health/grpc.h"
#include "health/probe.h"

#define WEB_BODY_MAX ((size_t)64 * 1024) /* read of a body; the rest is not waited for */
#define WEB_TEXT_MAX 96

struct web_probe {
	struct probe p;
	struct web *web;
	CURL *easy;
	struct curl_slist *connect_to, *headers;
	uint8_t request[GRPC_REQUEST_MAX];
	uint8_t *body; /* as far as somebody will look at it */
	size_t len, room, seen;
	bool cut;	 /* WEB_BODY_MAX was reached; not an error */
	int grpc_status; /* negative: none came */
	char grpc_message[WEB_TEXT_MAX];
	char error[CURL_ERROR_SIZE];
};

/* setup.c: everything that libcurl must know. 0 or negative errno. */
int web_setup(struct web_probe *w);
/* verdict.c: looks at what came back and calls probe_done(). */
void web_verdict(struct web_probe *w, CURLcode code);

#endif
